# For who applies with Terraform alone: the part of a deployment that is Airflow's, once for each release. Terraform
# waits for it, and an apply fails when a DAG run does.

resource "terraform_data" "deploy" {
  count            = var.trigger ? 1 : 0
  triggers_replace = [var.release, var.config_digest, var.image]

  provisioner "local-exec" {
    command = "mlops-config deploy --no-terraform --environment \"$DEPLOY_ENVIRONMENT\" --release \"$DEPLOY_RELEASE\" --airflow \"$DEPLOY_AIRFLOW\" --dags-folder \"$DEPLOY_DAGS_FOLDER\" --store \"$DEPLOY_STORE\""

    # As variables: nothing in them is ever read as shell.
    environment = {
      DEPLOY_ENVIRONMENT = var.environment
      DEPLOY_RELEASE     = var.release
      DEPLOY_AIRFLOW     = "mwaa://${aws_mwaa_environment.this.name}"
      DEPLOY_DAGS_FOLDER = "s3://${local.bucket}/dags"
      DEPLOY_STORE       = var.store_uri
    }
  }

  depends_on = [
    aws_s3_object.dags,
    aws_s3_object.ignore,
    aws_secretsmanager_secret_version.connection,
    aws_secretsmanager_secret_version.release,
  ]
}

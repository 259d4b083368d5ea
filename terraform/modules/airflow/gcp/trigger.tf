# For who applies with plain Terraform: `mlops-config deploy` does this itself, after its own apply.
resource "terraform_data" "deploy" {
  count = var.trigger ? 1 : 0

  triggers_replace = [var.release, var.config_digest, var.image]

  provisioner "local-exec" {
    command = "mlops-config deploy --no-terraform --environment \"$MLOPS_ENVIRONMENT\" --release \"$MLOPS_RELEASE\""
    environment = {
      MLOPS_ENVIRONMENT = var.environment
      MLOPS_RELEASE     = var.release
      MLOPS_STORE       = var.store_uri
      MLOPS_AIRFLOW_URL = local.url
      MLOPS_DAGS_FOLDER = local.dags_folder
    }
  }

  lifecycle {
    precondition {
      condition     = var.release != null
      error_message = "trigger deploys a release, and there is none: give release its name, or leave trigger out."
    }
  }

  depends_on = [
    google_composer_environment.this, google_storage_bucket_object.dag, google_storage_bucket_object.job,
    google_secret_manager_secret_version.connection, google_secret_manager_secret_version.release,
    google_secret_manager_secret_iam_member.read,
  ]
}

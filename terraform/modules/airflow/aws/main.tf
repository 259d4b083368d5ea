# Amazon MWAA for one environment. Terraform brings what changes with the infrastructure: the environment, the five DAG
# files, requirements, the role, and two things that Airflow reads from Secrets Manager, the Connection
# mlops_<environment> (where and with what jobs run) and the Variable mlops_<environment>_release (config_path, digest,
# release, commit, image). What changes with each release, dags/mlops/, is written by `mlops-config deploy` and not by
# Terraform, which neither lists nor removes it. No secret value is in the state: secrets are made empty, people fill
# them, and a job looks its own up when it starts.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  tags      = merge(var.labels, { environment = var.environment })
  # S3 takes ten tags of an object, and fifty of everything else: the labels may be forty.
  object_tags = { environment = var.environment }

  # Written out, not taken from the resource: so a plan shows the policies before anything is there.
  arn = "arn:${local.partition}:airflow:${local.region}:${local.account}:environment/${var.name}"

  dag_source = coalesce(var.dag_source, "${path.module}/../../../../dags")
  dag_files  = fileset(local.dag_source, "*_dag.py")

  constraints  = "https://raw.githubusercontent.com/apache/airflow/constraints-${var.airflow_version}/constraints-3.12.txt"
  requirements = <<-TEXT
    --constraint "${local.constraints}"
    mlops-config-action[airflow,airflow-kubernetes,aws,s3]==${var.package_version}
  TEXT
}

resource "aws_mwaa_environment" "this" {
  #checkov:skip=CKV2_AWS_66:who deploys from GitHub's runners has to reach it, and IAM lets nobody else in; webserver_access_mode closes it
  name               = var.name
  airflow_version    = var.airflow_version
  environment_class  = var.environment_class
  execution_role_arn = aws_iam_role.execution.arn
  kms_key            = local.key_arn
  tags               = local.tags

  min_workers = var.min_workers
  max_workers = var.max_workers

  # Without worker_replacement_strategy: the provider sends it only in the update that changes it, and reads back what the
  # last update had. GRACEFUL would be planned again after the first apply, and after every update by another way.
  weekly_maintenance_window_start = var.maintenance_window
  webserver_access_mode           = var.webserver_access_mode

  source_bucket_arn                = local.bucket_arn
  dag_s3_path                      = "dags/"
  requirements_s3_path             = aws_s3_object.requirements.key
  requirements_s3_object_version   = aws_s3_object.requirements.version_id
  startup_script_s3_path           = one(aws_s3_object.startup[*].key)
  startup_script_s3_object_version = one(aws_s3_object.startup[*].version_id)

  airflow_configuration_options = merge(
    {
      # A task that waits for a pod or an endpoint lets its worker go.
      "operators.default_deferrable" = "True"
    },
    var.airflow_options,
    {
      "secrets.backend" = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
      # Only what is ours is asked for there: each question costs a request.
      "secrets.backend_kwargs" = jsonencode({
        connections_prefix         = "${var.secrets_prefix}/connections"
        connections_lookup_pattern = "^mlops_"
        variables_prefix           = "${var.secrets_prefix}/variables"
        variables_lookup_pattern   = "^mlops_"
      })
    },
  )

  network_configuration {
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  logging_configuration {
    dag_processing_logs {
      enabled   = true
      log_level = "INFO"
    }

    scheduler_logs {
      enabled   = true
      log_level = "INFO"
    }

    task_logs {
      enabled   = true
      log_level = "INFO"
    }

    webserver_logs {
      enabled   = true
      log_level = "INFO"
    }

    worker_logs {
      enabled   = true
      log_level = "INFO"
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.dag_files) == 5
      error_message = "${local.dag_source} has ${length(local.dag_files)} files named *_dag.py, and five are needed: name the folder with dag_source."
    }
  }

  depends_on = [
    aws_cloudwatch_log_group.airflow,
    aws_iam_role_policy.execution,
    aws_iam_role_policy_attachment.jobs,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

# MWAA makes these groups where they are missing, and then keeps what is in them for good.
resource "aws_cloudwatch_log_group" "airflow" {
  for_each = toset(["DAGProcessing", "Scheduler", "Task", "WebServer", "Worker"])

  #checkov:skip=CKV_AWS_338:how long is log_days, which the environment says
  name              = "airflow-${var.name}-${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = local.key_arn
  tags              = local.tags
}

resource "aws_s3_object" "dags" {
  for_each = local.dag_files

  bucket      = local.bucket
  key         = "dags/${each.key}"
  source      = "${local.dag_source}/${each.key}"
  source_hash = filesha256("${local.dag_source}/${each.key}")
  tags        = local.object_tags

  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

# The bundles of many releases would be a long walk for Airflow, which looks for DAGs in every folder.
resource "aws_s3_object" "ignore" {
  bucket  = local.bucket
  key     = "dags/.airflowignore"
  content = "mlops/\n"
  tags    = local.object_tags

  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

resource "aws_s3_object" "requirements" {
  bucket  = local.bucket
  key     = "requirements.txt"
  content = var.requirements == null ? local.requirements : file(var.requirements)
  tags    = local.object_tags

  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

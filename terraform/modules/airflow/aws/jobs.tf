# The jobs' environment on the workers, for execution bash: a startup script makes it of locked requirements.

locals {
  jobs_key = local.own_jobs ? "jobs/${filesha256(var.jobs.requirements)}.txt" : null

  startup = !local.own_jobs ? null : join("\n", [
    "#!/bin/bash",
    "# Made by Terraform of startup.sh and python.py in the airflow module.",
    "JOBS_HOME='${local.home}'",
    "JOBS_BUCKET='${local.bucket}'",
    "JOBS_REQUIREMENTS='${local.jobs_key}'",
    "JOBS_PACKAGE='mlops-config-action==${var.package_version}'",
    "JOBS_PYTHON='${base64encode(file("${path.module}/files/python.py"))}'",
    file("${path.module}/files/startup.sh"),
  ])
}

resource "aws_s3_object" "jobs" {
  count = local.own_jobs ? 1 : 0

  bucket      = local.bucket
  key         = local.jobs_key
  source      = var.jobs.requirements
  source_hash = filesha256(var.jobs.requirements)
  tags        = local.object_tags

  # Workers that start before MWAA has the new script ask for the old file.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

resource "aws_s3_object" "startup" {
  count = local.own_jobs ? 1 : 0

  bucket  = local.bucket
  key     = "startup.sh"
  content = local.startup
  tags    = local.object_tags

  # A worker that starts with the script finds what the script asks for.
  depends_on = [aws_s3_object.jobs]
}

# What Airflow and the jobs read from Secrets Manager.

locals {
  # As mlops-config names them: dashes become underscores.
  connection = "mlops_${replace(var.environment, "-", "_")}"
  home       = "/usr/local/airflow/mlops-jobs"
  own_jobs   = var.jobs.requirements != null

  variable_of = { for name in var.secrets : name => "MLOPS_SECRET_${upper(replace(name, "/[^A-Za-z0-9]/", "_"))}" }
  kept        = toset([for name in var.secrets : name if !contains(keys(var.variables), local.variable_of[name])])
  secret_of   = { for name in local.kept : local.variable_of[name] => "${var.secrets_prefix}/secrets/${var.environment}/${name}" }

  extra = {
    environment = var.environment
    variables = merge(
      var.variables,
      { MLOPS_STORE = var.store_uri },
      # Read by the jobs' python, see files/python.py: the variable that a job gets, and the secret that it comes from.
      { for variables in [local.secret_of] : "MLOPS_LOOKED_UP" => jsonencode(variables) if local.own_jobs && length(variables) > 0 },
    )
    python             = local.own_jobs ? "${local.home}/bin/python-with-secrets" : var.jobs.python
    entrypoints        = local.own_jobs ? "${local.home}/app" : var.jobs.entrypoints
    root               = var.jobs.root
    kubernetes_conn_id = var.jobs.kubernetes_conn_id
    kubernetes_secrets = var.jobs.kubernetes_secrets
    image_pull_secrets = var.jobs.image_pull_secrets
  }
}

resource "aws_secretsmanager_secret" "connection" {
  #checkov:skip=CKV2_AWS_57:nothing in it is secret, so nothing is to be rotated
  name                    = "${var.secrets_prefix}/connections/${local.connection}"
  description             = "Airflow's Connection ${local.connection}: where and with what the jobs of ${var.environment} run"
  kms_key_id              = local.key_arn
  recovery_window_in_days = 0 # made again from here; a name that waits could not be used meanwhile
  tags                    = local.tags
}

# A value that changes is a version of its own: the provider plans it as a replacement. The new one is there before the
# old one goes, so a task that starts meanwhile finds one of the two.
resource "aws_secretsmanager_secret_version" "connection" {
  secret_id     = aws_secretsmanager_secret.connection.id
  secret_string = jsonencode({ conn_type = "generic", extra = { for key, value in local.extra : key => value if value != null } })

  lifecycle {
    create_before_destroy = true
  }
}

# The value of a secret is hidden in a plan, though nothing in this one is secret; the tags are seen.
resource "aws_secretsmanager_secret" "release" {
  #checkov:skip=CKV2_AWS_57:nothing in it is secret, so nothing is to be rotated
  name                    = "${var.secrets_prefix}/variables/${local.connection}_release"
  description             = "Airflow's Variable ${local.connection}_release: what ${var.environment} was last provisioned for"
  kms_key_id              = local.key_arn
  recovery_window_in_days = 0 # made again from here; a name that waits could not be used meanwhile

  tags = merge(local.tags, {
    "mlops:config_path"   = var.config_path
    "mlops:config_digest" = var.config_digest
    "mlops:release"       = var.release
  })
}

resource "aws_secretsmanager_secret_version" "release" {
  secret_id = aws_secretsmanager_secret.release.id

  secret_string = jsonencode({
    config_path   = var.config_path
    config_digest = var.config_digest
    release       = var.release
    commit        = var.commit
    image         = var.image
  })

  lifecycle {
    create_before_destroy = true
  }
}

# Without a version: `aws secretsmanager put-secret-value` gives it its value, and Terraform never reads that.
resource "aws_secretsmanager_secret" "filled_by_people" {
  for_each = local.kept

  #checkov:skip=CKV2_AWS_57:whose secret it is rotates it; a job reads the newest value when it starts
  name                    = local.secret_of[local.variable_of[each.key]]
  description             = "secret://${each.key} in the files of ${var.environment}; jobs get it as ${local.variable_of[each.key]}"
  kms_key_id              = local.key_arn
  recovery_window_in_days = 7
  tags                    = local.tags
}

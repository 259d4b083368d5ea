# One environment on AWS, made of the other modules: store, repository, network, Airflow, roles and monitoring. Each can
# be left out by naming what is there already. The release decides what jobs may read and write, which endpoint they
# deploy, which alerts there are, and what Airflow says that it runs; the sizes are the root module's.

locals {
  full_name = lower("${var.config.project}-${var.config.model_name}-${var.environment}")
  # Names of MWAA, of roles and of buckets have limits; a cut one keeps its own digest, so that two never meet.
  name   = var.name != null ? var.name : length(local.full_name) <= 40 ? local.full_name : "${trimsuffix(substr(local.full_name, 0, 31), "-")}-${substr(sha256(local.full_name), 0, 8)}"
  labels = merge(var.config.labels, { project = var.config.project, model = var.config.model_name }, var.labels)

  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"

  serves       = var.config.target == "aws" && var.config.endpoint != null
  makes_store  = var.artifact_store.uri == null
  makes_images = var.image_repository.arn == null
  makes_vpc    = var.airflow != null && var.network.subnet_ids == null
  store_bucket = coalesce(var.artifact_store.name, "${local.name}-${var.account_id}")

  # Written out, so that the policies in a plan show it.
  store_uri    = local.makes_store ? trimsuffix("s3://${local.store_bucket}/${var.artifact_store.prefix}", "/") : var.artifact_store.uri
  packages_uri = !local.serves ? null : var.packages_uri != null ? var.packages_uri : "${local.store_uri}/${var.config.project}/models/"

  workers_have_jobs = var.jobs.python != null || var.jobs.kubernetes_conn_id != null
  jobs_requirements = var.jobs.requirements != null || local.workers_have_jobs ? var.jobs.requirements : "${path.module}/../../../../requirements/jobs.txt"

  # The image of the release lies where it was pushed to, which need not be the repository made here.
  image_parts    = try(regex("^([0-9]{12})[.]dkr[.]ecr[.]([a-z0-9-]+)[.]amazonaws[.]com(?:[.]cn)?/([^@]+)@", var.release.image), null)
  own_images_arn = local.makes_images ? "arn:${local.partition}:ecr:${var.region}:${var.account_id}:repository/${local.name}" : var.image_repository.arn
  images_arn     = local.image_parts == null ? local.own_images_arn : "arn:${local.partition}:ecr:${local.image_parts[1]}:${local.image_parts[0]}:repository/${local.image_parts[2]}"
}

module "artifact_store" {
  source = "../../artifact_store/aws"
  count  = local.makes_store ? 1 : 0

  name            = local.name
  environment     = var.environment
  labels          = local.labels
  bucket_name     = local.store_bucket
  prefix          = var.artifact_store.prefix
  writers         = concat(module.airflow[*].execution_role, var.artifact_store.writers)
  readers         = concat(local.serves ? [module.model_endpoint_roles.execution_role] : [], var.artifact_store.readers)
  noncurrent_days = var.artifact_store.noncurrent_days
  access_log_days = var.artifact_store.access_log_days
  lock_days       = var.artifact_store.lock_days
}

module "image_repository" {
  source = "../../image_repository/aws"
  count  = local.makes_images ? 1 : 0

  name            = local.name
  environment     = var.environment
  labels          = local.labels
  repository_name = local.name
  untagged_days   = var.image_repository.untagged_days
  writers         = var.image_repository.writers
  readers         = var.image_repository.readers
}

module "model_endpoint_roles" {
  source = "../../model_endpoint_roles/aws"

  name                 = local.name
  environment          = var.environment
  labels               = local.labels
  account_id           = var.account_id
  region               = var.region
  reads                = var.config.reads
  writes               = var.config.writes
  packages_uri         = local.packages_uri
  image_repository     = local.images_arn
  endpoint             = local.serves ? var.config.endpoint : null
  encryption_keys      = var.data_encryption_keys # the store's own key names its readers itself
  permissions_boundary = var.permissions_boundary
}

module "network" {
  source = "../../network/aws"
  count  = local.makes_vpc ? 1 : 0

  name                 = local.name
  environment          = var.environment
  labels               = local.labels
  cidr                 = var.network.cidr
  zones                = var.network.zones
  nat_gateways         = var.network.nat_gateways
  egress               = var.network.egress
  permissions_boundary = var.permissions_boundary
}

module "airflow" {
  source = "../../airflow/aws"
  count  = var.airflow == null ? 0 : 1

  name        = local.name
  environment = var.environment
  labels      = local.labels

  config_path   = var.mlops_config_path
  config_digest = var.release.config_digest
  release       = var.release.name
  commit        = var.release.commit
  image         = var.release.image

  airflow_version       = var.airflow.version
  environment_class     = var.airflow.class
  min_workers           = var.airflow.min_workers
  max_workers           = var.airflow.max_workers
  webserver_access_mode = var.airflow.webserver_access_mode
  maintenance_window    = var.airflow.maintenance_window
  airflow_options       = var.airflow.options
  requirements          = var.airflow.requirements
  dag_source            = var.airflow.dag_source
  package_version       = var.airflow.package_version
  log_days              = var.airflow.log_days
  access_log_bucket     = var.airflow.access_log_bucket
  secrets_prefix        = coalesce(var.airflow.secrets_prefix, "airflow/${local.name}") # one account may have several projects
  trigger               = var.airflow.trigger

  subnet_ids         = local.makes_vpc ? module.network[0].subnet_ids : var.network.subnet_ids
  security_group_ids = local.makes_vpc ? module.network[0].security_group_ids : var.network.security_group_ids

  store_uri = local.store_uri
  variables = merge(
    { for uri in var.packages_uri[*] : "MLOPS_PACKAGES" => trimsuffix(uri, "/") },
    { for secret in var.execution_role_secret[*] : "MLOPS_SECRET_${upper(replace(secret, "/[^A-Za-z0-9]/", "_"))}" => module.model_endpoint_roles.execution_role if local.serves },
    var.variables,
  )
  secrets              = var.config.secrets
  jobs                 = merge(var.jobs, { requirements = local.jobs_requirements })
  policies             = module.model_endpoint_roles.job_policies
  permissions_boundary = var.permissions_boundary
}

module "monitoring" {
  source = "../../monitoring/aws"
  count  = var.monitoring == null ? 0 : 1

  name            = local.name
  environment     = var.environment
  labels          = local.labels
  account_id      = var.account_id
  region          = var.region
  project         = var.config.project
  model_name      = var.config.model_name
  recording_rules = var.config.recording_rules
  alerts          = var.config.alerts
  receivers       = var.monitoring.receivers
  workspace_id    = var.monitoring.workspace_id
  retention_days  = var.monitoring.retention_days
}

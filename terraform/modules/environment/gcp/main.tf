# One environment on Google Cloud, made of the other modules: store, repository, network, Airflow, roles and monitoring.
# Each can be left out by naming what is there already. The release decides what jobs may read and write, which endpoint
# they deploy, which alerts there are, and what Airflow says that it runs; the sizes are the root module's. Nothing is
# made that is named after another environment, or that the release's own files place in another project.

locals {
  full_name = lower("${var.config.project}-${var.config.model_name}-${var.environment}")
  # Names of buckets and accounts have limits; a cut one keeps its own digest, so that two never meet.
  name = var.name != null ? var.name : length(local.full_name) <= 40 ? local.full_name : "${trimsuffix(substr(local.full_name, 0, 31), "-")}-${substr(sha256(local.full_name), 0, 8)}"
  # Google Cloud takes small letters, digits, _ and - in labels, and a letter first in a key.
  labels = {
    for key, value in merge(var.config.labels, { project = var.config.project, model = var.config.model_name }, var.labels) :
    substr(replace(replace(lower(key), "/[^a-z0-9_-]/", "_"), "/^([^a-z])/", "l$1"), 0, 63) => substr(replace(lower(value), "/[^a-z0-9_-]/", "_"), 0, 63)
  }

  serves       = var.config.target == "gcp" && var.config.endpoint != null
  makes_store  = var.artifact_store.uri == null
  makes_images = var.image_repository.id == null
  makes_vpc    = var.airflow != null && var.network.network == null

  long_bucket  = "${var.project_id}-${local.name}"
  own_bucket   = length(local.long_bucket) <= 58 ? local.long_bucket : "${trimsuffix(substr(local.long_bucket, 0, 50), "-")}-${substr(sha256(local.long_bucket), 0, 6)}"
  store_bucket = coalesce(var.artifact_store.name, local.own_bucket)

  # Written out, so that the conditions in a plan show it.
  store_uri = local.makes_store ? trimsuffix("gs://${local.store_bucket}/${var.artifact_store.prefix}", "/") : var.artifact_store.uri
  # In a store that is made here packages need no grant of their own: its policy names who writes and who reads.
  in_own_store = local.makes_store && var.packages_uri == null
  packages_uri = !local.serves || local.in_own_store ? null : var.packages_uri != null ? var.packages_uri : "${local.store_uri}/${var.config.project}/models/"

  # Jobs that run on the workers need an environment there, unless the workers have one.
  on_workers   = var.jobs.python == null && var.jobs.kubernetes_conn_id == null
  requirements = var.jobs.requirements == null && local.on_workers ? "${path.module}/../../../../requirements/jobs.txt" : var.jobs.requirements

  encryption_key = var.encryption_key != null ? var.encryption_key : local.makes_store ? module.artifact_store[0].encryption_key : null

  appliers   = [for member in [var.workflows.deploy, var.workflows.rollback] : member if member != null]
  publishers = [for member in [var.workflows.publish] : member if member != null]
  planners   = [for member in [var.workflows.plan] : member if member != null]
  # Of one output each: the whole module would be a circle, since Airflow is encrypted with the store's key.
  airflow     = var.airflow == null ? [] : [module.airflow[0].member]
  job_runners = merge(var.job_runners, { for member in local.airflow : "airflow" => member })
}

module "artifact_store" {
  source = "../../artifact_store/gcp"
  count  = local.makes_store ? 1 : 0

  name            = local.name
  environment     = var.environment
  labels          = local.labels
  project_id      = var.project_id
  region          = var.region
  bucket_name     = local.store_bucket
  prefix          = var.artifact_store.prefix
  writers         = concat(local.airflow, values(var.job_runners), local.publishers, local.appliers, var.artifact_store.writers)
  readers         = concat(local.serves ? [module.model_endpoint_roles.member] : [], local.planners, var.artifact_store.readers)
  administrators  = var.artifact_store.administrators
  noncurrent_days = var.artifact_store.noncurrent_days
  access_log_days = var.artifact_store.access_log_days
  encryption_key  = var.encryption_key
}

module "image_repository" {
  source = "../../image_repository/gcp"
  count  = local.makes_images ? 1 : 0

  name            = local.name
  environment     = var.environment
  labels          = local.labels
  project_id      = var.project_id
  region          = var.region
  repository_name = local.name
  untagged_days   = var.image_repository.untagged_days
  writers         = concat(local.publishers, var.image_repository.writers)
  readers         = concat(local.airflow, values(var.job_runners), [module.model_endpoint_roles.member], local.planners, local.appliers, var.image_repository.readers)
  encryption_key  = local.encryption_key
}

module "model_endpoint_roles" {
  source = "../../model_endpoint_roles/gcp"

  name             = local.name
  environment      = var.environment
  labels           = local.labels
  project_id       = var.project_id
  reads            = var.config.reads
  writes           = var.config.writes
  packages_uri     = local.packages_uri
  image_repository = var.image_repository.id
  endpoint         = local.serves ? var.config.endpoint : null
  job_runners      = local.job_runners
  deployers        = { for member in var.workflows.rollback[*] : "rollback" => member }
}

module "network" {
  source = "../../network/gcp"
  count  = local.makes_vpc ? 1 : 0

  name        = local.name
  environment = var.environment
  labels      = local.labels
  project_id  = var.project_id
  region      = var.region
  cidr        = var.network.cidr
  internet    = var.network.internet
}

module "airflow" {
  source = "../../airflow/gcp"
  count  = var.airflow == null ? 0 : 1

  name        = local.name
  environment = var.environment
  labels      = local.labels
  project_id  = var.project_id
  region      = var.region

  config_path   = var.mlops_config_path
  config_digest = var.release.config_digest
  release       = var.release.name
  commit        = var.release.commit
  image         = var.release.image

  airflow_version    = var.airflow.version
  environment_size   = var.airflow.size
  min_workers        = var.airflow.min_workers
  max_workers        = var.airflow.max_workers
  worker             = var.airflow.worker
  allowed_ip_ranges  = var.airflow.allowed_ip_ranges
  maintenance_window = var.airflow.maintenance_window
  snapshot_schedule  = var.airflow.snapshot_schedule
  requirements       = var.airflow.requirements
  dag_source         = var.airflow.dag_source
  source_bucket      = var.airflow.source_bucket
  secrets_prefix     = coalesce(var.airflow.secrets_prefix, "airflow-${local.name}") # one project may have several models
  package_version    = var.airflow.package_version
  trigger            = var.airflow.trigger

  network    = local.makes_vpc ? module.network[0].network : var.network.network
  subnetwork = local.makes_vpc ? module.network[0].subnetwork : var.network.subnetwork

  store_uri = local.store_uri
  variables = merge(
    { for uri in var.packages_uri[*] : "MLOPS_PACKAGES" => trimsuffix(uri, "/") },
    { for secret in var.execution_role_secret[*] : "MLOPS_SECRET_${upper(replace(secret, "/[^A-Za-z0-9]/", "_"))}" => module.model_endpoint_roles.execution_role },
    var.variables,
  )
  secrets        = var.config.secrets
  jobs           = merge(var.jobs, { requirements = local.requirements })
  encryption_key = local.encryption_key
  deployers      = local.appliers
}

module "monitoring" {
  source = "../../monitoring/gcp"
  count  = var.monitoring == null ? 0 : 1

  name            = local.name
  environment     = var.environment
  labels          = local.labels
  project_id      = var.project_id
  project         = var.config.project
  model_name      = var.config.model_name
  recording_rules = var.config.recording_rules
  alerts          = var.config.alerts
  receivers       = var.monitoring.receivers
}

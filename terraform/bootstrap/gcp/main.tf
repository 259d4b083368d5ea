# What an administrator applies once for each Google Cloud project, before anything else: the services that an environment
# uses, a bucket for Terraform's states, and the accounts that GitHub's workflows become. It takes an owner of the project.
# Its own state begins on disk and moves into the bucket that it makes:
#   terraform init && terraform apply
#   cp backend_override.tf.example backend_override.tf     # put your bucket
#   terraform init -migrate-state
# Then put the outputs where they are used: `backend` into each backend.hcl of this project, `workflows` into
# terraform.tfvars, `github_variables` into GitHub's environments, of each the one that deploys and the one that plans.

terraform {
  required_version = ">= 1.10"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

locals {
  services = toset([
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudkms.googleapis.com",
    "cloudresourcemanager.googleapis.com", # rights in the project
    "composer.googleapis.com",
    "compute.googleapis.com",
    "containerscanning.googleapis.com", # images are scanned where it is on; each scan costs a little
    "iam.googleapis.com",
    "iamcredentials.googleapis.com", # a workflow becomes a service account
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com", # GitHub's token is exchanged
  ])
  state_bucket = "${var.project_id}-terraform-state"

  # Where releases go, as modules/environment/gcp names it: a long name is cut, and keeps its own digest.
  long_buckets = { for environment, each in var.environments : environment => "${var.project_id}-${each.name}" if each.name != null }
  buckets = { for environment, name in local.long_buckets :
    environment => length(name) <= 58 ? name : "${trimsuffix(substr(name, 0, 50), "-")}-${substr(sha256(name), 0, 6)}"
  }
  stores = { for environment, each in var.environments : environment =>
    each.store != null ? each.store : var.store != null ? "gs://${var.store.bucket}/${var.store.prefix}" : try("gs://${local.buckets[environment]}", null)
  }

  # Whose name begins otherwise than with the project's: its buckets and what Airflow is told do so too.
  other_names = { for environment, each in var.environments :
    environment => each.name if !startswith(coalesce(each.name, "${var.name}-"), "${var.name}-")
  }
  # As modules/environment/gcp names it. null: the module finds by itself what begins with the project's name.
  secrets_prefixes = { for environment, each in var.environments :
    environment => each.secrets_prefix == null && contains(keys(local.other_names), environment) ? "airflow-${each.name}" : each.secrets_prefix
  }

  # What the names of the environments' buckets begin with. They are cut at 48 letters and at 50 (modules/airflow/gcp,
  # modules/environment/gcp): a longer beginning would fit no cut name, and whoever deploys could not make the bucket.
  bucket_prefixes = distinct([for environment in keys(var.environments) : substr(
    "${var.project_id}-${lookup(local.other_names, environment, "${var.name}-")}", 0, 48
  )])

  images = try(regex("^projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/repositories/(?P<repository>[^/]+)$", var.image_repository), {
    project    = var.project_id
    region     = var.region
    repository = null
  })
  image_names = { for environment, each in var.environments : environment => each.name == null ? null :
    "${local.images.region}-docker.pkg.dev/${local.images.project}/${coalesce(local.images.repository, each.name)}/${each.name}"
  }
}

resource "google_project_service" "this" {
  for_each = local.services

  project = var.project_id
  service = each.value
  # Somebody else may use it by then.
  disable_on_destroy = false
}

# Compute Engine's and App Engine's default accounts are editors of a project unless the organisation says otherwise.
# Whoever deploys may act as each account of the project, so these have to be nobody.
resource "google_project_default_service_accounts" "this" {
  count = var.deprivilege_default_service_accounts ? 1 : 0

  project = var.project_id
  action  = "DEPRIVILEGE"

  depends_on = [google_project_service.this]
}

module "state" {
  source = "../../modules/artifact_store/gcp"

  name            = "${var.name}-terraform"
  environment     = "bootstrap"
  labels          = var.labels
  project_id      = var.project_id
  region          = var.region
  bucket_name     = local.state_bucket
  state_like      = true
  noncurrent_days = var.state_days
  access_log_days = var.state_days

  depends_on = [google_project_service.this]
}

module "github_oidc" {
  source = "../../modules/github_oidc/gcp"

  name       = var.name
  labels     = var.labels
  project_id = var.project_id
  repository = var.repository
  environments = { for environment, each in var.environments : environment => {
    publish_refs   = each.publish_refs
    secrets_prefix = local.secrets_prefixes[environment]
  } }
  state              = { bucket = module.state.bucket, prefix = var.name }
  bucket_prefixes    = local.bucket_prefixes
  data_buckets       = var.data_buckets
  store              = var.store
  image_repository   = var.image_repository
  default_branch     = var.default_branch
  plan_pull_requests = var.plan_pull_requests
  job_workflow_refs  = var.job_workflow_refs
  create_provider    = var.create_provider
  pool               = var.pool

  depends_on = [google_project_service.this]
}

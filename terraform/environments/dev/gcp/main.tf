# dev on Google Cloud: what is made is the module environment's affair, how large it is terraform.tfvars', and what it
# runs the release's (release.tf). `mlops-config deploy --environment dev` plans and applies this.

terraform {
  required_version = ">= 1.10"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  backend "gcs" {} # see backend.hcl.example
}

locals {
  environment = "dev"
}

provider "google" {
  project = var.project_id
  region  = var.region
}

module "environment" {
  source = "../../../modules/environment/gcp"

  environment = local.environment
  project_id  = var.project_id
  region      = var.region
  name        = var.name
  labels      = var.labels
  workflows   = var.workflows

  mlops_config_path = var.mlops_config_path
  release           = var.release
  config            = var.config

  artifact_store        = var.artifact_store
  packages_uri          = var.packages_uri
  image_repository      = var.image_repository
  encryption_key        = var.encryption_key
  network               = var.network
  airflow               = var.airflow
  jobs                  = var.jobs
  job_runners           = var.job_runners
  variables             = var.variables
  execution_role_secret = var.execution_role_secret
  monitoring            = var.monitoring
}

output "airflow_url" {
  description = "Airflow's address, as mlops-config takes it. null: yours, as the settings say."
  value       = module.environment.airflow_url
}

output "dags_folder" {
  description = "Where mlops-config deploy writes releases for Airflow. null: yours, as the settings say."
  value       = module.environment.dags_folder
}

output "store_uri" {
  description = "The store as mlops-config takes it."
  value       = module.environment.store_uri
}

output "image_repository" {
  description = "Where images are pushed to. null: a repository of yours."
  value       = module.environment.image_repository
}

output "execution_role" {
  description = "E-mail address of the service account that Vertex AI starts the server with."
  value       = module.environment.execution_role
}

output "airflow_service_account" {
  description = "E-mail address of the service account of Airflow and its jobs. null: yours."
  value       = module.environment.airflow_service_account
}

output "prometheus" {
  description = "Where series are asked for. null: yours."
  value       = module.environment.prometheus
}

output "secrets_to_fill" {
  description = "Secrets of Secret Manager that people fill, by the names in the files."
  value       = module.environment.secrets_to_fill
}

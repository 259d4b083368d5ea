# prod on AWS: what is made is the module environment's affair, how large it is terraform.tfvars', and what it runs the
# release's (release.tf). `mlops-config deploy --environment prod` plans and applies this.

terraform {
  required_version = ">= 1.10" # S3 locks a state by itself since then (use_lockfile)

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.60"
    }
  }

  backend "s3" {} # see backend.hcl.example
}

locals {
  environment = "prod"
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id] # credentials of another account are refused before anything is read
}

module "environment" {
  source = "../../../modules/environment/aws"

  environment = local.environment
  account_id  = var.account_id
  region      = var.region
  name        = var.name
  labels      = var.labels

  mlops_config_path = var.mlops_config_path
  release           = var.release
  config            = var.config

  artifact_store        = var.artifact_store
  packages_uri          = var.packages_uri
  image_repository      = var.image_repository
  network               = var.network
  airflow               = var.airflow
  jobs                  = var.jobs
  variables             = var.variables
  execution_role_secret = var.execution_role_secret
  data_encryption_keys  = var.data_encryption_keys
  monitoring            = var.monitoring
  permissions_boundary  = var.permissions_boundary
}

output "airflow_url" {
  description = "Airflow as mlops-config takes it. Null: yours, as the settings say."
  value       = module.environment.airflow_url
}

output "dags_folder" {
  description = "Where mlops-config deploy writes releases for Airflow. Null: yours, as the settings say."
  value       = module.environment.dags_folder
}

output "webserver_url" {
  description = "Airflow's pages, for people."
  value       = module.environment.webserver_url
}

output "store_uri" {
  description = "The store as mlops-config takes it."
  value       = module.environment.store_uri
}

output "image_repository" {
  description = "Where images are pushed to. Null: a repository of yours."
  value       = module.environment.image_repository
}

output "execution_role" {
  description = "ARN of the role that SageMaker starts the endpoint with."
  value       = module.environment.execution_role
}

output "job_policies" {
  description = "ARNs of the policies for what runs the jobs: attach them where Airflow is yours."
  value       = module.environment.job_policies
}

output "prometheus" {
  description = "Where series are written to and asked for. Null: yours."
  value       = module.environment.prometheus
}

output "secrets_to_fill" {
  description = "Secrets of Secrets Manager that people fill, by the names in the files."
  value       = module.environment.secrets_to_fill
}

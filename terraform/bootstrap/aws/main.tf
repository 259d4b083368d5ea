# What an administrator applies once for each AWS account, before anything else: a bucket for Terraform's states, and the
# roles that GitHub's workflows take on. Its own state begins on disk and moves into the bucket that it makes:
#   terraform init && terraform apply
#   cp backend_override.tf.example backend_override.tf     # put your bucket
#   terraform init -migrate-state
# Then put the outputs where they are used: `backend` into each backend.hcl of this account, `permissions_boundary` into
# terraform.tfvars, `github_variables` into GitHub's environments, of each the one that deploys and the one that plans.

terraform {
  required_version = ">= 1.10" # S3 locks a state by itself since then (use_lockfile)

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.60"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id] # credentials of another account are refused before anything is read
}

module "state" {
  source = "../../modules/artifact_store/aws"

  name            = "${var.name}-terraform"
  environment     = "bootstrap"
  labels          = var.labels
  bucket_name     = local.state_bucket
  state_like      = true
  noncurrent_days = var.state_days
  access_log_days = var.state_days
}

module "github_oidc" {
  source = "../../modules/github_oidc/aws"

  labels                  = var.labels
  account_id              = var.account_id
  region                  = var.region
  repository              = var.repository
  environments            = var.environments
  state                   = { bucket = local.state_bucket }
  default_branch          = var.default_branch
  plan_pull_requests      = var.plan_pull_requests
  plan_environment_suffix = var.plan_environment_suffix
  job_workflow_refs       = var.job_workflow_refs
  create_provider         = var.create_provider
}

locals {
  state_bucket = "${var.name}-terraform-${var.account_id}"
}

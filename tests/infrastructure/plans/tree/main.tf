# A small root that takes a release as the real ones do, made of what Terraform has built in: no provider is needed.

terraform {
  required_version = ">= 1.10"
}

variable "mlops_config_path" {
  type = string
}

variable "release" {
  type = any
}

variable "config" {
  type = any
}

variable "password" {
  type      = string
  sensitive = true
  default   = "hunter2-hunter2"
}

locals {
  labels = merge(var.config.labels, { "mlops:release" = var.release.name })
}

module "rules" {
  source = "./rules"

  alerts = var.config.alerts
  writes = var.config.writes
  labels = local.labels
}

resource "terraform_data" "environment" {
  input            = { path = var.mlops_config_path, labels = local.labels, password = var.password }
  triggers_replace = [var.config.region]
}

resource "terraform_data" "follower" {
  input = terraform_data.environment.id
}

output "rules" {
  value = module.rules.count
}

output "password" {
  value     = var.password
  sensitive = true
}

terraform {
  required_providers {
    google = { source = "hashicorp/google", version = "~> 8.7" }
  }
}

provider "google" {
  project = "acme-ml-dev"
  region  = "europe-west3"
}

data "google_project" "this" {}

resource "google_storage_bucket" "artifacts" {
  name     = "acme-artifacts"
  location = "EU"
  labels   = { team = "fares" }
}

resource "google_service_account" "jobs" {
  account_id = "jobs"
}

resource "google_composer_environment" "airflow" {
  name = "city"
  config {
    software_config { image_version = "composer-3-airflow-3.1.0" }
  }
}

# What another configuration made, found by its name.
data "google_storage_bucket" "artifacts" {
  name = google_storage_bucket.artifacts.name
}

output "account" { value = google_service_account.jobs.member }
output "airflow" { value = google_composer_environment.airflow.config[0].airflow_uri }
output "dags" { value = google_composer_environment.airflow.config[0].dag_gcs_prefix }
output "bucket" { value = data.google_storage_bucket.artifacts.url }
output "project_number" { value = data.google_project.this.number }

variable "release" {
  type    = string
  default = "1.0.0"
}

resource "google_secret_manager_secret" "release" {
  secret_id = "release"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "release" {
  secret      = google_secret_manager_secret.release.id
  secret_data = var.release

  lifecycle {
    create_before_destroy = true
  }
}

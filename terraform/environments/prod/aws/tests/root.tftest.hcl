# With this environment's own terraform.tfvars, and a release as `mlops-config deploy` hands it over.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
}

variables {
  execution_role_secret = "sagemaker-execution-role"
  mlops_config_path     = "configs/prod/"
  release = {
    environment   = "prod"
    name          = "1.2.0"
    version       = "1.2.0"
    commit        = "4acc7d8ff2a07c5724b61e524ae1a2782dc80e96"
    config_digest = "sha256:ee923f77332de84c7cc3c3a948c89c07ffb62ef0b75431bae8c7cd9665594239"
  }
  config = {
    project         = "city-taxi"
    model_name      = "trip-fare"
    owner           = "fares@example.com"
    labels          = { team = "fares" }
    target          = "aws"
    region          = "eu-central-1"
    endpoint        = "trip-fare-prod"
    namespace       = "fares"
    reads           = { "training.data.source.uri" = "s3://acme-city-taxi-prod/trips/curated/" }
    writes          = { "inference.data_capture.destination_uri" = "s3://acme-city-taxi-prod/fares/capture/" }
    retention_days  = { "inference.data_capture.retention" = 90 }
    secrets         = ["chat-fares", "sagemaker-execution-role"]
    recording_rules = { "fares:server:up" = "vector(1)" }
    alerts = { fare-drift = {
      name   = "fare-drift", expr = "vector(1) > 0", query = "vector(1) > 0", "for" = "5m", severity = "ticket",
      labels = { severity = "ticket", environment = "prod" }, summary = "features drift", description = "Too many."
    } }
  }
}

run "its_settings_make_one_environment" {
  command = plan

  assert {
    condition     = output.airflow_url == "mwaa://city-taxi-trip-fare-prod" && startswith(output.store_uri, "s3://city-taxi-trip-fare-prod-${var.account_id}")
    error_message = "Another environment is made: ${output.airflow_url}, ${output.store_uri}."
  }
  assert {
    condition     = var.permissions_boundary == "arn:aws:iam::${var.account_id}:policy/github-city-taxi-trip-fare-prod-boundary"
    error_message = "The boundary is not this environment's: ${var.permissions_boundary}"
  }
}

run "a_release_of_another_environment_is_refused" {
  command = plan
  variables {
    mlops_config_path = "configs/other/"
    release           = merge(var.release, { environment = "other" })
    config = merge(var.config, { alerts = { fare-drift = merge(var.config.alerts.fare-drift, {
      labels = { severity = "ticket", environment = "other" }
    }) } })
  }
  expect_failures = [var.mlops_config_path, var.release, var.config]
}

run "a_release_for_another_account_or_region_is_refused" {
  command = plan
  variables {
    config = merge(var.config, { account_id = "123456789012", region = "us-east-1" })
  }
  expect_failures = [var.account_id, var.region]
}

# With this environment's own terraform.tfvars, and a release as `mlops-config deploy` hands it over.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "111122223333" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-111122223333@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  mlops_config_path = "examples/gcp/configs/staging/"
  release = {
    environment   = "staging"
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
    target          = "gcp"
    region          = "europe-west4"
    project_id      = "acme-ml-staging"
    endpoint        = "trip-fare-staging"
    namespace       = "fares"
    reads           = { "training.data.source.uri" = "gs://acme-ml-staging-city-taxi-data/trips/curated/" }
    writes          = { "inference.data_capture.destination_uri" = "gs://acme-ml-staging-city-taxi-data/fares/capture/" }
    retention_days  = { "inference.data_capture.retention" = 90 }
    secrets         = ["chat-fares", "vertex-service-account-staging"]
    recording_rules = { "fares:server:up" = "vector(1)" }
    alerts = { fare-drift = {
      name   = "fare-drift", expr = "vector(1) > 0", query = "vector(1) > 0", "for" = "5m", severity = "ticket",
      labels = { severity = "ticket", environment = "staging" }, summary = "features drift", description = "Too many."
    } }
  }
}

run "its_settings_make_one_environment" {
  command = plan

  assert {
    condition     = output.store_uri == "gs://acme-ml-staging-city-taxi-trip-fare-staging" && output.dags_folder == "gs://acme-ml-staging-city-taxi-trip-fare-staging-airflow/dags"
    error_message = "Another environment is made: ${output.store_uri}, ${output.dags_folder}."
  }
  assert {
    condition     = alltrue([for member in values(var.workflows) : endswith(member, "@${var.project_id}.iam.gserviceaccount.com") && strcontains(member, "-staging-")])
    error_message = "The workflows are not this environment's: ${jsonencode(var.workflows)}"
  }
  assert {
    condition     = endswith(output.execution_role, "@acme-ml-staging.iam.gserviceaccount.com")
    error_message = "The server's account is of another project: ${output.execution_role}."
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

run "a_release_for_another_project_or_region_is_refused" {
  command = plan
  variables {
    config = merge(var.config, { project_id = "acme-other", region = "us-east1" })
  }
  expect_failures = [var.project_id, var.region]
}

run "a_release_for_another_cloud_is_refused" {
  command = plan
  variables {
    config = merge(var.config, { target = "aws", project_id = null, region = null })
  }
  expect_failures = [var.region]
}

run "a_project_named_after_another_environment_is_refused" {
  command = plan
  variables {
    project_id = "acme-ml-prod"
    config     = merge(var.config, { project_id = "acme-ml-prod" })
  }
  expect_failures = [var.project_id]
}

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "444455556666" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
}

variables {
  environment           = "prod"
  account_id            = "444455556666"
  region                = "eu-central-1"
  mlops_config_path     = "configs/prod/"
  execution_role_secret = "sagemaker-execution-role-prod"
  network               = { zones = ["eu-central-1a", "eu-central-1b"] }
  monitoring            = { receivers = { page = [{ type = "email", address = "on-call@example.com" }] } }
  permissions_boundary  = "arn:aws:iam::444455556666:policy/github-city-taxi-trip-fare-prod-boundary"
  release = {
    environment   = "prod"
    name          = "1.2.0"
    version       = "1.2.0"
    commit        = "4acc7d8ff2a07c5724b61e524ae1a2782dc80e96"
    config_digest = "sha256:ee923f77332de84c7cc3c3a948c89c07ffb62ef0b75431bae8c7cd9665594239"
    image         = "444455556666.dkr.ecr.eu-central-1.amazonaws.com/city-taxi-prod@sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"
  }
  config = {
    project         = "city-taxi"
    model_name      = "trip-fare"
    owner           = "fares@example.com"
    labels          = { team = "fares" }
    target          = "aws"
    region          = "eu-central-1"
    account_id      = "444455556666"
    endpoint        = "trip-fare-prod"
    reads           = { "training.data.source.uri" = "s3://acme-city-taxi-prod/trips/curated/" }
    writes          = { "inference.data_capture.destination_uri" = "s3://acme-city-taxi-prod/fares/capture/" }
    secrets         = ["chat-fares", "sagemaker-execution-role-prod"]
    recording_rules = { "fares:server:up" = "vector(1)" }
    alerts = { fare-errors = {
      name    = "fare-errors", expr = "vector(1) > 0", "for" = "5m", severity = "page", labels = { severity = "page" },
      summary = "requests fail", description = "Too many.", runbook_url = null
    } }
  }
}

run "an_empty_account_gets_everything" {
  command = plan

  assert {
    condition     = output.airflow_url == "mwaa://city-taxi-trip-fare-prod" && output.dags_folder == "s3://city-taxi-trip-fare-prod-airflow-444455556666/dags"
    error_message = "Airflow is somewhere else: ${output.airflow_url}, ${output.dags_folder}."
  }
  assert {
    condition     = output.store_uri == "s3://city-taxi-trip-fare-prod-444455556666" && module.artifact_store[0].uri == output.store_uri
    error_message = "The store is somewhere else: ${output.store_uri}."
  }
  # The endpoint's role is no secret to fill: jobs are told the one made here.
  assert {
    condition     = output.secrets_to_fill == { chat-fares = "airflow/city-taxi-trip-fare-prod/secrets/prod/chat-fares" }
    error_message = "Other secrets are to be filled: ${jsonencode(output.secrets_to_fill)}."
  }
  assert {
    condition     = keys(output.job_policies) == ["data", "endpoint"]
    error_message = "Jobs have other policies: ${jsonencode(keys(output.job_policies))}."
  }
  # The server's image is pulled from where the release has it, not from where new ones go.
  assert {
    condition     = local.images_arn == "arn:aws:ecr:eu-central-1:444455556666:repository/city-taxi-prod" && local.own_images_arn == "arn:aws:ecr:eu-central-1:444455556666:repository/city-taxi-trip-fare-prod"
    error_message = "The image is pulled from ${local.images_arn}."
  }
  assert {
    condition     = local.packages_uri == "s3://city-taxi-trip-fare-prod-444455556666/city-taxi/models/"
    error_message = "Packages lie in ${local.packages_uri}, and jobs publish them in the store."
  }
}

run "an_organisation_with_its_own_uses_only_part" {
  command = plan
  variables {
    airflow          = null
    monitoring       = null
    artifact_store   = { uri = "s3://acme-ml/configs" }
    image_repository = { arn = "arn:aws:ecr:eu-central-1:444455556666:repository/acme/models" }
    release = {
      environment   = "prod"
      name          = "1.2.0"
      config_digest = "sha256:ee923f77332de84c7cc3c3a948c89c07ffb62ef0b75431bae8c7cd9665594239"
    }
  }

  assert {
    condition     = length(module.airflow) + length(module.network) + length(module.artifact_store) + length(module.image_repository) + length(module.monitoring) == 0
    error_message = "Something is made that is there already."
  }
  assert {
    condition     = output.store_uri == "s3://acme-ml/configs" && local.packages_uri == "s3://acme-ml/configs/city-taxi/models/" && local.images_arn == "arn:aws:ecr:eu-central-1:444455556666:repository/acme/models"
    error_message = "What is there already is not used."
  }
  assert {
    condition     = output.airflow_url == null && output.dags_folder == null && output.prometheus == null && output.secrets_to_fill == {}
    error_message = "An address is told of something that is not made here."
  }
}

run "secrets_may_be_called_otherwise" {
  command = plan
  variables {
    airflow = { secrets_prefix = "acme/airflow" }
  }

  assert {
    condition     = output.secrets_to_fill == { chat-fares = "acme/airflow/secrets/prod/chat-fares" }
    error_message = "secrets_prefix goes nowhere: ${jsonencode(output.secrets_to_fill)}."
  }
}

run "models_that_serve_elsewhere_need_no_role" {
  command = plan
  variables {
    airflow               = null
    monitoring            = null
    execution_role_secret = null
    config = {
      project         = "city-taxi-in-a-very-large-town"
      model_name      = "trip-fare-with-surcharges"
      owner           = "fares@example.com"
      labels          = {}
      target          = "local"
      endpoint        = "trip-fare-dev"
      reads           = {}
      writes          = {}
      secrets         = []
      recording_rules = {}
      alerts          = {}
    }
  }

  assert {
    condition     = output.execution_role == null && output.job_policies == {}
    error_message = "There is a role, and no endpoint on AWS."
  }
  # A name that is too long is cut, and stays one of its own.
  assert {
    condition     = local.name == "city-taxi-in-a-very-large-town-${substr(sha256("city-taxi-in-a-very-large-town-trip-fare-with-surcharges-prod"), 0, 8)}" && length(local.name) <= 40
    error_message = "The name is ${local.name}."
  }
}

run "what_does_not_belong_together_is_refused" {
  command = plan
  variables {
    environment           = "Prod"
    name                  = "prod"
    labels                = { environment = "dev" }
    account_id            = "123456789012"
    region                = "eu-west-1"
    network               = { subnet_ids = ["subnet-0a", "subnet-0b"] }
    artifact_store        = { uri = "oci://registry.example.com/fares" }
    execution_role_secret = "another-role"
  }
  expect_failures = [
    var.environment, var.name, var.labels, var.account_id, var.region, var.network, var.packages_uri,
    var.execution_role_secret,
  ]
}

run "what_no_account_region_or_store_is_called_is_refused" {
  command = plan
  variables {
    account_id     = "7777"
    region         = "europe"
    artifact_store = { uri = "s3://acme-releases/configs/" }
  }
  expect_failures = [var.account_id, var.region, var.artifact_store]
}

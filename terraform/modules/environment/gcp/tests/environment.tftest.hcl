mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "111122223333" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-111122223333@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  environment           = "prod"
  project_id            = "acme-ml-prod"
  region                = "europe-west4"
  mlops_config_path     = "configs/prod/"
  execution_role_secret = "vertex-service-account-prod"
  monitoring            = { receivers = { page = [{ type = "email", address = "on-call@example.com" }] } }
  workflows = {
    plan     = "serviceAccount:city-taxi-prod-plan@acme-ml-prod.iam.gserviceaccount.com"
    publish  = "serviceAccount:city-taxi-prod-publish@acme-ml-prod.iam.gserviceaccount.com"
    deploy   = "serviceAccount:city-taxi-prod-deploy@acme-ml-prod.iam.gserviceaccount.com"
    rollback = "serviceAccount:city-taxi-prod-rollback@acme-ml-prod.iam.gserviceaccount.com"
  }
  release = {
    environment   = "prod"
    name          = "1.2.0"
    version       = "1.2.0"
    commit        = "4acc7d8ff2a07c5724b61e524ae1a2782dc80e96"
    config_digest = "sha256:ee923f77332de84c7cc3c3a948c89c07ffb62ef0b75431bae8c7cd9665594239"
    image         = "europe-west4-docker.pkg.dev/acme-ml-prod/city-taxi-trip-fare-prod/city-taxi-trip-fare-prod@sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"
  }
  config = {
    project         = "city-taxi"
    model_name      = "trip-fare"
    owner           = "fares@example.com"
    labels          = { team = "fares", tier = "1" }
    target          = "gcp"
    region          = "europe-west4"
    project_id      = "acme-ml-prod"
    endpoint        = "trip-fare-prod"
    reads           = { "training.data.source.uri" = "gs://acme-city-taxi-prod/trips/curated/" }
    writes          = { "inference.data_capture.destination_uri" = "gs://acme-city-taxi-prod/fares/capture/" }
    secrets         = ["chat-fares", "vertex-service-account-prod"]
    recording_rules = { "fares:server:up" = "vector(1)" }
    alerts = { fare-errors = {
      name    = "fare-errors", expr = "fares:server:up > 0", query = "vector(1) > 0", "for" = "5m", severity = "page", labels = { severity = "page", environment = "prod" },
      summary = "requests fail", description = "Too many.", runbook_url = null
    } }
  }
}

run "an_empty_project_gets_everything" {
  command = plan

  assert {
    condition     = output.store_uri == "gs://acme-ml-prod-city-taxi-trip-fare-prod" && module.artifact_store[0].uri == output.store_uri
    error_message = "The store is somewhere else: ${output.store_uri}."
  }
  assert {
    condition     = output.dags_folder == "gs://acme-ml-prod-city-taxi-trip-fare-prod-airflow/dags"
    error_message = "Airflow is somewhere else: ${output.dags_folder}."
  }
  assert {
    condition     = output.image_repository == "europe-west4-docker.pkg.dev/acme-ml-prod/city-taxi-trip-fare-prod/city-taxi-trip-fare-prod"
    error_message = "Images go somewhere else: ${output.image_repository}."
  }
  assert {
    condition     = output.execution_role == "city-taxi-trip-fare-prod-model@acme-ml-prod.iam.gserviceaccount.com" && output.airflow_service_account != output.execution_role
    error_message = "Models and Airflow have accounts of their own."
  }
  # The server's account is no secret to fill: jobs are told the one made here.
  assert {
    condition     = output.secrets_to_fill == tomap({ chat-fares = "mlops-city-taxi-trip-fare-prod-chat-fares" })
    error_message = "Other secrets are to be filled: ${jsonencode(output.secrets_to_fill)}."
  }
  assert {
    condition     = length(module.airflow) + length(module.network) + length(module.artifact_store) + length(module.image_repository) + length(module.monitoring) == 5
    error_message = "Of an empty project nothing is left out."
  }
  # The store's policy is kept whole, so a grant beside it would be taken away again.
  assert {
    condition     = local.packages_uri == null
    error_message = "Packages in our own store are granted by its policy."
  }
  assert {
    condition     = local.encryption_key == "projects/acme-ml-prod/locations/europe-west4/keyRings/city-taxi-trip-fare-prod/cryptoKeys/artifact-store"
    error_message = "One key is for all."
  }
}

run "an_organisation_with_its_own_uses_only_part" {
  command = plan
  variables {
    airflow               = null
    monitoring            = null
    execution_role_secret = null
    artifact_store        = { uri = "gs://acme-releases/configs" }
    image_repository      = { id = "projects/acme-images/locations/europe-west4/repositories/models" }
    job_runners           = { own = "serviceAccount:airflow@acme-platform.iam.gserviceaccount.com" }
    workflows             = {}
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
    condition     = output.store_uri == "gs://acme-releases/configs" && local.packages_uri == "gs://acme-releases/configs/city-taxi/models/"
    error_message = "What is there already is not used."
  }
  assert {
    condition     = output.airflow_url == null && output.dags_folder == null && output.image_repository == null && output.prometheus == null && output.secrets_to_fill == {}
    error_message = "An address is told of something that is not made here."
  }
  assert {
    condition     = local.encryption_key == null
    error_message = "There is nothing to encrypt."
  }
}

run "airflow_in_a_network_of_yours" {
  command = plan
  variables {
    network = { network = "projects/acme-net/global/networks/shared", subnetwork = "projects/acme-net/regions/europe-west4/subnetworks/ml" }
  }
  assert {
    condition     = length(module.network) == 0 && length(module.airflow) == 1
    error_message = "A network is made though there is one."
  }
}

run "jobs_that_run_elsewhere_need_no_requirements_and_no_internet" {
  command = plan
  variables {
    network = { internet = false }
    jobs    = { kubernetes_conn_id = "cluster", kubernetes_secrets = ["mlops"] }
  }
  assert {
    condition     = local.requirements == null
    error_message = "Workers make an environment for nobody."
  }
}

run "models_that_serve_elsewhere_read_no_packages" {
  command = plan
  variables {
    airflow               = null
    monitoring            = null
    execution_role_secret = null
    config = {
      project         = "city-taxi-in-a-very-large-town"
      model_name      = "trip-fare-with-surcharges"
      owner           = "fares@example.com"
      labels          = { "Team.Name" = "Fares & Co", "9lives" = "yes" }
      target          = "local"
      reads           = { "training.data.source.uri" = "file://./data/trips.csv" }
      writes          = {}
      secrets         = []
      recording_rules = {}
      alerts          = {}
    }
  }
  assert {
    condition     = local.packages_uri == null && !local.serves
    error_message = "Nothing is loaded where nothing serves."
  }
  assert {
    condition     = length(local.name) <= 40 && can(regex("^city-taxi-in-a-very-large-town-[0-9a-f]{8}$", local.name)) && length(local.store_bucket) <= 58
    error_message = "A long name is cut and keeps a digest: ${local.name}, ${local.store_bucket}."
  }
  assert {
    condition     = local.labels["team_name"] == "fares___co" && local.labels["l9lives"] == "yes"
    error_message = "Labels are written as Google Cloud takes them: ${jsonencode(local.labels)}."
  }
}

# bootstrap/gcp tells GitHub the same name: its own test has it too.
run "a_long_name_of_the_store_is_cut_as_bootstrap_cuts_it" {
  command = plan
  variables {
    environment           = "dev"
    name                  = "city-taxi-in-a-very-large-town-0123abcd"
    project_id            = "acme-ml-dev-of-a-very-long-1"
    mlops_config_path     = "configs/dev/"
    airflow               = null
    monitoring            = null
    execution_role_secret = null
    workflows             = {}
    release = {
      environment   = "dev"
      name          = "1.2.0"
      config_digest = "sha256:ee923f77332de84c7cc3c3a948c89c07ffb62ef0b75431bae8c7cd9665594239"
    }
    config = {
      project = "city-taxi", model_name = "trip-fare", owner = "fares@example.com", labels = {}, target = "local"
      reads   = {}, writes = {}, secrets = [], recording_rules = {}, alerts = {}
    }
  }
  assert {
    condition     = output.store_uri == "gs://acme-ml-dev-of-a-very-long-1-city-taxi-in-a-very-l-5ef1c9"
    error_message = "GitHub would be told another store: ${output.store_uri}."
  }
}

run "refuses_to_write_into_another_environment" {
  command = plan
  variables {
    config = {
      project = "city-taxi", model_name = "trip-fare", owner = "fares@example.com", labels = {}, target = "gcp"
      reads   = {}, secrets = ["vertex-service-account-prod"], recording_rules = {}, alerts = {}
      writes  = { "inference.batch.output_uri" = "gs://acme-city-taxi-staging/fares/" }
    }
  }
  expect_failures = [var.config]
}

run "refuses_what_no_project_or_region_is_called" {
  command = plan
  variables {
    project_id = "Acme ML"
    region     = "europe-west4-a"
  }
  expect_failures = [var.project_id, var.region]
}

run "each_refuses_one_mistake" {
  command = plan
  variables {
    # the release of another environment
    environment       = "dev"
    mlops_config_path = "configs/dev/"
    project_id        = "acme-ml"
    config = {
      project = "city-taxi", model_name = "trip-fare", owner = "fares@example.com", labels = {}, target = "local"
      reads   = {}, writes = {}, secrets = ["vertex-service-account-prod"], recording_rules = {}, alerts = {}
    }
    # half a network
    network = { network = "projects/acme-net/global/networks/shared" }
    # a label that is set here
    labels = { environment = "dev" }
    # everybody as a workflow
    workflows = { deploy = "allAuthenticatedUsers" }
    # a second airflow of one name
    job_runners = { airflow = "serviceAccount:airflow@acme-platform.iam.gserviceaccount.com" }
    # a short name
    name = "taxi"
  }
  expect_failures = [
    var.release, var.network, var.labels, var.workflows, var.job_runners, var.name,
  ]
}

run "each_refuses_a_second_mistake" {
  command = plan
  variables {
    # files of another environment
    mlops_config_path = "configs/dev/"
    # a project that the files do not mean
    project_id = "acme-other"
    # the store of another environment
    artifact_store = { uri = "gs://acme-releases-dev/configs" }
    # another region than the files say
    region = "europe-west1"
    # a secret that no file names
    execution_role_secret = "vertex"
    # workers that cannot install what jobs need
    network = { internet = false }
  }
  expect_failures = [
    var.mlops_config_path, var.project_id, var.artifact_store, var.region, var.execution_role_secret, var.network,
  ]
}

run "each_refuses_a_third_mistake" {
  command = plan
  variables {
    # a project named after another environment
    project_id = "acme-ml-dev"
    config = {
      project = "city-taxi", model_name = "trip-fare", owner = "fares@example.com", labels = {}, target = "gcp", project_id = "acme-ml-dev"
      reads   = {}, writes = {}, secrets = ["vertex-service-account-prod"], recording_rules = {}, alerts = {}
    }
    # a store that ends with a slash
    artifact_store = { uri = "gs://acme-releases/configs/" }
  }
  expect_failures = [
    var.project_id, var.artifact_store,
  ]
}

run "refuses_packages_in_a_registry" {
  command = plan
  variables {
    artifact_store = { uri = "oci://europe-west4-docker.pkg.dev/acme-images/configs" }
  }
  expect_failures = [var.packages_uri]
}

run "refuses_an_environment_in_capitals" {
  command = plan
  variables {
    environment = "PROD"
  }
  expect_failures = [var.environment]
}

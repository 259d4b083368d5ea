# With the example's terraform.tfvars.

mock_provider "google" {
  mock_resource "google_iam_workload_identity_pool" {
    defaults = { name = "projects/111122223333/locations/global/workloadIdentityPools/city-taxi" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-111122223333@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

run "services_a_bucket_for_states_and_accounts_for_github" {
  assert {
    condition     = output.backend == { dev = { bucket = "acme-ml-dev-terraform-state", prefix = "city-taxi/dev" } }
    error_message = "States lie somewhere else: ${jsonencode(output.backend)}."
  }
  assert {
    condition     = output.workflows.dev.deploy == "serviceAccount:city-taxi-dev-deploy@acme-ml-dev.iam.gserviceaccount.com"
    error_message = "The example's terraform.tfvars of dev names other accounts: ${jsonencode(output.workflows)}."
  }
  assert {
    condition     = output.github_variables.dev.MLOPS_GCP_PROVIDER == "projects/111122223333/locations/global/workloadIdentityPools/city-taxi/providers/github"
    error_message = "GitHub exchanges its tokens somewhere else: ${jsonencode(output.github_variables)}."
  }
  assert {
    condition = (
      output.github_variables.dev.MLOPS_STORE == "gs://acme-ml-dev-city-taxi-trip-fare-dev" &&
      output.github_variables.dev.MLOPS_REGISTRY == "europe-west4-docker.pkg.dev" &&
      output.github_variables.dev.MLOPS_IMAGE == "europe-west4-docker.pkg.dev/acme-ml-dev/city-taxi-trip-fare-dev/city-taxi-trip-fare-dev"
    )
    error_message = "Releases would go somewhere else: ${jsonencode(output.github_variables)}."
  }
  assert {
    condition     = alltrue([for service in ["iamcredentials", "sts", "composer", "secretmanager", "cloudkms", "aiplatform", "containerscanning"] : contains(keys(google_project_service.this), "${service}.googleapis.com")]) && alltrue([for each in google_project_service.this : !each.disable_on_destroy])
    error_message = "A service is missing, or would be switched off for others."
  }
  assert {
    condition     = google_project_default_service_accounts.this[0].action == "DEPRIVILEGE"
    error_message = "Default accounts would stay editors."
  }

  # Whoever deploys may change buckets by the beginning of their names.
  assert {
    condition     = local.bucket_prefixes == tolist(["acme-ml-dev-city-taxi-"])
    error_message = "Deploying may change other buckets: ${jsonencode(local.bucket_prefixes)}."
  }
}

run "a_long_name_is_cut_as_the_root_cuts_it" {
  command = plan
  variables {
    project_id   = "acme-ml-dev-of-a-very-long-1"
    environments = { dev = { publish_refs = [], name = "city-taxi-in-a-very-large-town-0123abcd" } }
  }
  assert {
    condition     = output.github_variables.dev.MLOPS_STORE == "gs://acme-ml-dev-of-a-very-long-1-city-taxi-in-a-very-l-5ef1c9"
    error_message = "Releases would go somewhere else: ${output.github_variables.dev.MLOPS_STORE}."
  }
}

run "a_cut_name_begins_with_what_deploying_may_change" {
  command = plan
  variables {
    name         = "city-taxis-of-very-large-towns"
    project_id   = "acme-ml-dev-of-a-very-long-1"
    environments = { dev = { publish_refs = [], name = "city-taxis-of-very-large-towns-0123abcd" } }
  }
  assert {
    condition = alltrue([for prefix in local.bucket_prefixes :
      length(prefix) == 48 && startswith(output.github_variables.dev.MLOPS_STORE, "gs://${prefix}")
    ])
    error_message = "Deploying could not make ${output.github_variables.dev.MLOPS_STORE}: ${jsonencode(local.bucket_prefixes)}."
  }
}

run "an_environment_with_a_name_of_its_own_has_its_own_buckets_and_secrets" {
  command = plan
  variables {
    environments = {
      dev     = { publish_refs = [], name = "city-taxi-trip-fare-dev" }
      staging = { publish_refs = [], name = "fares-staging" }
    }
  }
  assert {
    condition     = local.bucket_prefixes == tolist(["acme-ml-dev-city-taxi-", "acme-ml-dev-fares-staging"])
    error_message = "Deploying may change other buckets: ${jsonencode(local.bucket_prefixes)}."
  }
  # What its root writes for Airflow: without these a plan cannot read what is there.
  assert {
    condition     = local.secrets_prefixes.dev == null && local.secrets_prefixes.staging == "airflow-fares-staging"
    error_message = "Plans may read other secrets: ${jsonencode(local.secrets_prefixes)}."
  }
}

run "what_is_yours_is_named" {
  command = plan
  variables {
    environments = {
      dev     = { publish_refs = [], name = "city-taxi-trip-fare-dev" }
      staging = { publish_refs = [], name = "city-taxi-trip-fare-staging", store = "gs://acme-ml-dev-city-taxi-releases/staging" }
    }
    store            = { bucket = "acme-releases", prefix = "fares" }
    image_repository = "projects/acme-images/locations/europe/repositories/ml"
  }
  assert {
    condition = (
      output.github_variables.dev.MLOPS_STORE == "gs://acme-releases/fares" &&
      output.github_variables.staging.MLOPS_STORE == "gs://acme-ml-dev-city-taxi-releases/staging" &&
      output.github_variables.dev.MLOPS_REGISTRY == "europe-docker.pkg.dev" &&
      output.github_variables.dev.MLOPS_IMAGE == "europe-docker.pkg.dev/acme-images/ml/city-taxi-trip-fare-dev"
    )
    error_message = "Releases would go somewhere else: ${jsonencode(output.github_variables)}."
  }
}

run "without_an_environments_name_nothing_is_made_up" {
  command = plan
  variables {
    environments = { dev = { publish_refs = [] } }
  }
  assert {
    condition     = length(setintersection(["MLOPS_STORE", "MLOPS_IMAGE"], keys(output.github_variables.dev))) == 0
    error_message = "Names were made up: ${jsonencode(output.github_variables)}."
  }
}

run "a_name_that_no_root_has_is_refused" {
  command = plan
  variables {
    environments = { dev = { publish_refs = [], name = "Dev" } }
  }
  expect_failures = [var.environments]
}

run "names_with_three_beginnings_are_refused" {
  command = plan
  variables {
    environments = {
      dev     = { publish_refs = [], name = "city-taxi-trip-fare-dev" }
      staging = { publish_refs = [], name = "fares-staging" }
      load    = { publish_refs = [], name = "fares-load" }
    }
  }
  expect_failures = [var.environments]
}

run "a_store_that_is_none_is_refused" {
  command = plan
  variables {
    environments = { dev = { publish_refs = [], store = "s3://acme-releases/" } }
  }
  expect_failures = [var.environments]
}

run "an_organisation_that_has_done_so_changes_no_default_accounts" {
  command = plan
  variables {
    deprivilege_default_service_accounts = false
  }
  assert {
    condition     = length(google_project_default_service_accounts.this) == 0
    error_message = "Default accounts are touched."
  }
}

run "prod_beside_another_environment_is_refused" {
  command = plan
  variables {
    environments = { dev = { publish_refs = [] }, prod = { publish_refs = [] } }
  }
  expect_failures = [var.environments]
}

run "names_and_projects_that_are_none_are_refused" {
  command = plan
  variables {
    name       = "City"
    project_id = "123"
    region     = "eu"
    state_days = 1
  }
  expect_failures = [var.name, var.project_id, var.region, var.state_days]
}

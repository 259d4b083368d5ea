mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      name   = "projects/acme-ml-prod/serviceAccounts/model@acme-ml-prod.iam.gserviceaccount.com"
      email  = "model@acme-ml-prod.iam.gserviceaccount.com"
      member = "serviceAccount:model@acme-ml-prod.iam.gserviceaccount.com"
    }
  }
  mock_data "google_project" {
    defaults = { number = "111122223333" }
  }
}

variables {
  name             = "city-taxi-trip-fare-prod"
  environment      = "prod"
  labels           = { team = "fares" }
  project_id       = "acme-ml-prod"
  endpoint         = "trip-fare-prod"
  packages_uri     = "gs://acme-mlops-prod/configs/city-taxi/models/"
  image_repository = "projects/acme-ml-prod/locations/europe-west4/repositories/city-taxi-prod"
  reads = {
    "training.data.source.uri"          = "gs://acme-city-taxi-prod/trips/curated/"
    "monitoring.performance.labels_uri" = "gs://acme-city-taxi-prod/trips/paid-fares"
    "inference.batch.input_uri"         = "s3://acme-city-taxi-prod/trips/to-price/"
  }
  writes = {
    "inference.data_capture.destination_uri" = "gs://acme-city-taxi-prod/fares/capture/"
    "inference.batch.output_uri"             = "file://./build/predictions/"
  }
  job_runners = { airflow = "serviceAccount:airflow@acme-ml-prod.iam.gserviceaccount.com" }
  deployers   = { rollback = "serviceAccount:rollback@acme-ml-prod.iam.gserviceaccount.com" }
}

run "grants_what_the_configuration_names_and_nothing_else" {
  assert {
    condition = toset(keys(google_storage_bucket_iam_member.read)) == toset([
      "airflow monitoring.performance.labels_uri", "airflow packages", "airflow training.data.source.uri", "model packages",
    ])
    error_message = "Each gs:// key of reads is a grant of its own for whoever runs jobs; the model reads its package alone."
  }
  assert {
    condition     = google_storage_bucket_iam_member.read["airflow training.data.source.uri"].condition[0].expression == "resource.name == \"projects/_/buckets/acme-city-taxi-prod\" || resource.name.startsWith(\"projects/_/buckets/acme-city-taxi-prod/objects/trips/curated/\")"
    error_message = "Reading ends at the key's prefix."
  }
  assert {
    condition     = strcontains(google_storage_bucket_iam_member.read["airflow monitoring.performance.labels_uri"].condition[0].expression, "startsWith(\"projects/_/buckets/acme-city-taxi-prod/objects/trips/paid-fares/\")")
    error_message = "A folder without a slash at its end must not open its neighbours."
  }
  assert {
    condition     = alltrue([for each in google_storage_bucket_iam_member.read : each.role == "roles/storage.objectViewer"])
    error_message = "What is read may only be read."
  }
  assert {
    condition = (
      toset(keys(google_storage_bucket_iam_member.write)) == toset(["airflow inference.data_capture.destination_uri", "model inference.data_capture.destination_uri"])
      && alltrue([for each in google_storage_bucket_iam_member.write : each.role == "roles/storage.objectUser"])
    )
    error_message = "What is written may be written, on this cloud only."
  }
  assert {
    condition = (
      google_storage_bucket_iam_member.publish["airflow"].role == "roles/storage.objectCreator"
      && strcontains(google_storage_bucket_iam_member.publish["airflow"].condition[0].expression, "/objects/configs/city-taxi/models/")
    )
    error_message = "Packages are created, never replaced."
  }
  assert {
    condition     = alltrue([for each in concat(values(google_storage_bucket_iam_member.read), values(google_storage_bucket_iam_member.write)) : length(each.condition) == 1])
    error_message = "No grant on a bucket is without a condition."
  }

  # Lets runners and deployers act as the account and nobody else.
  assert {
    condition     = toset(keys(google_service_account_iam_member.act_as)) == toset(["airflow", "rollback"]) && toset(keys(google_project_iam_member.deploy)) == toset(["airflow", "rollback"])
    error_message = "Those who deploy may act as the account."
  }
  assert {
    condition     = alltrue([for each in google_project_iam_member.deploy : each.role == "roles/aiplatform.user"])
    error_message = "Deploying needs aiplatform.user and no more."
  }
  assert {
    condition     = !anytrue([for each in concat(values(google_storage_bucket_iam_member.read), values(google_storage_bucket_iam_member.write)) : strcontains(each.member, "rollback@")])
    error_message = "Moving traffic needs no data."
  }
  assert {
    condition     = toset([for each in google_project_iam_member.model : each.role]) == toset(["roles/logging.logWriter", "roles/monitoring.metricWriter"])
    error_message = "The model's account writes logs and metrics in its project, and no more."
  }

  # Reads images of its own project.
  assert {
    condition = (
      length(google_artifact_registry_repository_iam_member.vertex_pull) == 0
      && google_artifact_registry_repository_iam_member.pull["model"].role == "roles/artifactregistry.reader"
      && google_artifact_registry_repository_iam_member.pull["model"].repository == "city-taxi-prod"
    )
    error_message = "Vertex AI's agent reads its own project's repositories without a grant."
  }
  assert {
    condition     = output.execution_role == "city-taxi-trip-fare-prod-model@acme-ml-prod.iam.gserviceaccount.com"
    error_message = "The execution role is the account's address."
  }
}

run "says_in_a_plan_which_key_a_grant_comes_from_and_whose_it_is" {
  command = plan

  assert {
    condition     = google_storage_bucket_iam_member.read["model packages"].member == "serviceAccount:city-taxi-trip-fare-prod-model@acme-ml-prod.iam.gserviceaccount.com"
    error_message = "The account's address is known before it is made."
  }
  assert {
    condition     = google_storage_bucket_iam_member.write["airflow inference.data_capture.destination_uri"].condition[0].title == "write inference.data_capture.destination_uri"
    error_message = "The condition's title is the key."
  }
}

run "lets_vertex_ai_pull_from_another_project" {
  variables {
    image_repository = "projects/acme-images/locations/europe-west4/repositories/city-taxi"
  }
  assert {
    condition     = google_artifact_registry_repository_iam_member.vertex_pull[0].member == "serviceAccount:service-111122223333@gcp-sa-aiplatform.iam.gserviceaccount.com" && google_artifact_registry_repository_iam_member.vertex_pull[0].project == "acme-images"
    error_message = "Vertex AI pulls as its service agent."
  }
}

run "lets_vertex_ai_use_the_keys" {
  variables {
    encryption_keys = ["projects/acme-ml-prod/locations/europe-west4/keyRings/mlops/cryptoKeys/models"]
  }
  assert {
    condition     = google_kms_crypto_key_iam_member.vertex["0"].role == "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    error_message = "Encrypted models need their key."
  }
}

run "works_without_images_data_or_anybody" {
  variables {
    image_repository = null
    endpoint         = null
    labels           = {}
    packages_uri     = null
    reads            = {}
    writes           = {}
    job_runners      = {}
    deployers        = {}
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.read) == 0 && length(google_artifact_registry_repository_iam_member.pull) == 0
    error_message = "Nothing named, nothing granted."
  }
}

run "stops_at_the_wildcard" {
  variables {
    reads = { "training.data.source.uri" = "gs://acme-city-taxi-prod/trips/2026-*/part-?.parquet" }
  }
  assert {
    condition     = endswith(google_storage_bucket_iam_member.read["airflow training.data.source.uri"].condition[0].expression, "startsWith(\"projects/_/buckets/acme-city-taxi-prod/objects/trips/2026-\")")
    error_message = "What a wildcard matches lies behind what is before it."
  }
}

run "shortens_a_long_name" {
  variables {
    name = "city-taxi-trip-fare-prediction-with-surge-prod"
  }
  assert {
    condition     = can(regex("^city-taxi-trip-fa-[0-9a-f]{6}-model$", google_service_account.model.account_id)) && length(google_service_account.model.account_id) <= 30
    error_message = "A service account's id has at most 30 letters, and differs where the name differs."
  }
}

run "refuses_a_path_to_write" {
  command = plan
  variables {
    writes = { "inference.batch.output_uri" = "predictions/" }
  }
  expect_failures = [var.writes]
}

run "each_refuses_one_mistake" {
  command = plan
  variables {
    # a name with capitals
    name = "City-Taxi"
    # an environment with a space
    environment = "pro d"
    # a project number
    project_id = "111122223333"
    # a path to read
    reads = { "training.data.source.uri" = "data/trips.csv" }
    # to write to a whole bucket
    writes = { "inference.batch.output_uri" = "gs://acme-city-taxi-prod/" }
    # an image instead of a repository
    image_repository = "europe-west4-docker.pkg.dev/acme-ml-prod/city-taxi-prod"
    # a key ring as key
    encryption_keys = ["projects/acme-ml-prod/locations/europe-west4/keyRings/mlops"]
    # packages in a whole bucket
    packages_uri = "gs://acme-mlops-prod/"
    # everybody as runner
    job_runners = { all = "allUsers" }
    # everybody as deployer
    deployers = { all = "allAuthenticatedUsers" }
  }
  expect_failures = [
    var.name, var.environment, var.project_id, var.reads, var.writes, var.image_repository, var.encryption_keys, var.packages_uri, var.job_runners, var.deployers,
  ]
}

run "each_refuses_a_second_mistake" {
  command = plan
  variables {
    # a quote that would end the condition
    reads = { "training.data.source.uri" = "gs://acme-city-taxi-prod/x\") || true || resource.name.startsWith(\"" }
    # a wildcard to write to
    writes = { "inference.batch.output_uri" = "gs://acme-city-taxi-prod/fares/*" }
  }
  expect_failures = [
    var.reads, var.writes,
  ]
}

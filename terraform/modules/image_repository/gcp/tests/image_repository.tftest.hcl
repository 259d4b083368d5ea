mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "111122223333" }
  }
}

variables {
  name            = "city-taxi-trip-fare-prod"
  environment     = "prod"
  labels          = { team = "fares" }
  project_id      = "acme-ml-prod"
  region          = "europe-west4"
  repository_name = "city-taxi-prod"
  writers         = ["serviceAccount:publish@acme-ml-prod.iam.gserviceaccount.com"]
  readers         = ["serviceAccount:jobs@acme-ml-prod.iam.gserviceaccount.com"]
}

run "keeps_what_an_environment_runs" {
  assert {
    condition     = google_artifact_registry_repository.this.docker_config[0].immutable_tags && google_artifact_registry_repository.this.format == "DOCKER"
    error_message = "A tag stays where it was put."
  }
  assert {
    condition     = google_artifact_registry_repository.this.vulnerability_scanning_config[0].enablement_config == "INHERITED"
    error_message = "Images are scanned where the project scans."
  }
  assert {
    condition = (
      [for policy in google_artifact_registry_repository.this.cleanup_policies : one(policy.condition).tag_state if policy.action == "DELETE"] == ["UNTAGGED"]
      && [for policy in google_artifact_registry_repository.this.cleanup_policies : one(policy.condition).older_than if policy.action == "DELETE"] == ["1209600s"]
    )
    error_message = "Only what has no tag is deleted, two weeks later."
  }
  assert {
    condition     = [for policy in google_artifact_registry_repository.this.cleanup_policies : one(policy.condition).tag_state if policy.action == "KEEP"] == ["TAGGED"] && !google_artifact_registry_repository.this.cleanup_policy_dry_run
    error_message = "What has a tag is kept whatever other rules say."
  }
  assert {
    condition = (
      [for each in google_artifact_registry_repository_iam_member.writer : "${each.role} ${each.member}"] == ["roles/artifactregistry.writer serviceAccount:publish@acme-ml-prod.iam.gserviceaccount.com"]
      && [for each in google_artifact_registry_repository_iam_member.reader : "${each.role} ${each.member}"] == ["roles/artifactregistry.reader serviceAccount:jobs@acme-ml-prod.iam.gserviceaccount.com"]
    )
    error_message = "Writers push, readers pull, and nobody deletes."
  }
  assert {
    condition     = output.repository_url == "europe-west4-docker.pkg.dev/acme-ml-prod/city-taxi-prod/city-taxi-prod" && output.arn_or_id == "projects/acme-ml-prod/locations/europe-west4/repositories/city-taxi-prod"
    error_message = "The outputs say where images go."
  }
  assert {
    condition     = length(google_kms_crypto_key_iam_member.registry) == 0 && google_artifact_registry_repository.this.labels == tomap({ team = "fares", environment = "prod" })
    error_message = "Without a key nothing is granted on one."
  }
}

run "encrypts_with_a_key_that_is_given" {
  variables {
    encryption_key = "projects/acme-ml-prod/locations/europe-west4/keyRings/city-taxi/cryptoKeys/artifact-store"
    writers        = []
    readers        = []
  }
  assert {
    condition = (
      google_artifact_registry_repository.this.kms_key_name == var.encryption_key
      && google_kms_crypto_key_iam_member.registry[0].member == "serviceAccount:service-111122223333@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    )
    error_message = "Artifact Registry's agent may use the key."
  }
  assert {
    condition     = length(google_artifact_registry_repository_iam_member.writer) == 0 && length(google_artifact_registry_repository_iam_member.reader) == 0
    error_message = "Nobody named, nobody granted."
  }
}

run "refuses_each_wrong_value" {
  command = plan
  variables {
    name            = "City-Taxi"
    environment     = "pro d"
    labels          = { team = "Fares" }
    project_id      = "111122223333"
    region          = "europe"
    repository_name = "city_taxi"
    untagged_days   = 0
    writers         = ["allUsers"]
    readers         = ["allAuthenticatedUsers"]
    encryption_key  = "city-taxi"
  }
  expect_failures = [
    var.name, var.environment, var.labels, var.project_id, var.region, var.repository_name, var.untagged_days,
    var.writers, var.readers, var.encryption_key,
  ]
}

mock_provider "google" {
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-111122223333@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  name        = "city-taxi-trip-fare-prod"
  environment = "prod"
  labels      = { team = "fares" }
  project_id  = "acme-ml-prod"
  region      = "europe-west4"
  bucket_name = "acme-ml-prod-configs"
  prefix      = "configs"
  writers     = ["serviceAccount:publish@acme-ml-prod.iam.gserviceaccount.com"]
  readers     = ["serviceAccount:deploy@acme-ml-prod.iam.gserviceaccount.com"]
}

run "keeps_a_bucket_that_loses_nothing" {
  assert {
    condition = (
      google_storage_bucket.this.uniform_bucket_level_access && google_storage_bucket.this.public_access_prevention == "enforced"
      && google_storage_bucket.logs.uniform_bucket_level_access && google_storage_bucket.logs.public_access_prevention == "enforced"
    )
    error_message = "No bucket has access lists or can be made public."
  }
  assert {
    condition     = google_storage_bucket.this.versioning[0].enabled && google_storage_bucket.this.soft_delete_policy[0].retention_duration_seconds == 2592000
    error_message = "What was replaced stays a version, and what was deleted comes back for a month."
  }
  assert {
    condition     = !google_storage_bucket.this.force_destroy && google_storage_bucket.this.deletion_policy == "PREVENT" && google_kms_crypto_key.this[0].deletion_policy == "PREVENT"
    error_message = "Terraform destroys neither the bucket nor its key."
  }
  assert {
    condition = (
      google_storage_bucket.this.encryption[0].default_kms_key_name == "projects/acme-ml-prod/locations/europe-west4/keyRings/city-taxi-trip-fare-prod/cryptoKeys/artifact-store"
      && google_kms_crypto_key_iam_member.storage.member == "serviceAccount:service-111122223333@gs-project-accounts.iam.gserviceaccount.com"
    )
    error_message = "Objects are encrypted with the store's own key, which Cloud Storage may use."
  }
  assert {
    condition     = google_storage_bucket.this.logging[0].log_bucket == "acme-ml-prod-configs-logs" && google_storage_bucket_iam_member.logs.role == "roles/storage.objectCreator"
    error_message = "Access is logged, into a bucket that logs can only be added to."
  }
  assert {
    condition = toset([
      for rule in google_storage_bucket.this.lifecycle_rule : one(rule.action).type
      if one(rule.condition).with_state != "ARCHIVED"
    ]) == toset(["AbortIncompleteMultipartUpload"])
    error_message = "No rule deletes what is current."
  }
  assert {
    condition     = google_storage_bucket.this.labels == tomap({ team = "fares", environment = "prod" }) && google_storage_bucket.this.location == "EUROPE-WEST4"
    error_message = "Labels and place are those that were asked for."
  }
  assert {
    condition     = output.uri == "gs://acme-ml-prod-configs/configs" && output.bucket == "acme-ml-prod-configs" && output.arn_or_id == "projects/_/buckets/acme-ml-prod-configs"
    error_message = "The outputs say where the store is."
  }

  # Lets writers create and move the pointer only.
  assert {
    condition = toset([
      for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding.role
      if contains(binding.members, "serviceAccount:publish@acme-ml-prod.iam.gserviceaccount.com")
    ]) == toset(["roles/storage.objectViewer", "roles/storage.objectCreator", "roles/storage.objectUser"])
    error_message = "Writers read, create, and replace under a condition."
  }
  assert {
    condition = [
      for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding.condition.expression
      if binding.role == "roles/storage.objectUser"
    ] == ["resource.name.startsWith(\"projects/_/buckets/acme-ml-prod-configs/objects/configs/\") && resource.name.endsWith(\"/current.json\") && resource.name.extract(\"/environments/{environment}/current.json\") != \"\""]
    error_message = "Only current.json of an environment may be replaced."
  }
  assert {
    condition = [
      for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding.condition.expression
      if binding.role == "roles/storage.objectCreator"
    ] == ["resource.name.startsWith(\"projects/_/buckets/acme-ml-prod-configs/objects/configs/\")"]
    error_message = "Writers create inside of the store and nowhere else."
  }
  assert {
    condition = [
      for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding.role
      if contains(binding.members, "serviceAccount:deploy@acme-ml-prod.iam.gserviceaccount.com")
    ] == ["roles/storage.objectViewer"]
    error_message = "Readers read."
  }
  assert {
    condition = [
      for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding.members
      if binding.role == "roles/storage.admin"
    ] == [["projectOwner:acme-ml-prod"]]
    error_message = "Without administrators the project's owners can still change the policy; its editors cannot."
  }
}

run "takes_what_exists" {
  variables {
    prefix         = ""
    encryption_key = "projects/acme-keys/locations/europe-west4/keyRings/ml/cryptoKeys/store"
    administrators = ["group:platform@example.com"]
    writers        = []
    readers        = []
  }
  assert {
    condition     = length(google_kms_crypto_key.this) == 0 && length(google_kms_key_ring.this) == 0 && output.encryption_key == "projects/acme-keys/locations/europe-west4/keyRings/ml/cryptoKeys/store"
    error_message = "A key that is given is used, and none is made."
  }
  assert {
    condition     = jsondecode(google_storage_bucket_iam_policy.this[0].policy_data) == { bindings = [{ role = "roles/storage.admin", members = ["group:platform@example.com"] }] }
    error_message = "Nobody named, nobody granted but the administrators."
  }
  assert {
    condition     = output.uri == "gs://acme-ml-prod-configs"
    error_message = "Without a prefix the store is the bucket."
  }
}

run "keeps_a_state_without_a_policy_of_its_own" {
  variables {
    state_like = true
    writers    = []
    readers    = []
  }
  assert {
    condition     = length(google_storage_bucket_iam_policy.this) == 0 && google_storage_bucket.this.versioning[0].enabled
    error_message = "A state is granted beside its bucket, and its versions stay."
  }
}

run "refuses_each_wrong_value" {
  command = plan
  variables {
    name             = "City-Taxi"
    environment      = "pro d"
    labels           = { Team = "fares" }
    project_id       = "111122223333"
    region           = "EU"
    bucket_name      = "acme_ml"
    prefix           = "/configs\") || true"
    writers          = ["allUsers"]
    readers          = ["allAuthenticatedUsers"]
    administrators   = ["projectEditor:acme-ml-prod"]
    noncurrent_days  = 7
    access_log_days  = 0
    soft_delete_days = 0
    encryption_key   = "projects/acme-keys/locations/europe-west4/keyRings/ml"
  }
  expect_failures = [
    var.name, var.environment, var.labels, var.project_id, var.region, var.bucket_name, var.prefix, var.writers,
    var.readers, var.administrators, var.noncurrent_days, var.access_log_days, var.soft_delete_days,
    var.encryption_key,
  ]
}

run "refuses_grants_on_a_whole_bucket_of_states" {
  command = plan
  variables {
    state_like = true
  }
  expect_failures = [var.state_like]
}

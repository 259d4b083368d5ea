# The state that is there before any environment is, and a store and a repository that somebody else made.

locals {
  state_objects = { for name in keys(var.environments) : name => "projects/_/buckets/${var.state.bucket}/objects/${var.state.prefix}/${name}/" }
  state_bucket  = "resource.name == \"projects/_/buckets/${var.state.bucket}\""

  store_objects = var.store == null ? "" : "projects/_/buckets/${var.store.bucket}/objects/${var.store.prefix}/"
  store_inside  = "resource.name.startsWith(\"${local.store_objects}\")"
  store_writers = var.store == null ? {} : { for name, account in local.accounts : name => account if account.kind != "plan" }
  store_readers = var.store == null ? {} : local.accounts

  repository = var.image_repository == null ? null : split("/", var.image_repository)
  images     = local.repository == null ? {} : local.accounts
}

resource "google_storage_bucket_iam_member" "state" {
  for_each = local.readers

  bucket = var.state.bucket
  role   = each.value.kind == "plan" ? "roles/storage.objectViewer" : "roles/storage.objectUser"
  member = local.members[each.key]

  condition {
    title       = "state of ${each.value.environment}"
    description = "No other environment's state. Listing is asked for on the bucket."
    expression  = "${local.state_bucket} || resource.name.startsWith(\"${local.state_objects[each.value.environment]}\")"
  }

  depends_on = [google_service_account.this]
}

# A plan takes the lock too, so that it never reads a state that is being written.
resource "google_project_iam_custom_role" "lock" {
  project     = var.project_id
  role_id     = "${local.role_prefix}Lock"
  title       = "${var.name}: takes and frees the state's lock"
  permissions = ["storage.objects.create", "storage.objects.delete"]
}

resource "google_storage_bucket_iam_member" "lock" {
  for_each = { for name, account in local.accounts : name => account if account.kind == "plan" }

  bucket = var.state.bucket
  role   = google_project_iam_custom_role.lock.name
  member = local.members[each.key]

  condition {
    title       = "lock of ${each.value.environment}"
    description = "The lock, and not the state."
    expression  = "resource.name.startsWith(\"${local.state_objects[each.value.environment]}\") && resource.name.endsWith(\".tflock\")"
  }

  depends_on = [google_service_account.this]
}

resource "google_storage_bucket_iam_member" "store_read" {
  for_each = local.store_readers

  bucket = var.store.bucket
  role   = "roles/storage.objectViewer"
  member = local.members[each.key]

  condition {
    title       = "read releases"
    description = "Listing is asked for on the bucket."
    expression  = "resource.name == \"projects/_/buckets/${var.store.bucket}\" || ${local.store_inside}"
  }

  depends_on = [google_service_account.this]
}

# Bundles, releases and ledger entries are created and never replaced: that would need the right to delete.
resource "google_storage_bucket_iam_member" "store_create" {
  for_each = local.store_writers

  bucket = var.store.bucket
  role   = "roles/storage.objectCreator"
  member = local.members[each.key]

  condition {
    title       = "create in the store"
    description = "Creating never replaces."
    expression  = local.store_inside
  }

  depends_on = [google_service_account.this]
}

resource "google_storage_bucket_iam_member" "store_pointer" {
  for_each = { for name, account in local.store_writers : name => account if account.kind != "deploy" }

  bucket = var.store.bucket
  role   = "roles/storage.objectUser"
  member = local.members[each.key]

  condition {
    title       = "move the pointer of ${each.value.environment}"
    description = "environments/<environment>/current.json says which release is in force."
    expression  = "${local.store_inside} && resource.name.endsWith(\"/environments/${each.value.environment}/current.json\")"
  }

  depends_on = [google_service_account.this]
}

resource "google_artifact_registry_repository_iam_member" "images" {
  for_each = local.images

  project    = local.repository[1]
  location   = local.repository[3]
  repository = local.repository[5]
  role       = each.value.kind == "publish" ? "roles/artifactregistry.writer" : "roles/artifactregistry.reader"
  member     = local.members[each.key]

  depends_on = [google_service_account.this]
}

# A key for this store, unless one is given. A key's versions are destroyed a month after somebody asks for it, and
# Terraform never asks.

locals {
  # Written out, not taken from the resource: so other modules can count on it before the key is there.
  own_key        = "projects/${var.project_id}/locations/${var.region}/keyRings/${var.name}/cryptoKeys/artifact-store"
  encryption_key = var.encryption_key == null ? local.own_key : var.encryption_key
}

resource "google_kms_key_ring" "this" {
  count = var.encryption_key == null ? 1 : 0

  project  = var.project_id
  name     = var.name
  location = var.region
}

resource "google_kms_crypto_key" "this" {
  #checkov:skip=CKV_GCP_82:deletion_policy keeps the provider from destroying it, which lifecycle.prevent_destroy would do for tests as well
  count = var.encryption_key == null ? 1 : 0

  name                       = "artifact-store"
  key_ring                   = google_kms_key_ring.this[0].id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s" # 90 days; what was encrypted before stays readable
  destroy_scheduled_duration = "2592000s"
  deletion_policy            = "PREVENT"
  labels                     = local.labels
}

# Cloud Storage encrypts as an account of its own, which this data source also makes where it is not there yet.
data "google_storage_project_service_account" "this" {
  project = var.project_id
}

resource "google_kms_crypto_key_iam_member" "storage" {
  crypto_key_id = var.encryption_key == null ? google_kms_crypto_key.this[0].id : var.encryption_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
}

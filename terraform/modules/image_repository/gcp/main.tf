# An Artifact Registry repository for an environment's images. A tag is given once and stays where it is, images are
# scanned when they arrive, and what nobody tagged is deleted after a while. What an environment runs always has a tag,
# its commit's (`mlops-config release` pushes it), and a rule keeps whatever has one: no cleanup can take away the image
# that a release, or a rollback to an old one, needs. Nobody who pushes may delete.

locals {
  labels = merge(var.labels, { environment = var.environment })
}

resource "google_artifact_registry_repository" "this" {
  #checkov:skip=CKV_GCP_84:encryption_key is the caller's choice; the modules' environment gives the store's key
  project                = var.project_id
  location               = var.region
  repository_id          = var.repository_name
  description            = "Images of ${var.name}"
  format                 = "DOCKER"
  mode                   = "STANDARD_REPOSITORY"
  kms_key_name           = var.encryption_key
  labels                 = local.labels
  cleanup_policy_dry_run = false

  docker_config {
    immutable_tags = true
  }

  # Scanned where containerscanning.googleapis.com is enabled in the project.
  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }

  cleanup_policies {
    id     = "delete-untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "${var.untagged_days * 24 * 60 * 60}s"
    }
  }

  # Keeping goes before deleting, whatever else somebody adds here.
  cleanup_policies {
    id     = "keep-tagged"
    action = "KEEP"

    condition {
      tag_state = "TAGGED"
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.registry]
}

# By number, since who a service account is may not be known before an apply. Each grant is for itself: other modules
# grant on this repository too.
resource "google_artifact_registry_repository_iam_member" "writer" {
  for_each = { for number, member in var.writers : tostring(number) => member }

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.this.name
  role       = "roles/artifactregistry.writer" # pushes and pulls; deleting would be repoAdmin
  member     = each.value
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  for_each = { for number, member in var.readers : tostring(number) => member }

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.this.name
  role       = "roles/artifactregistry.reader"
  member     = each.value
}

data "google_project" "this" {
  count = var.encryption_key == null ? 0 : 1

  project_id = var.project_id
}

# Artifact Registry encrypts as an account of its own.
# https://cloud.google.com/artifact-registry/docs/cmek
resource "google_kms_crypto_key_iam_member" "registry" {
  count = var.encryption_key == null ? 0 : 1

  crypto_key_id = var.encryption_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${data.google_project.this[0].number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
}

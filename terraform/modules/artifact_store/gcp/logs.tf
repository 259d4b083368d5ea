# Who read and wrote what, as Cloud Storage tells it each hour.

resource "google_storage_bucket" "logs" {
  #checkov:skip=CKV_GCP_62:a bucket of logs that logs itself would never come to an end
  #checkov:skip=CKV_GCP_78:logs are written once, and a deleted one comes back from soft deletion
  project                     = var.project_id
  name                        = "${var.bucket_name}-logs"
  location                    = upper(var.region)
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = local.labels

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 60 * 60
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.access_log_days
    }
  }
}

# The group that Cloud Storage delivers logs as. It holds Google's own service and nobody else; an organisation that
# restricts members to its domains has to allow it.
# https://cloud.google.com/storage/docs/access-logs#delivery
resource "google_storage_bucket_iam_member" "logs" {
  bucket = google_storage_bucket.logs.name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}

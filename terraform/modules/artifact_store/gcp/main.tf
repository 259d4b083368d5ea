# A bucket for bundles, release records and ledgers in which nothing is replaced or deleted by those who use it: writers
# may create objects, and Cloud Storage counts replacing as deleting, which they may not. The one object that changes is
# <project>/environments/<environment>/current.json, and a condition lets them replace that one. The bucket's policy is
# kept whole: a grant that somebody adds by hand, or that Cloud Storage gave to the project's editors, is taken away by
# the next apply. Versions, deletions undone for a month, encryption with a key of its own, no public access, no access
# lists, access logs. Cloud Storage itself answers nothing but TLS 1.2 and later. It has no rule that holds for
# administrators too, except a retention period, and that would keep current.json from changing.
# With state_like the same bucket holds Terraform's state: it may be overwritten, its versions stay.

locals {
  labels = merge(var.labels, { environment = var.environment })
  folder = var.prefix == "" ? "" : "${var.prefix}/"
}

resource "google_storage_bucket" "this" {
  project                     = var.project_id
  name                        = var.bucket_name
  location                    = upper(var.region)
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  deletion_policy             = "PREVENT"
  labels                      = local.labels

  versioning {
    enabled = true
  }

  encryption {
    default_kms_key_name = local.encryption_key
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 60 * 60
  }

  logging {
    log_bucket        = google_storage_bucket.logs.name
    log_object_prefix = "gcs"
  }

  # Only what is not current is ever removed: here the former contents of current.json, for no other key has any.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      with_state                 = "ARCHIVED"
      days_since_noncurrent_time = var.noncurrent_days
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.storage]
}

# Composer's bucket: DAGs, deployments, logs, snapshots. Everything in it can be made again from the store.

resource "google_storage_bucket" "dags" {
  #checkov:skip=CKV_GCP_62:it holds copies of what the store has and Airflow's own logs; access to the store is logged
  count = var.source_bucket == null ? 1 : 0

  project                     = var.project_id
  name                        = local.own_bucket
  location                    = upper(var.region)
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = local.labels

  versioning {
    enabled = true
  }

  # Composer leaves the encryption of a given bucket as it is, so its key is said here as well.
  dynamic "encryption" {
    for_each = var.encryption_key == null ? [] : [var.encryption_key]

    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      with_state                 = "ARCHIVED"
      days_since_noncurrent_time = 30
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 90
      matches_prefix = ["logs/", "snapshots/"]
    }
  }
}

locals {
  dag_source = coalesce(var.dag_source, "${path.module}/../../../../dags")
  dags       = setunion(fileset(local.dag_source, "*.py"), fileset(local.dag_source, ".airflowignore"))
}

# One by one: mlops/ beside them is the deployments', and nothing of Terraform's.
resource "google_storage_bucket_object" "dag" {
  for_each = local.dags

  bucket         = local.bucket
  name           = "dags/${each.value}"
  source         = "${local.dag_source}/${each.value}"
  source_md5hash = filemd5("${local.dag_source}/${each.value}")

  depends_on = [google_storage_bucket.dags]
}

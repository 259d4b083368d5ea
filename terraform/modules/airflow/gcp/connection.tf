# What Airflow and the jobs read from Secret Manager.

locals {
  # As mlops-config names them: dashes become underscores.
  connection = "mlops_${replace(var.environment, "-", "_")}"
  own_jobs   = var.jobs.requirements != null
  # Workers see the bucket's data/ here.
  home = "/home/airflow/gcs/data/mlops"

  variable_of = { for name in var.secrets : name => "MLOPS_SECRET_${upper(replace(name, "/[^A-Za-z0-9]/", "_"))}" }
  kept        = toset([for name in var.secrets : name if !contains(keys(var.variables), local.variable_of[name])])
  # Never with secrets_prefix: who compares Connections may read what begins with that.
  secret_of = { for name in local.kept : name => "mlops-${var.name}-${replace(name, "/[^A-Za-z0-9_-]/", "_")}" }

  extra = {
    environment = var.environment
    variables = merge(
      var.variables,
      { MLOPS_STORE = var.store_uri },
      # Read when the jobs' Python starts: files/sitecustomize.py.
      !local.own_jobs ? {} : {
        PYTHONPATH = local.home
        MLOPS_JOBS = jsonencode({ requirements = "${local.home}/${basename(local.jobs_object)}", package = "mlops-config-action==${var.package_version}" })
      },
      !local.own_jobs || length(local.kept) == 0 ? {} : {
        MLOPS_LOOKED_UP = jsonencode({ for name, id in local.secret_of : local.variable_of[name] => "projects/${var.project_id}/secrets/${id}" })
      },
    )
    python             = local.own_jobs ? "python3" : var.jobs.python
    entrypoints        = local.own_jobs ? local.home : var.jobs.entrypoints
    root               = var.jobs.root
    kubernetes_conn_id = var.jobs.kubernetes_conn_id
    kubernetes_secrets = var.jobs.kubernetes_secrets
    image_pull_secrets = var.jobs.image_pull_secrets
  }
}

# Connection and Variable: nothing in them is secret. Changing them restarts nothing, which a variable of the Composer
# environment would.
resource "google_secret_manager_secret" "connection" {
  project   = var.project_id
  secret_id = "${var.secrets_prefix}-connections-${local.connection}"
  labels    = local.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_version" "connection" {
  secret      = google_secret_manager_secret.connection.id
  secret_data = jsonencode({ conn_type = "generic", extra = { for key, value in local.extra : key => value if value != null } })

  # A version is never changed, only followed by another; Airflow, which reads the newest, always finds one.
  lifecycle {
    create_before_destroy = true
  }
}

# The value of a secret is hidden in a plan, though nothing in this one is secret; annotations are seen.
resource "google_secret_manager_secret" "release" {
  project   = var.project_id
  secret_id = "${var.secrets_prefix}-variables-${local.connection}_release"
  labels    = local.labels

  annotations = {
    mlops-config-path   = var.config_path
    mlops-config-digest = var.config_digest
    mlops-release       = var.release == null ? "" : var.release
  }

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_version" "release" {
  secret = google_secret_manager_secret.release.id

  secret_data = jsonencode({
    config_path   = var.config_path
    config_digest = var.config_digest
    release       = var.release
    commit        = var.commit
    image         = var.image
  })

  lifecycle {
    create_before_destroy = true
  }
}

# Without a version: `gcloud secrets versions add` gives it its value, and Terraform never reads that.
resource "google_secret_manager_secret" "filled_by_people" {
  for_each = local.kept

  project     = var.project_id
  secret_id   = local.secret_of[each.key]
  labels      = local.labels
  annotations = { mlops-secret = "secret://${each.key}", mlops-variable = local.variable_of[each.key] }

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "read" {
  for_each = merge(
    { connection = google_secret_manager_secret.connection.secret_id, release = google_secret_manager_secret.release.secret_id },
    { for name, secret in google_secret_manager_secret.filled_by_people : "secret ${name}" => secret.secret_id },
  )

  project   = var.project_id
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member
}

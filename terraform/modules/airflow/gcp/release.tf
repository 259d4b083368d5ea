# What is deployed, as release.auto.tfvars.json says it.

variable "config_path" {
  description = "Folder of the environment's configuration, such as configs/prod/."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/$", var.config_path))
    error_message = "config_path is a folder within the repository and ends with a slash, such as configs/prod/."
  }
}

variable "config_digest" {
  description = "Digest of the four files, as the release record has it."
  type        = string

  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.config_digest))
    error_message = "config_digest looks like sha256: and 64 hexadecimal digits."
  }
}

variable "release" {
  description = "Name of the release, such as 1.2.0. null: the work tree's files, which were not released."
  type        = string
  default     = null

  validation {
    condition     = var.release == null || can(regex("^[A-Za-z0-9][A-Za-z0-9._+/@-]*$", var.release))
    error_message = "release is a name such as 1.2.0, or null."
  }
}

variable "commit" {
  description = "Commit of the release. null: not known."
  type        = string
  default     = null

  validation {
    condition     = var.commit == null || can(regex("^[0-9a-f]{40}$", var.commit))
    error_message = "commit is a whole commit of 40 hexadecimal digits, or null."
  }
}

variable "image" {
  description = "Image of the jobs by digest, registry/repository@sha256:…. null: none was pushed."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^@[:space:]]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image ends with @sha256: and 64 hexadecimal digits: a tag could come to mean another image."
  }
}

locals {
  # As mlops-config names it: orchestration/deployment.py.
  connection = "mlops_${replace(var.environment, "-", "_")}"
}

# A secret is the only place that Composer reads Variables and Connections from without anybody logging in. Neither is
# secret; what is does not come into a state. Changing them restarts nothing, which a variable of the environment would.
resource "google_secret_manager_secret" "connection" {
  project   = var.project_id
  secret_id = "airflow-connections-${local.connection}"
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
  secret = google_secret_manager_secret.connection.id
  secret_data = jsonencode({
    conn_type   = "generic"
    description = "Where the jobs of ${var.environment} run"
    extra = merge(
      { environment = var.environment, variables = merge({ MLOPS_STORE = var.store_uri }, var.variables) },
      { for key, value in var.jobs : key => value if value != null },
    )
  })
}

resource "google_secret_manager_secret" "release" {
  project   = var.project_id
  secret_id = "airflow-variables-${local.connection}_release"
  labels    = local.labels

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
}

# Empty: people put values in, as Airflow's Variables, and no state ever sees them.
resource "google_secret_manager_secret" "given" {
  for_each = toset(var.secrets)

  project   = var.project_id
  secret_id = "airflow-variables-${local.connection}_secret_${replace(each.value, "/[^A-Za-z0-9_-]/", "_")}"
  labels    = local.labels

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
    { for name, secret in google_secret_manager_secret.given : "secret ${name}" => secret.secret_id },
  )

  project   = var.project_id
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member
}

# For who applies with plain Terraform: `mlops-config deploy` does this itself, after its own apply.
resource "terraform_data" "deploy" {
  count = var.trigger ? 1 : 0

  triggers_replace = [var.release, var.config_digest, var.image]

  provisioner "local-exec" {
    command = "mlops-config deploy --no-terraform --environment \"$MLOPS_ENVIRONMENT\" --release \"$MLOPS_RELEASE\""
    environment = {
      MLOPS_ENVIRONMENT = var.environment
      MLOPS_RELEASE     = var.release
      MLOPS_STORE       = var.store_uri
      MLOPS_AIRFLOW_URL = local.url
      MLOPS_DAGS_FOLDER = local.dags_folder
    }
  }

  lifecycle {
    precondition {
      condition     = var.release != null
      error_message = "trigger deploys a release, and there is none: give release its name, or leave trigger out."
    }
  }

  depends_on = [
    google_composer_environment.this, google_storage_bucket_object.dag, google_storage_bucket_object.entrypoint,
    google_secret_manager_secret_version.connection, google_secret_manager_secret_version.release,
    google_secret_manager_secret_iam_member.read,
  ]
}

# Cloud Composer 3 for one environment: Airflow without addresses on the internet of its own, in a bucket that is made
# here, as a service account that may do what Composer needs and cannot touch the store's releases. The five DAG files
# are put into the DAG folder; what they make DAGs of, mlops/ below it, is written by `mlops-config deploy` and is none
# of Terraform's. Airflow finds the environment's Connection and the release's Variable in Secret Manager. A new release
# changes the two and restarts nothing. With Airflow of your own leave this module out and give `mlops-config` its
# address and DAG folder.

locals {
  labels = merge(var.labels, { environment = var.environment })

  long_bucket = "${var.project_id}-${var.name}-airflow"
  own_bucket  = length(local.long_bucket) <= 63 ? local.long_bucket : "${trimsuffix(substr(local.long_bucket, 0, 48), "-")}-${substr(sha256(local.long_bucket), 0, 6)}-airflow"
  bucket      = var.source_bucket == null ? local.own_bucket : var.source_bucket
  dags_folder = "gs://${local.bucket}/dags"
  url         = google_composer_environment.this.config[0].airflow_uri

  lines = var.requirements == null ? [] : [for line in split("\n", file(var.requirements)) : trimspace(replace(line, "/#.*/", ""))]
  packages = merge(
    { for line in local.lines : lower(regex("^[A-Za-z0-9._-]+", line)) => trimspace(replace(line, "/^[A-Za-z0-9._-]+/", "")) if line != "" },
    var.requirements == null ? { mlops-config-action = "[airflow,airflow-kubernetes,gcp,gcs]==${var.package_version}" } : {},
  )

  # Composer's components by size. DAG processors read one file for each model and job. A scheduler has one CPU at most,
  # so there are more of them in a larger Airflow.
  # https://docs.cloud.google.com/composer/docs/composer-3/scale-environments
  sizes = {
    small = {
      scheduler     = { cpu = 0.5, memory_gb = 2, storage_gb = 1, count = 1 }
      dag_processor = { cpu = 1, memory_gb = 2, storage_gb = 1, count = 1 }
      triggerer     = { cpu = 0.5, memory_gb = 1, count = 1 }
      web_server    = { cpu = 1, memory_gb = 4, storage_gb = 1 }
    }
    medium = {
      scheduler     = { cpu = 1, memory_gb = 4, storage_gb = 1, count = 2 }
      dag_processor = { cpu = 2, memory_gb = 4, storage_gb = 1, count = 1 }
      triggerer     = { cpu = 0.5, memory_gb = 1, count = 2 }
      web_server    = { cpu = 2, memory_gb = 6, storage_gb = 1 }
    }
    large = {
      scheduler     = { cpu = 1, memory_gb = 8, storage_gb = 2, count = 3 }
      dag_processor = { cpu = 2, memory_gb = 8, storage_gb = 2, count = 2 }
      triggerer     = { cpu = 1, memory_gb = 2, count = 2 }
      web_server    = { cpu = 4, memory_gb = 12, storage_gb = 2 }
    }
  }
  size = local.sizes[var.environment_size]
}

resource "google_composer_environment" "this" {
  project = var.project_id
  name    = var.name
  region  = var.region
  labels  = local.labels

  storage_config {
    bucket = local.bucket
  }

  config {
    environment_size = "ENVIRONMENT_SIZE_${upper(var.environment_size)}"
    # Neither components nor workers have a way to the internet but the network's. Packages are still built with one.
    enable_private_environment = true
    enable_private_builds_only = false

    software_config {
      image_version = "composer-3-airflow-${var.airflow_version}"
      pypi_packages = local.packages

      # The same for every release: changing one restarts all of Airflow.
      env_variables = {
        MLOPS_ENVIRONMENT = var.environment
        MLOPS_CONFIG_PATH = var.config_path
      }

      airflow_config_overrides = {
        "secrets-backend" = "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend"
        "secrets-backend_kwargs" = jsonencode({
          project_id         = var.project_id
          connections_prefix = "${var.secrets_prefix}-connections"
          variables_prefix   = "${var.secrets_prefix}-variables"
          sep                = "-"
        })
        # `mlops-config deploy` switches a release's DAGs on when it has seen them.
        "core-dags_are_paused_at_creation" = "True"
      }
    }

    node_config {
      network         = var.network
      subnetwork      = var.subnetwork
      service_account = local.email
    }

    workloads_config {
      scheduler {
        cpu        = local.size.scheduler.cpu
        memory_gb  = local.size.scheduler.memory_gb
        storage_gb = local.size.scheduler.storage_gb
        count      = local.size.scheduler.count
      }
      dag_processor {
        cpu        = local.size.dag_processor.cpu
        memory_gb  = local.size.dag_processor.memory_gb
        storage_gb = local.size.dag_processor.storage_gb
        count      = local.size.dag_processor.count
      }
      triggerer {
        cpu       = local.size.triggerer.cpu
        memory_gb = local.size.triggerer.memory_gb
        count     = local.size.triggerer.count
      }
      web_server {
        cpu        = local.size.web_server.cpu
        memory_gb  = local.size.web_server.memory_gb
        storage_gb = local.size.web_server.storage_gb
      }
      worker {
        cpu        = var.worker.cpu
        memory_gb  = var.worker.memory_gb
        storage_gb = var.worker.storage_gb
        min_count  = var.min_workers
        max_count  = var.max_workers
      }
    }

    web_server_network_access_control {
      dynamic "allowed_ip_range" {
        for_each = length(var.allowed_ip_ranges) > 0 ? var.allowed_ip_ranges : [
          { value = "0.0.0.0/0", description = "everywhere, behind Google's login" },
          { value = "::0/0", description = "everywhere, behind Google's login" },
        ]

        content {
          value       = allowed_ip_range.value.value
          description = allowed_ip_range.value.description
        }
      }
    }

    dynamic "encryption_config" {
      for_each = var.encryption_key == null ? [] : [var.encryption_key]

      content {
        kms_key_name = encryption_config.value
      }
    }

    maintenance_window {
      start_time = var.maintenance_window.start_time
      end_time   = var.maintenance_window.end_time
      recurrence = var.maintenance_window.recurrence
    }

    recovery_config {
      scheduled_snapshots_config {
        enabled                    = var.snapshot_schedule != null
        snapshot_creation_schedule = var.snapshot_schedule
        snapshot_location          = var.snapshot_schedule == null ? null : "gs://${local.bucket}/snapshots"
        time_zone                  = var.snapshot_schedule == null ? null : "UTC"
      }
    }

    data_retention_config {
      airflow_metadata_retention_config {
        retention_mode = "RETENTION_MODE_ENABLED"
        retention_days = 90
      }
    }
  }

  timeouts {
    create = "90m"
    update = "90m"
    delete = "30m"
  }

  lifecycle {
    precondition {
      condition     = var.min_workers <= var.max_workers
      error_message = "min_workers (${var.min_workers}) is more than max_workers (${var.max_workers})."
    }
    precondition {
      condition     = contains(local.dags, ".airflowignore") && contains(local.dags, "deployments_dag.py")
      error_message = "dag_source has to have the DAG files and the .airflowignore of this repository's dags/; ${local.dag_source} has not."
    }
    precondition {
      condition     = !local.own_jobs || length(local.entrypoints) == 4
      error_message = "The jobs' four entry points are taken from this repository's docker/, and ${local.job_source} has ${length(local.entrypoints)} of them."
    }
  }

  depends_on = [
    google_storage_bucket.dags, google_project_iam_member.worker, google_service_account_iam_member.itself,
    google_kms_crypto_key_iam_member.composer,
  ]
}

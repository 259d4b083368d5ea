variable "environment" {
  description = "The environment, such as prod: the root module's own, not the release's."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "name" {
  description = "What everything made begins with. null: <project>-<model>-<environment>, cut where that is longer than 40."
  type        = string
  default     = null

  validation {
    condition     = var.name == null || can(regex("^[a-z][a-z0-9-]{6,38}[a-z0-9]$", var.name))
    error_message = "name is 8 to 40 of a-z, 0-9 and -, begins with a letter and does not end with a dash."
  }
}

variable "labels" {
  description = "Labels of everything made here, beside the configuration's."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.labels), "environment")
    error_message = "The label environment is set here."
  }
}

variable "project_id" {
  description = "Google Cloud project of the environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
  validation {
    condition     = var.config.project_id == null || var.config.project_id == var.project_id
    error_message = "The inference file deploys to project ${coalesce(var.config.project_id, "-")}, and this environment is project ${var.project_id}."
  }
  validation {
    condition     = !anytrue([for other in setsubtract(["dev", "staging", "prod"], [var.environment]) : can(regex("(^|-)${other}(-|$)", var.project_id))])
    error_message = "This is ${var.environment}, and project ${var.project_id} is named after another environment."
  }
}

variable "region" {
  description = "Region of the environment, such as europe-west4."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is a region such as europe-west4, no zone and no multi-region."
  }
  validation {
    condition     = var.config.target != "gcp" || var.config.region == null || var.config.region == var.region
    error_message = "The inference file deploys to ${coalesce(var.config.region, "-")}, and this environment is in ${var.region}."
  }
}

variable "mlops_config_path" {
  description = "Folder of the environment's four files in the repository."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("(^|/)${var.environment}/$", var.mlops_config_path))
    error_message = "This is ${var.environment}, and the configuration is that of ${var.mlops_config_path}."
  }
}

variable "workflows" {
  description = "Members that GitHub's workflows become, the output members of bootstrap/gcp; null: nobody for that."
  type = object({
    plan     = optional(string)
    publish  = optional(string)
    deploy   = optional(string)
    rollback = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for member in values(var.workflows) : member == null || can(regex("^serviceAccount:[^*@]+@[^*@]+$", member))])
    error_message = "workflows are members such as serviceAccount:city-taxi-dev-deploy@acme-ml-dev.iam.gserviceaccount.com."
  }
}

variable "artifact_store" {
  description = "Where releases lie. uri: a store of yours, and none is made; who may write there is yours to say, packages lie in it as well. name: of the bucket made, by default <project>-<name>; for another one put whoever applies among administrators. The rest as in the module."
  type = object({
    uri             = optional(string)
    name            = optional(string)
    prefix          = optional(string, "")
    noncurrent_days = optional(number, 365)
    access_log_days = optional(number, 365)
    writers         = optional(list(string), [])
    readers         = optional(list(string), [])
    administrators  = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.artifact_store.uri == null || can(regex("^(gs|oci)://[^@[:space:]]+/[^@[:space:]]*[^/@[:space:]]$", var.artifact_store.uri))
    error_message = "artifact_store.uri is gs://bucket/prefix or oci://registry/repository, without a slash at its end."
  }
  validation {
    # Without a registry's host: that of Artifact Registry is called pkg.dev.
    condition = !anytrue([for other in setsubtract(["dev", "staging", "prod"], [var.environment]) :
      can(regex("(^|[^A-Za-z0-9])${other}([^A-Za-z0-9]|$)", replace(coalesce(var.artifact_store.uri, "-"), "/^oci://[^/]+/", "")))
    ])
    error_message = "This is ${var.environment}, and the store ${coalesce(var.artifact_store.uri, "-")} is named after another environment."
  }
}

variable "packages_uri" {
  description = "Where model packages lie, gs://bucket/prefix/, in a bucket of yours. null: in the store, <project>/models/."
  type        = string
  default     = null

  validation {
    condition     = var.packages_uri != null || !startswith(coalesce(var.artifact_store.uri, "gs://"), "oci:") || var.config.target != "gcp"
    error_message = "Vertex AI takes packages from Cloud Storage, and the store is a registry: give packages_uri."
  }
}

variable "image_repository" {
  description = "The repository of Artifact Registry. id: one of yours (projects/P/locations/L/repositories/R), and none is made. untagged_days, writers and readers as in the module."
  type = object({
    id            = optional(string)
    untagged_days = optional(number, 14)
    writers       = optional(list(string), [])
    readers       = optional(list(string), [])
  })
  default  = {}
  nullable = false
}

variable "encryption_key" {
  description = "Cloud KMS key of store, images and Airflow, in the same region. null: the store makes one, and the others use it."
  type        = string
  default     = null
}

variable "network" {
  description = "Where Airflow runs: a network and a subnetwork of yours, or the range of a network that is made."
  type = object({
    network    = optional(string)
    subnetwork = optional(string)
    cidr       = optional(string, "10.64.0.0/20")
    internet   = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = (var.network.network == null) == (var.network.subnetwork == null)
    error_message = "A network of yours has both network and subnetwork."
  }
  validation {
    # Of a network of yours only you know what it reaches.
    condition     = var.network.internet || var.airflow == null || var.network.network != null || (var.jobs.requirements == null && (var.jobs.python != null || var.jobs.kubernetes_conn_id != null)) || contains(keys(var.variables), "PIP_INDEX_URL")
    error_message = "Without a way to the internet a worker cannot install what jobs need. Give variables a PIP_INDEX_URL that it reaches, or jobs.python or jobs.kubernetes_conn_id, or leave network.internet as it is."
  }
}

variable "airflow" {
  description = "Cloud Composer, as in the module airflow, where size is called environment_size. null: Airflow is yours, and the settings say where it is; job_runners says who it is."
  type = object({
    version            = optional(string, "3.1.7")
    size               = optional(string, "small")
    min_workers        = optional(number, 1)
    max_workers        = optional(number, 3)
    worker             = optional(object({ cpu = optional(number, 1), memory_gb = optional(number, 4), storage_gb = optional(number, 10) }), {})
    allowed_ip_ranges  = optional(list(object({ value = string, description = optional(string) })), [])
    maintenance_window = optional(object({ start_time = string, end_time = string, recurrence = string }), { start_time = "2026-01-03T00:00:00Z", end_time = "2026-01-03T08:00:00Z", recurrence = "FREQ=WEEKLY;BYDAY=SA,SU" })
    snapshot_schedule  = optional(string, "0 3 * * *")
    requirements       = optional(string)
    dag_source         = optional(string)
    source_bucket      = optional(string)
    secrets_prefix     = optional(string)
    package_version    = optional(string)
    trigger            = optional(bool, false)
  })
  default = {}
}

variable "jobs" {
  description = "How jobs run on Airflow, as in the module airflow. With neither python nor kubernetes_conn_id: on its workers, in an environment made of requirements, by default requirements/jobs.txt."
  type = object({
    requirements       = optional(string)
    python             = optional(string)
    entrypoints        = optional(string)
    root               = optional(string)
    kubernetes_conn_id = optional(string)
    kubernetes_secrets = optional(list(string))
    image_pull_secrets = optional(list(string))
  })
  default  = {}
  nullable = false
}

variable "job_runners" {
  description = "Members that run the jobs of an Airflow of yours, by a name of your choice: they read and write the data and deploy."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.job_runners), "airflow")
    error_message = "airflow is the name of the Airflow that is made here; choose another."
  }
}

variable "variables" {
  description = "Environment variables of the jobs, such as MLFLOW_TRACKING_URI; nothing secret."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "execution_role_secret" {
  description = "What the inference file calls the server's service account, secret://<this>: jobs are given the one made here. null: the file has its address."
  type        = string
  default     = null

  validation {
    condition     = var.execution_role_secret == null || contains(var.config.secrets, coalesce(var.execution_role_secret, "-"))
    error_message = "No file refers to secret://${coalesce(var.execution_role_secret, "-")}; they refer to: ${join(", ", var.config.secrets)}."
  }
}

variable "monitoring" {
  description = "Alerting policies and who is told, as in the module monitoring. null: Prometheus is yours; load what `mlops-config rules` writes."
  type = object({
    receivers = optional(map(list(object({ type = string, address = string }))), {})
  })
  default = {}
}

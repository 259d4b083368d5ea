variable "name" {
  description = "Name of the Composer environment and beginning of the other names, such as city-taxi-trip-fare-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "name is 2 to 48 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "environment" {
  description = "Environment whose jobs run here; their Connection is mlops_<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,31}$", var.environment))
    error_message = "environment is the name of a folder of configurations, such as dev, staging or prod."
  }
}

variable "labels" {
  description = "Labels of everything that has any."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Google Cloud takes a-z, 0-9, _ and - in labels, at most 63, and a letter first in a key."
  }
}

variable "project_id" {
  description = "Google Cloud project of Airflow."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
}

variable "region" {
  description = "Region of Airflow, such as europe-west4."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is a region such as europe-west4, no zone and no multi-region."
  }
}

variable "airflow_version" {
  description = "Airflow's version as Composer 3 offers it, such as 3.1.7, or one build of it, 3.1.7-build.0. The default is the newest that was known when this was written."
  type        = string
  default     = "3.1.7"

  validation {
    condition     = can(regex("^3\\.[123]\\.[0-9]+(-build\\.[0-9]+)?$", var.airflow_version))
    error_message = "airflow_version is one of Airflow 3.1 to 3.3, such as 3.1.7 or 3.1.7-build.0: the DAGs are made for these."
  }
}

variable "environment_size" {
  description = "small: a few models. medium: some dozen. large: hundreds. Size of the database and of scheduler, DAG processor and API server."
  type        = string
  default     = "small"

  validation {
    condition     = contains(["small", "medium", "large"], var.environment_size)
    error_message = "environment_size is small, medium or large."
  }
}

variable "min_workers" {
  description = "Workers that are always there."
  type        = number
  default     = 1

  validation {
    condition     = var.min_workers >= 1 && floor(var.min_workers) == var.min_workers
    error_message = "min_workers is a whole number of at least 1."
  }
}

variable "max_workers" {
  description = "Workers at most."
  type        = number
  default     = 3

  validation {
    condition     = var.max_workers >= 1 && var.max_workers <= 100 && floor(var.max_workers) == var.max_workers
    error_message = "max_workers is a whole number of 1 to 100."
  }
}

variable "worker" {
  description = "What one worker has. Jobs of execution bash run there, so it is sized for a training."
  type        = object({ cpu = optional(number, 1), memory_gb = optional(number, 4), storage_gb = optional(number, 10) })
  default     = {}

  validation {
    condition     = var.worker.cpu >= 0.5 && var.worker.cpu <= 28 && var.worker.memory_gb >= var.worker.cpu && var.worker.memory_gb <= 8 * var.worker.cpu && var.worker.storage_gb >= 0 && var.worker.storage_gb <= 100
    error_message = "A worker has 0.5 to 28 CPUs, 1 to 8 GB of memory for each, and at most 100 GB of storage."
  }
}

variable "network" {
  description = "Network that Airflow is connected to, projects/P/global/networks/N."
  type        = string
}

variable "subnetwork" {
  description = "Subnetwork in it, in the same region, projects/P/regions/R/subnetworks/S."
  type        = string
}

variable "allowed_ip_ranges" {
  description = "Where Airflow's pages and API may be reached from. Empty: from everywhere, behind Google's login; GitHub's own runners have no fixed addresses."
  type        = list(object({ value = string, description = optional(string) }))
  default     = []

  validation {
    condition     = alltrue([for range in var.allowed_ip_ranges : can(cidrhost(range.value, 0))])
    error_message = "Each of allowed_ip_ranges has a value such as 198.51.100.0/24."
  }
}

variable "store_uri" {
  description = "The store with the releases, gs://bucket/prefix: MLOPS_STORE of the jobs."
  type        = string

  validation {
    condition     = can(regex("^(gs|s3|oci)://[^/\"']+(/[^\"']*)?$", var.store_uri))
    error_message = "store_uri is a store, such as gs://acme-ml-dev-configs/configs."
  }
}

variable "variables" {
  description = "Environment variables of the jobs, such as MLFLOW_TRACKING_URI. No secrets: they would be in the state."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.variables) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "Names of variables are letters, digits and _."
  }
  validation {
    condition = alltrue([
      for name in keys(var.variables) : can(regex("(?i)(_FILE$|^GOOGLE_APPLICATION_CREDENTIALS$)", name)) || !can(regex("(?i)(SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY)", name))
    ])
    error_message = "A variable is secret by its name (SECRET, PASSWORD, TOKEN and so on): name it in secrets and put its value into Secret Manager."
  }
}

variable "secrets" {
  description = "Names of the secrets that the configuration refers to (secret://name). Each becomes an empty secret for people to fill."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[A-Za-z0-9][A-Za-z0-9_./-]{0,126}$", name))])
    error_message = "secrets are names such as chat-fares, without secret://."
  }
}

variable "jobs" {
  description = "Where jobs run, as keys of the Connection's extra: python and entrypoints for bash; the others for kubernetes."
  type = object({
    python             = optional(string, "python3")
    entrypoints        = optional(string, "/home/airflow/gcs/data/mlops")
    root               = optional(string)
    kubernetes_conn_id = optional(string)
    kubernetes_secrets = optional(list(string))
    image_pull_secrets = optional(list(string))
  })
  default = {}
}

variable "dag_source" {
  description = "Folder with the DAG files. null: this repository's dags/."
  type        = string
  default     = null
}

variable "requirements" {
  description = "File of Python packages for Airflow and for jobs of execution bash: a name, extras and versions a line. null: the module's own."
  type        = string
  default     = null

  validation {
    condition = var.requirements == null ? true : alltrue([
      for line in split("\n", file(var.requirements)) : can(regex("^[[:space:]]*(#.*)?$|^[A-Za-z0-9][A-Za-z0-9._-]*(\\[[A-Za-z0-9,._ -]+\\])?[[:space:]]*([=<>!~][^;@]*)?$", line))
    ])
    error_message = "Composer takes names, extras and versions, such as pandas[parquet]>=2.3, and no options, hashes, markers or addresses."
  }
}

variable "source_bucket" {
  description = "A bucket of yours for Composer: same project and region, Standard class, no retention policy. null: one is made."
  type        = string
  default     = null

  validation {
    condition     = var.source_bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.source_bucket))
    error_message = "source_bucket is a bucket's name, without gs://."
  }
}

variable "encryption_key" {
  description = "Cloud KMS key (projects/…/cryptoKeys/…) in the same region, known before an apply, which Cloud Storage may use already: the store's is such a one. null: Google's own. It cannot be changed later."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.encryption_key))
    error_message = "encryption_key looks like projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version, or is null."
  }
}

variable "deployers" {
  description = "Members that deploy: they write into the DAG folder and use Airflow's API."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.deployers : can(regex("^(serviceAccount|group|user|principal|principalSet):[^*]+$", member))])
    error_message = "deployers are members, such as serviceAccount:deploy@acme-ml-dev.iam.gserviceaccount.com; never allUsers, never a wildcard."
  }
}

variable "maintenance_window" {
  description = "When Composer may restart things: at least 12 hours a week, in UTC. Each day of recurrence from start_time to end_time."
  type        = object({ start_time = string, end_time = string, recurrence = string })
  default = {
    start_time = "2026-01-03T00:00:00Z"
    end_time   = "2026-01-03T08:00:00Z"
    recurrence = "FREQ=WEEKLY;BYDAY=SA,SU"
  }

  validation {
    condition     = can(timecmp(var.maintenance_window.start_time, var.maintenance_window.end_time)) && try(timecmp(var.maintenance_window.start_time, var.maintenance_window.end_time) < 0, false) && can(regex("^FREQ=(DAILY|WEEKLY;BYDAY=(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*)$", var.maintenance_window.recurrence))
    error_message = "A maintenance window has a start_time, a later end_time (2026-01-03T00:00:00Z) and a recurrence FREQ=DAILY or FREQ=WEEKLY;BYDAY=SA,SU."
  }
}

variable "snapshot_schedule" {
  description = "When Composer saves a snapshot that an environment can be made from again, as cron in UTC. null: never."
  type        = string
  default     = "0 3 * * *"

  validation {
    condition     = var.snapshot_schedule == null || can(regex("^([0-9*,/-]+ ){4}[0-9*,/-]+$", var.snapshot_schedule))
    error_message = "snapshot_schedule is cron of five fields, such as 0 3 * * *, or null."
  }
}

variable "trigger" {
  description = "Whether an apply of plain Terraform runs `mlops-config deploy --no-terraform` when the release changed."
  type        = bool
  default     = false
}

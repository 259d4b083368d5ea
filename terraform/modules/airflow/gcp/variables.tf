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
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
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
  description = "Airflow's version as Composer 3 offers it (docs.cloud.google.com/composer/docs/versions-packages), such as 3.1.7, or one build of it, 3.1.7-build.12. The first of Airflow 3 that was generally available is the default."
  type        = string
  default     = "3.1.7"

  validation {
    condition     = can(regex("^3\\.[123]\\.[0-9]+(-build\\.[0-9]+)?$", var.airflow_version))
    error_message = "airflow_version is one of Airflow 3.1 to 3.3, such as 3.1.7 or 3.1.7-build.12: the DAGs are made for these."
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
    # https://docs.cloud.google.com/composer/docs/composer-3/scale-environments
    condition = (
      (contains([0.5, 1], var.worker.cpu) || (var.worker.cpu >= 2 && var.worker.cpu <= 32 && var.worker.cpu % 2 == 0))
      && var.worker.memory_gb >= max(1, var.worker.cpu) && var.worker.memory_gb <= 8 * var.worker.cpu && var.worker.memory_gb * 4 == floor(var.worker.memory_gb * 4)
      && var.worker.storage_gb >= 0 && var.worker.storage_gb <= 100 && floor(var.worker.storage_gb) == var.worker.storage_gb
    )
    error_message = "A worker has 0.5, 1 or an even number of CPUs up to 32, 1 to 8 GB of memory for each of them and 1 GB at least, in quarters, and at most 100 GB of storage, in whole ones."
  }
}

variable "network" {
  description = "Network that Airflow is connected to, projects/P/global/networks/N. Where it is another project's (Shared VPC), that one first grants Composer's service agent roles/composer.sharedVpcAgent."
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
  description = "Environment variables of the jobs, such as MLFLOW_TRACKING_URI. They lie in Terraform's state, so nothing secret is taken."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.variables) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", key))])
    error_message = "The name of a variable is letters, digits and _, and does not begin with a digit."
  }
  validation {
    # Names as the jobs' logs mask them. A file's name and a service account are no secrets, whatever they are called.
    condition = alltrue([
      for key, value in var.variables :
      !can(regex("(?i)SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY", key)) ||
      can(regex("(?i)_FILE$|^GOOGLE_APPLICATION_CREDENTIALS$", key)) || can(regex("^[a-z0-9-]+@[a-z0-9-]+\\.iam\\.gserviceaccount\\.com$", value))
    ])
    error_message = "A variable is named like a secret. Put its name into secrets: then it is kept in Secret Manager, and not in Terraform's state."
  }
  validation {
    condition     = alltrue([for value in values(var.variables) : !can(regex("://[^/@]*:[^/@]*@", value))])
    error_message = "A variable holds an address with a password in it. Give the password as a secret of its own."
  }
  validation {
    condition     = length(setintersection(keys(var.variables), ["MLOPS_STORE", "MLOPS_ENVIRONMENT", "MLOPS_LOOKED_UP", "MLOPS_JOBS", "PYTHONPATH"])) == 0
    error_message = "MLOPS_STORE, MLOPS_ENVIRONMENT, MLOPS_LOOKED_UP, MLOPS_JOBS and PYTHONPATH are set by this module."
  }
}

variable "secrets" {
  description = "Names in the files' secret://<name>. Each gets an empty secret in Secret Manager for people to fill, unless variables has it (a service account's address)."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[A-Za-z0-9][A-Za-z0-9_./-]{0,126}$", name))])
    error_message = "A secret's name is what stands behind secret:// in the files, such as chat-fares."
  }
  validation {
    condition     = length(distinct([for name in var.secrets : upper(replace(name, "/[^A-Za-z0-9]/", "_"))])) == length(distinct(var.secrets))
    error_message = "Two secrets differ in nothing but dashes, dots or capitals: jobs get both as one variable."
  }
}

variable "secrets_prefix" {
  description = "Beginning of the names in Secret Manager. Airflow looks for <prefix>-connections-… and <prefix>-variables-…. Two environments of one name in one project need two; the module environment gives each its own, airflow-<name>."
  type        = string
  default     = "airflow"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", var.secrets_prefix)) && !startswith(var.secrets_prefix, "mlops-")
    error_message = "secrets_prefix is at most 63 letters, digits, - and _, such as airflow, and does not begin with mlops-: what people fill is called so."
  }
}

variable "jobs" {
  description = <<-EOT
    How jobs run, beyond what the files say.
    requirements: locked requirements of the jobs (requirements/jobs.txt): each worker makes an environment of its own of
    them before its first job, for execution bash. null: none; then either python and entrypoints name what workers have,
    or jobs run on Kubernetes. The other keys are those of the Connection (docs/execution.md).
  EOT
  type = object({
    requirements       = optional(string)
    python             = optional(string)
    entrypoints        = optional(string)
    root               = optional(string)
    kubernetes_conn_id = optional(string)
    kubernetes_secrets = optional(list(string))
    image_pull_secrets = optional(list(string))
  })
  default = {}

  validation {
    condition     = var.jobs.requirements == null ? true : fileexists(var.jobs.requirements)
    error_message = "jobs.requirements is the path of a file, such as requirements/jobs.txt of a checkout."
  }
  validation {
    condition     = var.jobs.requirements == null || (var.jobs.python == null && var.jobs.entrypoints == null)
    error_message = "jobs has requirements, or else python and entrypoints: with requirements the environment made of them is used."
  }
  validation {
    condition     = length(var.secrets) == 0 || var.jobs.requirements != null || var.jobs.kubernetes_secrets != null || alltrue([for name in var.secrets : contains(keys(var.variables), "MLOPS_SECRET_${upper(replace(name, "/[^A-Za-z0-9]/", "_"))}")])
    error_message = "The files name secrets, and nothing would hand them to the jobs: give jobs.requirements (they are looked up when a job starts) or jobs.kubernetes_secrets."
  }
}

variable "package_version" {
  description = "Version of mlops-config-action on Airflow and, with jobs.requirements, in the jobs' environment."
  type        = string
  default     = "1.0.0"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+([a-z0-9.]+)?$", var.package_version))
    error_message = "package_version is one version, such as 1.0.0."
  }
}

variable "dag_source" {
  description = "Folder with the DAG files. null: this repository's dags/."
  type        = string
  default     = null
}

variable "requirements" {
  description = "File of Airflow's further Python packages: a name, extras and versions a line, this package's too. null: this package with what its DAGs need."
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
  description = "When Composer may restart things, in UTC: at least 12 hours a week, and 4 each time. Each day of recurrence from start_time to end_time."
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
  validation {
    # https://docs.cloud.google.com/composer/docs/composer-3/specify-maintenance-windows
    condition = try(timecmp(
      timeadd(var.maintenance_window.start_time, "${max(240, ceil(720 / (var.maintenance_window.recurrence == "FREQ=DAILY" ? 7 : length(split(",", var.maintenance_window.recurrence)))))}m"),
      var.maintenance_window.end_time
    ) <= 0, false)
    error_message = "Composer takes at least 12 hours a week, and at least 4 each time: 4 hours on three days, or 6 on two."
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

variable "name" {
  description = "Name of the MWAA environment and beginning of every other name, such as city-taxi-trip-fare-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name is 2 to 40 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "environment" {
  description = "Environment whose jobs run here; it becomes the tag environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "labels" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.labels) : !startswith(lower(key), "aws:")])
    error_message = "No label begins with aws: since Amazon keeps those tags to itself."
  }
}

variable "config_path" {
  description = "Folder of the four files in the repository, such as configs/prod/. It goes into the Variable mlops_<environment>_release."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/$", var.config_path)) && endswith("/${var.config_path}", "/${var.environment}/")
    error_message = "config_path is the environment's own folder, such as configs/prod/ for prod, with a slash at its end: no environment runs another one's files."
  }
}

variable "config_digest" {
  description = "Digest of the release's bundle, sha256:…."
  type        = string

  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.config_digest))
    error_message = "config_digest is sha256: and 64 hexadecimal digits, as the release's record has it."
  }
}

variable "release" {
  description = "Name of the release: a version such as 1.2.0, or a commit."
  type        = string

  validation {
    condition     = length(trimspace(var.release)) > 0
    error_message = "release is the name of a release, such as 1.2.0."
  }
}

variable "commit" {
  description = "Commit that the release was made of. null: it is not known."
  type        = string
  default     = null

  validation {
    condition     = var.commit == null || can(regex("^[0-9a-f]{40}([0-9a-f]{24})?$", var.commit))
    error_message = "commit is a whole commit of 40 or 64 hexadecimal digits, or null."
  }
}

variable "image" {
  description = "The release's image by digest, such as …/city-taxi-prod@sha256:…. null: its jobs run on the workers."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image names its digest (repository@sha256:…): a tag could come to mean another image."
  }
}

variable "airflow_version" {
  description = "Airflow of MWAA. Of those that this package works with (3.1 to 3.3) Amazon offered 3.2.1 when this was written."
  type        = string
  default     = "3.2.1"

  validation {
    condition     = can(regex("^3\\.[123]\\.[0-9]+$", var.airflow_version))
    error_message = "airflow_version is of Airflow 3.1, 3.2 or 3.3, such as 3.2.1: this package's DAGs need 3.1 or later."
  }
}

variable "environment_class" {
  description = "Size of MWAA's containers. mw1.micro has one worker, of three tasks, and is the cheapest; see min_workers."
  type        = string
  default     = "mw1.small"

  validation {
    condition     = contains(["mw1.micro", "mw1.small", "mw1.medium", "mw1.large", "mw1.xlarge", "mw1.2xlarge"], var.environment_class)
    error_message = "environment_class is mw1.micro, mw1.small, mw1.medium, mw1.large, mw1.xlarge or mw1.2xlarge."
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
  description = "Workers at most. mw1.micro takes 1."
  type        = number
  default     = 2

  validation {
    condition     = var.max_workers >= var.min_workers && var.max_workers <= 25 && floor(var.max_workers) == var.max_workers
    error_message = "max_workers is a whole number from min_workers to 25; Amazon raises the 25 on request, and this limit with a change here."
  }

  validation {
    condition     = var.environment_class != "mw1.micro" || var.max_workers == 1
    error_message = "mw1.micro has one worker: max_workers is 1 there."
  }
}

variable "subnet_ids" {
  description = "Two private subnets in two zones, with a way out to the internet or to endpoints of each service that is used."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 2
    error_message = "MWAA takes exactly two subnets."
  }
}

variable "security_group_ids" {
  description = "One to five security groups; one of them lets its own members in."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) >= 1 && length(var.security_group_ids) <= 5
    error_message = "MWAA takes one to five security groups."
  }
}

variable "webserver_access_mode" {
  description = "PUBLIC_ONLY: whoever may log in by IAM reaches the web server, GitHub's runners too. PRIVATE_ONLY: only from the network."
  type        = string
  default     = "PUBLIC_ONLY"

  validation {
    condition     = contains(["PUBLIC_ONLY", "PRIVATE_ONLY"], var.webserver_access_mode)
    error_message = "webserver_access_mode is PUBLIC_ONLY or PRIVATE_ONLY."
  }
}

variable "maintenance_window" {
  description = "When a week's maintenance begins, in UTC, such as SUN:03:30."
  type        = string
  default     = "SUN:03:30"

  validation {
    condition     = can(regex("^(MON|TUE|WED|THU|FRI|SAT|SUN):([01][0-9]|2[0-3]):(00|30)$", var.maintenance_window))
    error_message = "maintenance_window is a day and a half hour, such as SUN:03:30."
  }
}

variable "airflow_options" {
  description = "Further options of Airflow, such as {\"celery.worker_autoscale\" = \"5,5\"}."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.airflow_options) : can(regex("^[a-z]+[a-z0-9._]*[a-z0-9_]$", key)) && !startswith(key, "secrets.")])
    error_message = "An option is section.name in small letters. The section secrets is this module's: the jobs' Connection lies behind it."
  }
}

variable "store_uri" {
  description = "Store with releases and ledger; jobs get it as MLOPS_STORE."
  type        = string

  validation {
    condition     = can(regex("^(s3|oci)://[^@ ]+$", var.store_uri))
    error_message = "store_uri is s3://bucket/prefix or oci://registry/repository: MWAA's workers keep no folder."
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
    # Names as the jobs' logs mask them. A file's name and a role's ARN are no secrets, whatever they are called.
    condition = alltrue([
      for key, value in var.variables :
      !can(regex("(?i)SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY", key)) ||
      can(regex("(?i)_FILE$|^GOOGLE_APPLICATION_CREDENTIALS$", key)) || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", value))
    ])
    error_message = "A variable is named like a secret. Put its name into secrets: then it is kept in Secrets Manager, and not in Terraform's state."
  }

  validation {
    condition     = alltrue([for value in values(var.variables) : !can(regex("://[^/@]*:[^/@]*@", value))])
    error_message = "A variable holds an address with a password in it. Give the password as a secret of its own."
  }

  validation {
    condition     = length(setintersection(keys(var.variables), ["MLOPS_STORE", "MLOPS_ENVIRONMENT", "MLOPS_LOOKED_UP"])) == 0
    error_message = "MLOPS_STORE, MLOPS_ENVIRONMENT and MLOPS_LOOKED_UP are set by this module."
  }
}

variable "secrets" {
  description = "Names in the files' secret://<name>. Each gets an empty secret in Secrets Manager for people to fill, unless variables has it (a role's ARN)."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[A-Za-z0-9][A-Za-z0-9_./-]{0,126}$", name))])
    error_message = "A secret's name is what stands behind secret:// in the files, such as chat-fares."
  }
}

variable "secrets_prefix" {
  description = "Beginning of the names in Secrets Manager. Airflow looks for <prefix>/connections/… and <prefix>/variables/…. Two environments of one name in one account and region need two; the module environment gives each its own, airflow/<name>."
  type        = string
  default     = "airflow"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)*$", var.secrets_prefix))
    error_message = "secrets_prefix is words with single slashes between them, such as airflow or acme/airflow."
  }
}

variable "jobs" {
  description = <<-TEXT
    How jobs run, beyond what the files say.
    requirements: locked requirements of the jobs (requirements/jobs.txt): each worker makes an environment of its own of
    them when it starts, for execution bash. null: none; then either python and entrypoints name what workers have, or
    jobs run on Kubernetes. The other keys are those of the Connection (docs/execution.md).
  TEXT
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

variable "dag_source" {
  description = "Folder with the five DAG files. null: dags/ of the checkout that this module lies in."
  type        = string
  default     = null
}

variable "requirements" {
  description = "Path of MWAA's requirements.txt, with a --constraint. null: this package with what its DAGs need, within Airflow's own constraints."
  type        = string
  default     = null

  validation {
    condition     = var.requirements == null ? true : can(regex("(^|\n)(-c|--constraint) ", file(var.requirements)))
    error_message = "requirements is the path of a file that has a --constraint, without which MWAA puts in one of its own."
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

variable "trigger" {
  description = "After an apply by Terraform alone: run `mlops-config deploy --no-terraform` on this machine for each release. mlops-config deploy does that part itself, so false is right for it."
  type        = bool
  default     = false
}

variable "source_bucket" {
  description = "Name of a bucket with versions, closed to the public, for DAGs and requirements. null: one is made, <name>-airflow-<account>."
  type        = string
  default     = null

  validation {
    condition     = var.source_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.source_bucket))
    error_message = "source_bucket is the name of a bucket, or null."
  }
}

variable "access_log_bucket" {
  description = "Name of a bucket that takes the access logs of the bucket made here. null: they are not kept."
  type        = string
  default     = null

  validation {
    condition     = var.access_log_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_log_bucket))
    error_message = "access_log_bucket is the name of a bucket, or null."
  }
}

variable "encryption_key" {
  description = "ARN of the KMS key for bucket, secrets, logs and the environment itself; its policy lets CloudWatch Logs use it. null: one is made."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.encryption_key))
    error_message = "encryption_key is the ARN of a key (arn:aws:kms:…:key/…), not of an alias, or null."
  }
}

variable "policies" {
  description = "ARNs of policies for what the jobs do (data, endpoint), by a name of your choice; the execution role gets them."
  type        = map(string)
  default     = {}
}

variable "log_days" {
  description = "Days for which CloudWatch keeps Airflow's logs, one of the numbers that it offers."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_days)
    error_message = "log_days is a number of days that CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, …"
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds every role made here. null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary is the ARN of a policy, such as arn:aws:iam::111122223333:policy/mlops-boundary, or null."
  }
}

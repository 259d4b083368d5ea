variable "name" {
  description = "What the store belongs to, such as city-taxi-trip-fare-prod: in the names of its key and key ring."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "name is 2 to 48 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "environment" {
  description = "Environment whose releases lie here; it becomes the label environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "labels" {
  description = "Labels of every resource that has any."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Google Cloud takes a-z, 0-9, _ and - in labels, at most 63, and a letter first in a key."
  }
}

variable "project_id" {
  description = "Google Cloud project of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
}

variable "region" {
  description = "Where bucket and key lie, such as europe-west4. Neither can be moved later."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is a region such as europe-west4, no zone and no multi-region."
  }
}

variable "bucket_name" {
  description = "Name of the bucket, one in all of Google Cloud. Its access logs go to <bucket_name>-logs."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,56}[a-z0-9]$", var.bucket_name)) && !startswith(var.bucket_name, "goog")
    error_message = "bucket_name is 3 to 58 of a-z, 0-9 and -, and does not begin with goog: Cloud Storage takes 63, and -logs is put behind it."
  }
}

variable "prefix" {
  description = "Folder of the store in the bucket, without a slash at either end. Empty: the whole bucket."
  type        = string
  default     = ""

  validation {
    # Nothing that would end the text in an IAM condition.
    condition     = can(regex("^([A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*)?$", var.prefix))
    error_message = "prefix is parts of letters, digits, _, . and - with single slashes between them, such as configs/fares."
  }
}

variable "writers" {
  description = "Members that publish releases and write the ledger; they read as well."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.writers : can(regex("^(serviceAccount|group|user|principal|principalSet):[^*]+$", member))])
    error_message = "writers are members, such as serviceAccount:publish@acme-ml-dev.iam.gserviceaccount.com; never allUsers, never a wildcard."
  }
}

variable "readers" {
  description = "Members that read releases: deployments, people who look."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.readers : can(regex("^(serviceAccount|group|user|principal|principalSet):[^*]+$", member))])
    error_message = "readers are members, such as serviceAccount:deploy@acme-ml-dev.iam.gserviceaccount.com; never allUsers, never a wildcard."
  }
}

variable "administrators" {
  description = "Members that may change the bucket and this policy. Empty: the project's owners. Whoever applies needs a place here, unless they have the right in the project (storage.buckets.getIamPolicy, setIamPolicy and update): the roles of bootstrap/gcp do, for buckets named as the root module names them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.administrators : can(regex("^(serviceAccount|group|user|principal|principalSet|projectOwner):[^*]+$", member))])
    error_message = "administrators are members, such as group:platform@example.com; never allUsers, never a wildcard."
  }
}

variable "noncurrent_days" {
  description = "Days for which what current.json (or a state) said before is kept."
  type        = number
  default     = 365

  validation {
    condition     = var.noncurrent_days >= 30 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days is a whole number of at least 30, so that a mistake can still be looked up."
  }
}

variable "access_log_days" {
  description = "Days for which access logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = var.access_log_days >= 1 && floor(var.access_log_days) == var.access_log_days
    error_message = "access_log_days is a whole number of at least 1."
  }
}

variable "soft_delete_days" {
  description = "Days for which Cloud Storage can bring back what was deleted, versions too. 7 to 90."
  type        = number
  default     = 30

  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90 && floor(var.soft_delete_days) == var.soft_delete_days
    error_message = "soft_delete_days is a whole number of 7 to 90, the least and the most that Cloud Storage takes."
  }
}

variable "encryption_key" {
  description = "Cloud KMS key (projects/…/cryptoKeys/…) in the same region. null: one is made for this store."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.encryption_key))
    error_message = "encryption_key looks like projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version, or is null."
  }
}

variable "state_like" {
  description = "For Terraform's state instead of releases: objects are overwritten and locks deleted, versions stay."
  type        = bool
  default     = false

  validation {
    condition     = !var.state_like || (length(var.writers) == 0 && length(var.readers) == 0 && length(var.administrators) == 0)
    error_message = "A bucket of states has no writers, readers or administrators: who may touch which environment's state is granted beside it, with a condition for each state."
  }
}

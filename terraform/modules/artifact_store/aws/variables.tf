variable "name" {
  description = "What the store belongs to, such as city-taxi-trip-fare-prod: in the key's alias and descriptions."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "name is 2 to 48 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "environment" {
  description = "Environment whose releases lie here; it becomes the tag environment."
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

variable "bucket_name" {
  description = "Name of the bucket, one in all of AWS. Its access logs go to <bucket_name>-logs."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,56}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name is 3 to 58 of a-z, 0-9 and -: S3 takes 63, and -logs is put behind it."
  }
}

variable "prefix" {
  description = "Folder of the store in the bucket, without a slash at either end. Empty: the whole bucket."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*)?$", var.prefix))
    error_message = "prefix is parts of letters, digits, _, . and - with single slashes between them, such as configs/fares."
  }
}

variable "writers" {
  description = "ARNs of the roles that publish releases and write the ledger; they read as well."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.writers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "writers are ARNs of roles, such as arn:aws:iam::111122223333:role/publish, without a wildcard."
  }
}

variable "readers" {
  description = "ARNs of the roles that read releases: jobs, deployments, people who look."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.readers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "readers are ARNs of roles, such as arn:aws:iam::111122223333:role/jobs, without a wildcard."
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

variable "encryption_key" {
  description = "ARN of a KMS key that writers and readers may use. null: one is made for this store."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.encryption_key))
    error_message = "encryption_key is the ARN of a key (arn:aws:kms:…:key/…), not of an alias, or null."
  }
}

variable "lock_days" {
  description = "Days for which S3 Object Lock keeps every version, in governance mode, from the administrators of the account as well. null: the bucket policy alone forbids deleting. Given to a store that is there, it holds for what is written from then on; taken back, what is locked stays so."
  type        = number
  default     = null

  validation {
    condition     = var.lock_days == null ? true : var.lock_days >= 1 && floor(var.lock_days) == var.lock_days
    error_message = "lock_days is a whole number of at least 1, or null."
  }
}

variable "state_like" {
  description = "For Terraform's state instead of releases: objects are overwritten and *.tflock deleted, versions stay."
  type        = bool
  default     = false

  validation {
    condition     = !var.state_like || (length(var.writers) == 0 && length(var.readers) == 0 && var.lock_days == null)
    error_message = "A bucket of states has no writers, readers or lock_days: who may touch which environment's state is said by the roles' own policies, and a lock would keep Terraform from giving its own lock back."
  }
}

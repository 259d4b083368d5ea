variable "name" {
  description = "What the images belong to, such as city-taxi-trip-fare-prod; it becomes the tag Name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "name is 2 to 48 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "environment" {
  description = "Environment whose images lie here; it becomes the tag environment."
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

variable "repository_name" {
  description = "Name of the repository, such as city-taxi-prod."
  type        = string

  validation {
    condition     = length(var.repository_name) <= 256 && can(regex("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$", var.repository_name))
    error_message = "repository_name is of a-z and 0-9, with single ., _, - or / between them, such as acme/city-taxi-prod."
  }
}

variable "untagged_days" {
  description = "Days after which an image without a tag expires."
  type        = number
  default     = 14

  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "untagged_days is a whole number of at least 1: a push that is under way has no tag yet."
  }
}

variable "writers" {
  description = "ARNs of the roles that push images; they pull as well."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.writers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "writers are ARNs of roles, such as arn:aws:iam::111122223333:role/publish, without a wildcard."
  }
}

variable "readers" {
  description = "ARNs of the roles that pull images: jobs, endpoints, deployments."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.readers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "readers are ARNs of roles, such as arn:aws:iam::111122223333:role/jobs, without a wildcard."
  }
}

variable "encryption_key" {
  description = "ARN of a KMS key. null: Amazon's own key for ECR in this account, which costs nothing."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.encryption_key))
    error_message = "encryption_key is the ARN of a key (arn:aws:kms:…:key/…), not of an alias, or null."
  }
}

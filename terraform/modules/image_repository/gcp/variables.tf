variable "name" {
  description = "What the images belong to, such as city-taxi-trip-fare-prod: in the repository's description."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "name is 2 to 48 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "environment" {
  description = "Environment whose images lie here; it becomes the label environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "labels" {
  description = "Labels of the repository."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Google Cloud takes a-z, 0-9, _ and - in labels, at most 63, and a letter first in a key."
  }
}

variable "project_id" {
  description = "Google Cloud project of the repository."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
}

variable "region" {
  description = "Where images lie, such as europe-west4: near what pulls them."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is a region such as europe-west4, no zone and no multi-region."
  }
}

variable "repository_name" {
  description = "Name of the repository, one in its project and region. Its one image has the same name."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.repository_name))
    error_message = "repository_name is 1 to 63 of a-z, 0-9 and -, begins with a letter and does not end with a dash."
  }
}

variable "untagged_days" {
  description = "Days after which an image without a tag is deleted."
  type        = number
  default     = 14

  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "untagged_days is a whole number of at least 1: a build that is still being pushed has no tag yet."
  }
}

variable "writers" {
  description = "Members that push images; they pull as well."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.writers : can(regex("^(serviceAccount|group|user|principal|principalSet):[^*]+$", member))])
    error_message = "writers are members, such as serviceAccount:publish@acme-ml-dev.iam.gserviceaccount.com; never allUsers, never a wildcard."
  }
}

variable "readers" {
  description = "Members that pull images."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.readers : can(regex("^(serviceAccount|group|user|principal|principalSet):[^*]+$", member))])
    error_message = "readers are members, such as serviceAccount:jobs@acme-ml-dev.iam.gserviceaccount.com; never allUsers, never a wildcard."
  }
}

variable "encryption_key" {
  description = "Cloud KMS key (projects/…/cryptoKeys/…) in the same region, known before an apply. null: Google's own. It cannot be changed later."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.encryption_key))
    error_message = "encryption_key looks like projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version, or is null."
  }
}

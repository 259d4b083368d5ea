variable "name" {
  description = "Lower-case prefix of what is made, such as city-taxi-trip-fare-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name is small letters, digits and dashes, a letter first, 3 to 63 of them."
  }
}

variable "environment" {
  description = "The environment the models are of; one service account never serves two."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "labels" {
  description = "Labels; service accounts carry none, so they are part of their description."
  type        = map(string)
  default     = {}
}

variable "project_id" {
  description = "Google Cloud project of the models and endpoints."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
}

variable "reads" {
  description = "What the jobs read: configuration key to URI. Of another scheme than gs://: not of this cloud, passed over."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for uri in values(var.reads) : can(regex("^[a-z][a-z0-9+]*://", uri))])
    error_message = "Each of reads is a URI, such as gs://bucket/prefix/."
  }
  validation {
    condition     = alltrue([for uri in values(var.reads) : !can(regex("^gs://[^/]*[\"'\\\\*]|^gs://.*[\"'\\\\]", uri))])
    error_message = "A gs:// URI of reads has no quotes or backslashes, and no wildcard in the bucket."
  }
}

variable "writes" {
  description = "What the jobs write, and read again later: configuration key to URI, as with reads."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for uri in values(var.writes) : can(regex("^[a-z][a-z0-9+]*://", uri))])
    error_message = "Each of writes is a URI, such as gs://bucket/prefix/."
  }
  validation {
    condition     = alltrue([for uri in values(var.writes) : !can(regex("^gs://.*[\"'\\\\*?\\[]", uri))])
    error_message = "A gs:// URI of writes has no quotes, backslashes or wildcards."
  }
  validation {
    # Writing to a whole bucket would reach everything else in it.
    condition     = alltrue([for uri in values(var.writes) : !startswith(uri, "gs://") || can(regex("^gs://[^/]+/[^/]", uri))])
    error_message = "A gs:// URI of writes names a prefix in its bucket, such as gs://bucket/predictions/."
  }
}

variable "captures" {
  description = "The key of writes that the endpoint itself writes."
  type        = string
  default     = "inference.data_capture.destination_uri"
  nullable    = false
}

variable "packages_uri" {
  description = "Where model packages lie that the endpoint loads, such as gs://acme-ml/configs/city-taxi/models/; null: there is no endpoint."
  type        = string
  default     = null

  validation {
    condition     = var.packages_uri == null || can(regex("^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]/([A-Za-z0-9_.~%+-]+/)+$", var.packages_uri))
    error_message = "packages_uri is a prefix that ends with a slash: gs://bucket/prefix/."
  }
}

variable "image_repository" {
  description = "Artifact Registry repository with the images, projects/P/locations/L/repositories/R; null: none to read."
  type        = string
  default     = null

  validation {
    condition     = var.image_repository == null || can(regex("^projects/[^/]+/locations/[^/]+/repositories/[^/]+$", var.image_repository))
    error_message = "image_repository looks like projects/acme-ml-dev/locations/europe-west4/repositories/city-taxi."
  }
}

variable "endpoint" {
  description = "Name of the endpoint, for people who read the list of service accounts; null: none."
  type        = string
  default     = null
}

variable "encryption_keys" {
  description = "Cloud KMS keys (projects/…/cryptoKeys/…) that models and endpoints are encrypted with."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for key in var.encryption_keys : can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", key))])
    error_message = "Each of encryption_keys looks like projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "job_runners" {
  description = "Members that run the jobs (Airflow's service account): they get the data, publish packages, deploy to Vertex AI and act as the service account."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.job_runners) : can(regex("^(serviceAccount|principal|principalSet):", member))])
    error_message = "Each of job_runners is a member, such as serviceAccount:airflow@acme-ml-dev.iam.gserviceaccount.com."
  }
}

variable "deployers" {
  description = "Members that move traffic without running jobs (mlops-config rollback): they deploy to Vertex AI and act as the service account, and get no data."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.deployers) : can(regex("^(serviceAccount|principal|principalSet):", member))])
    error_message = "Each of deployers is a member, such as serviceAccount:rollback@acme-ml-dev.iam.gserviceaccount.com."
  }
}

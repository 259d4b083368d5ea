variable "name" {
  description = "Beginning of every name made here, such as city-taxi-trip-fare-prod."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,39}$", var.name)) && !endswith(var.name, "-")
    error_message = "A name has 2 to 40 lower-case letters, digits and dashes, begins with a letter and does not end with a dash."
  }
}

variable "environment" {
  description = "Environment that the roles belong to, such as prod."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "labels" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "account_id" {
  description = "AWS account of the endpoint."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account has 12 digits, quoted: a number would lose leading zeros."
  }
}

variable "region" {
  description = "AWS region of the endpoint, such as eu-central-1."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region looks like eu-central-1."
  }
}

variable "reads" {
  description = "What the jobs read: configuration key to URI. Of another scheme than s3://: not of this cloud, passed over."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for uri in values(var.reads) : !startswith(uri, "s3:") || can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$", uri))])
    error_message = "A URI in S3 looks like s3://bucket/prefix/."
  }
}

variable "writes" {
  description = "What the jobs write, and read again later: configuration key to URI, as with reads."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for uri in values(var.writes) : !startswith(uri, "s3:") || can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$", uri))])
    error_message = "A URI in S3 looks like s3://bucket/prefix/."
  }
  validation {
    # A prefix that is a whole bucket would let a job replace whatever else lies there.
    condition     = alltrue([for uri in values(var.writes) : !startswith(uri, "s3:") || can(regex("^s3://[^/]+/[^/]", uri))])
    error_message = "What is written has a prefix of its own in its bucket, such as s3://bucket/fares/predictions/."
  }
}

variable "captures" {
  description = "The key of writes that the endpoint itself writes."
  type        = string
  default     = "inference.data_capture.destination_uri"
  nullable    = false
}

variable "packages_uri" {
  description = "Where model packages lie that the endpoint loads, such as s3://acme-ml/configs/city-taxi/models/. Null: there is no endpoint."
  type        = string
  default     = null
  validation {
    condition     = var.packages_uri == null || can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^/].*/$", var.packages_uri))
    error_message = "Packages lie under a prefix that ends with a slash: s3://bucket/prefix/."
  }
}

variable "image_repository" {
  description = "ARN of the ECR repository that the server's image is pulled from. Null: none is pulled."
  type        = string
  default     = null
  validation {
    condition     = var.image_repository == null || can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9][a-z0-9._/-]*$", var.image_repository))
    error_message = "A repository is an ARN such as arn:aws:ecr:eu-central-1:111122223333:repository/city-taxi."
  }
}

variable "endpoint" {
  description = "Name of the SageMaker endpoint. Null: predictions are made in batches only."
  type        = string
  default     = null
  validation {
    # 63 are SageMaker's limit; nine go to the revision that names of models and configurations end with.
    condition     = var.endpoint == null || can(regex("^[a-zA-Z0-9](-?[a-zA-Z0-9]){0,53}$", var.endpoint))
    error_message = "An endpoint has at most 54 letters, digits and single dashes."
  }
}

variable "encryption_keys" {
  description = "ARNs of the KMS keys of the buckets above."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for arn in var.encryption_keys : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "A key is an ARN such as arn:aws:kms:eu-central-1:111122223333:key/….: no alias, which could come to mean another key."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds the role made here. Null: none."
  type        = string
  default     = null
}

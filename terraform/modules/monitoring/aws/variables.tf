variable "name" {
  description = "Beginning of every name made here, such as city-taxi-trip-fare-prod."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,39}$", var.name)) && !endswith(var.name, "-")
    error_message = "A name has 2 to 40 lower-case letters, digits and dashes, begins with a letter and does not end with a dash."
  }
}

variable "environment" {
  description = "Environment that is watched, such as prod."
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
  description = "AWS account of the workspace."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account has 12 digits, quoted: a number would lose leading zeros."
  }
}

variable "region" {
  description = "AWS region of the workspace, such as eu-central-1."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region looks like eu-central-1."
  }
}

variable "project" {
  description = "Project of the model: a label of what is recorded."
  type        = string
  nullable    = false
}

variable "model_name" {
  description = "The model within the project: a label of what is recorded."
  type        = string
  nullable    = false
}

variable "recording_rules" {
  description = "PromQL by the name that it is recorded under."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for record in keys(var.recording_rules) : can(regex("^[a-zA-Z_:][a-zA-Z0-9_:]*$", record))])
    error_message = "A name of a recording rule is one of a metric, such as fares:requests:rate5m."
  }
}

variable "receivers" {
  description = <<-EOT
    Who is told, by severity. Types: email and https (address: where to; either has to confirm once), sns (ARN of a
    topic of yours, which lets Prometheus publish), pagerduty (ARN of the secret of Secrets Manager with the routing
    key, as plain text). Empty: nobody is told, and alerts are only to be seen.
  EOT
  type        = map(list(object({ type = string, address = string })))
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for severity in keys(var.receivers) : can(regex("^[a-z][a-z0-9_-]*$", severity))])
    error_message = "Receivers go by severity, such as page and ticket."
  }
  validation {
    condition = alltrue([for each in flatten(values(var.receivers)) : can(regex({
      email     = "^[^@[:space:]]+@[^@[:space:]]+$"
      https     = "^https://[^[:space:]@]+$"
      sns       = "^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$"
      pagerduty = "^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$"
    }[each.type], each.address))])
    error_message = "A receiver is of type email, https, sns or pagerduty, with an address of that type; a secret is named by its ARN, never written here."
  }
}

variable "workspace_id" {
  description = "A workspace of Amazon Managed Prometheus to put the rules into. Null: one is made. Yours keeps its own routing: give no receivers."
  type        = string
  default     = null
  validation {
    condition     = var.workspace_id == null || can(regex("^ws-[0-9a-f-]+$", var.workspace_id))
    error_message = "A workspace has an id such as ws-0123abcd-...."
  }
}

variable "retention_days" {
  description = "How long samples and the workspace's own log are kept."
  type        = number
  default     = 150
  nullable    = false
  validation {
    # Prometheus keeps samples for 1095 days at most, and the next number of CloudWatch Logs is 1096.
    condition     = contains([90, 120, 150, 180, 365, 400, 545, 731], var.retention_days)
    error_message = "Days that Prometheus and CloudWatch Logs both take: 90, 120, 150, 180, 365, 400, 545 or 731."
  }
}

variable "encryption_key" {
  description = "ARN of a KMS key for samples, log and notifications; it must let Prometheus, SNS and CloudWatch Logs use it. Null: one is made."
  type        = string
  default     = null
  validation {
    condition     = var.encryption_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.encryption_key))
    error_message = "A key is an ARN such as arn:aws:kms:eu-central-1:111122223333:key/….: no alias, which could come to mean another key."
  }
}

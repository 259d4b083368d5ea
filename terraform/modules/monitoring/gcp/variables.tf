variable "name" {
  description = "Beginning of the names of what is made, such as city-taxi-trip-fare-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "name is 2 to 48 of a-z, 0-9 and -, and begins with a letter."
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
  description = "Labels of policies and channels."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Google Cloud takes a-z, 0-9, _ and - in labels, at most 63, and a letter first in a key."
  }
}

variable "project_id" {
  description = "Google Cloud project whose metrics are watched."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
}

variable "project" {
  description = "Project of the model, as the configuration says: part of the rule group's name."
  type        = string
}

variable "model_name" {
  description = "The model within the project: part of the rule group's name."
  type        = string
}

variable "recording_rules" {
  description = "PromQL by the name that it is recorded under. Cloud Monitoring records nothing: a query that relies on one of them is refused."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for record in keys(var.recording_rules) : can(regex("^[a-zA-Z_:][a-zA-Z0-9_:]*$", record))])
    error_message = "A name of a recording rule is one of a metric, such as fares:requests:rate5m."
  }
}

variable "receivers" {
  description = <<-EOT
    Who is told, by severity. Types: email, pubsub (a topic of yours, projects/P/topics/T, from where anything may be
    told), channel (a notification channel that is there, projects/P/notificationChannels/N: whoever makes one for
    PagerDuty or a chat puts its secret in, so that it never comes into a state). Empty: nobody is told, and alerts are
    only to be seen.
  EOT
  type        = map(list(object({ type = string, address = string })))
  default     = {}

  validation {
    condition     = alltrue([for severity in keys(var.receivers) : contains(["page", "ticket"], severity)])
    error_message = "Receivers go by severity: page and ticket."
  }
  validation {
    condition = alltrue([for each in flatten(values(var.receivers)) : can(regex({
      email   = "^[^@[:space:]]+@[^@[:space:]]+$"
      pubsub  = "^projects/[^/]+/topics/[^/]+$"
      channel = "^projects/[^/]+/notificationChannels/[^/]+$"
    }[each.type], each.address))])
    error_message = "A receiver is of type email, pubsub or channel, with an address of that type."
  }
}

# In a file of its own: checkov cannot read an attribute called `for`, and passes over the file that has one.

variable "alerts" {
  description = "The alerts by key, as `mlops-config` gives them in release.auto.tfvars.json: query is PromQL without recording rules."
  type = map(object({
    name        = string
    expr        = string
    query       = string
    for         = string
    severity    = string
    labels      = map(string)
    summary     = string
    description = string
    runbook_url = optional(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for alert in values(var.alerts) : can(regex("^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", alert.for)) && alert.for != ""])
    error_message = "An alert's `for` is a duration as Prometheus writes it, in whole seconds: 0s, 5m or 1h30m."
  }
  validation {
    condition     = alltrue([for alert in values(var.alerts) : contains(["page", "ticket"], alert.severity)])
    error_message = "An alert's severity is page or ticket."
  }
  validation {
    condition     = alltrue([for alert in values(var.alerts) : trimspace(alert.query) != "" && alltrue([for label in keys(alert.labels) : can(regex("^[a-zA-Z_][a-zA-Z0-9_]*$", label))])])
    error_message = "An alert has a query, and its labels have names that Prometheus takes: letters, digits and _."
  }
}

locals {
  # Of a duration such as 1h30m, the seconds.
  seconds = {
    for key, alert in var.alerts : key => sum([
      for unit, size in { d = 86400, h = 3600, m = 60, s = 1 } : size * try(tonumber(regex("([0-9]+)${unit}", alert.for)[0]), 0)
    ])
  }

  # Cloud Monitoring refuses a policy that waits for longer than a day. An alert that would, comes sooner, and says so.
  # https://docs.cloud.google.com/monitoring/alerts/using-promql
  longest = 86400
  hurried = {
    for key, alert in var.alerts : key => local.seconds[key] <= local.longest ? "" :
    "The configuration has it wait for ${alert.for}. Cloud Monitoring waits for a day at most, so it comes after that."
  }
}

# In a file of its own: checkov cannot read an attribute called `for`, and passes over the file that has one.
variable "alerts" {
  description = "Alerting rules as the configuration gives them; the key is unique, the name need not be."
  type = map(object({
    name        = string
    expr        = string
    for         = string
    severity    = string
    labels      = map(string)
    summary     = string
    description = string
    runbook_url = optional(string)
  }))
  default  = {}
  nullable = false
  validation {
    condition     = alltrue([for alert in values(var.alerts) : can(regex("^([0-9]+(ms|[smhdwy]))+$", alert.for))])
    error_message = "How long an alert has to hold is a duration of Prometheus, such as 5m or 0s."
  }
  validation {
    condition     = alltrue([for alert in values(var.alerts) : lookup(alert.labels, "severity", "") == alert.severity])
    error_message = "An alert is routed by its label severity: it must be the alert's severity."
  }
}

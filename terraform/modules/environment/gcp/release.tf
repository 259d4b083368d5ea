# The release, as the root module has it (release.tf there says what each attribute means and checks it).

variable "release" {
  description = "Which release it is."
  type = object({
    environment   = string
    name          = string
    version       = optional(string)
    commit        = optional(string)
    config_digest = string
    image         = optional(string)
  })
  nullable = false

  validation {
    condition     = var.release.environment == var.environment
    error_message = "This is ${var.environment}, and the release is one of ${var.release.environment}."
  }
}

variable "config" {
  description = "What the release's four files say about infrastructure."
  type = object({
    project         = string
    model_name      = string
    owner           = string
    labels          = map(string)
    target          = string
    region          = optional(string)
    project_id      = optional(string)
    endpoint        = optional(string)
    reads           = map(string)
    writes          = map(string)
    secrets         = list(string)
    recording_rules = map(string)
    alerts = map(object({
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
  })
  nullable = false

  validation {
    condition = !anytrue(flatten([for uri in values(var.config.writes) : [
      for other in setsubtract(["dev", "staging", "prod"], [var.environment]) : can(regex("(^|[^A-Za-z0-9])${other}([^A-Za-z0-9]|$)", uri))
    ]]))
    error_message = "This is ${var.environment}, and the configuration writes to a place that is named after another environment: ${join(", ", values(var.config.writes))}."
  }
}

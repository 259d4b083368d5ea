# The release that the infrastructure is for: `mlops-config deploy` writes it as release.auto.tfvars.json.
# In mlops-config-action tools/generate_terraform_variables.py makes this from the model of these variables.
# Do not edit.

variable "mlops_config_path" {
  description = "Folder of the environment's four files in the repository."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._-]*/)*dev/$", var.mlops_config_path))
    error_message = "mlops_config_path must be the folder of the dev files, like configs/dev/."
  }
}

variable "release" {
  description = "The release that the infrastructure is for."
  type = object({
    # The environment it is for.
    environment = string
    # Its version, or its commit where it has none.
    name = string
    # From the release tag.
    version = optional(string)
    # Full commit; null outside git.
    commit = optional(string)
    # Digest of the four files.
    config_digest = string
    # The environment's image by digest; null while no registry holds it.
    image = optional(string)
  })
  nullable = false

  validation {
    condition = alltrue([
      var.release.environment != null,
      var.release.name != null,
      var.release.config_digest != null,
    ])
    error_message = "Of release only version, commit, image may be null."
  }

  validation {
    condition     = var.release.environment == "dev"
    error_message = "This is dev: the release must be one of dev."
  }

  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.release.config_digest))
    error_message = "release.config_digest must be sha256: and 64 hex digits."
  }

  validation {
    condition     = var.release.commit == null || can(regex("^[0-9a-f]{40}([0-9a-f]{24})?$", var.release.commit))
    error_message = "release.commit must be a full commit of 40 or 64 hex digits, or null."
  }

  validation {
    condition     = var.release.image == null || can(regex("^[a-z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}$", var.release.image))
    error_message = "release.image must name the image by digest, repository@sha256:…, or be null."
  }
}

variable "config" {
  description = "What the release's four files say about infrastructure."
  type = object({
    # Project, the prefix of what is stored.
    project = string
    # The model within the project.
    model_name = string
    # Who answers for it.
    owner = string
    # Labels for cloud resources.
    labels = map(string)
    # Where the model serves.
    target = string
    # Region or location of the deployer; null on local.
    region = optional(string)
    # AWS account of the deployer.
    account_id = optional(string)
    # Google Cloud project of the deployer.
    project_id = optional(string)
    # Name of the endpoint; null where predictions come in batches.
    endpoint = optional(string)
    # First part of every metric's name.
    namespace = string
    # What jobs read, URI by configuration key.
    reads = map(string)
    # What jobs write, URI by configuration key.
    writes = map(string)
    # Days after which it may go, by configuration key.
    retention_days = map(number)
    # Names of the secrets that the files refer to.
    secrets = list(string)
    # PromQL by the name that is recorded.
    recording_rules = map(string)
    # Alerting rules by name.
    alerts = map(object({
      # Its name; two rules of one staleness alert share it.
      name = string
      # PromQL over the recording rules.
      expr = string
      # The same PromQL with every recording rule written out.
      query = string
      # How long it has to hold, such as 5m or 0s.
      for = string
      # Who is told.
      severity = string
      # Labels of the alert, the severity among them.
      labels = map(string)
      # One line; a Prometheus template.
      summary = string
      # A sentence; a Prometheus template, with $value in it.
      description = string
      # What to do about it.
      runbook_url = optional(string)
    }))
  })
  nullable = false

  validation {
    condition = alltrue([
      var.config.project != null,
      var.config.model_name != null,
      var.config.owner != null,
      var.config.labels != null,
      var.config.target != null,
      var.config.namespace != null,
      var.config.reads != null,
      var.config.writes != null,
      var.config.retention_days != null,
      var.config.secrets != null,
      var.config.recording_rules != null,
      var.config.alerts != null,
    ])
    error_message = "Of config only region, account_id, project_id, endpoint may be null."
  }

  validation {
    condition     = contains(["local", "aws", "gcp"], var.config.target)
    error_message = "config.target must be local, aws or gcp."
  }

  validation {
    condition     = alltrue([for alert in values(var.config.alerts) : contains(["page", "ticket"], alert.severity)])
    error_message = "The severity of an alert must be page or ticket."
  }

  validation {
    condition     = alltrue([for alert in values(var.config.alerts) : lookup(alert.labels, "environment", "") == "dev"])
    error_message = "This is dev: every alert must be one of dev."
  }

  validation {
    condition     = alltrue([for days in values(var.config.retention_days) : days >= 1])
    error_message = "What is kept must be kept for a day at least."
  }
}

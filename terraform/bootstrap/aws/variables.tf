variable "name" {
  description = "Your organisation, or the project: the state's bucket is <name>-terraform-<account>."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 30 lower-case letters, digits and dashes, begins with a letter and does not end with a dash."
  }
}

variable "account_id" {
  description = "AWS account that this is applied to; the provider works in no other one."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account has 12 digits, quoted: a number would lose leading zeros."
  }
}

variable "region" {
  description = "AWS region of the environments of this account, such as eu-central-1."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region looks like eu-central-1."
  }
}

variable "labels" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}

variable "state_days" {
  description = "How long former versions of a state, and the bucket's access logs, are kept."
  type        = number
  default     = 365
  validation {
    condition     = var.state_days >= 30
    error_message = "Former states are kept for 30 days at least: they are what to go back to."
  }
}

variable "repository" {
  description = "The GitHub repository with the configuration: `gh api repos/OWNER/NAME --jq '.owner.id, .id'` shows the numbers."
  type        = object({ owner = string, owner_id = string, name = string, id = string })
}

variable "environments" {
  description = "GitHub environments of this account, as in modules/github_oidc/aws/variables.tf."
  type = map(object({
    name             = string
    publish_refs     = list(string)
    state_key        = string
    endpoint         = optional(string)
    store            = optional(string)
    image_repository = optional(string)
    dags_folder      = optional(string)
    airflow          = optional(string)
    secrets_prefix   = optional(string)
  }))
}

variable "default_branch" {
  description = "The branch whose pushed and scheduled runs may plan without a GitHub environment."
  type        = string
  default     = "main"
}

variable "plan_pull_requests" {
  description = "Whether pull requests of the repository itself may plan, and its merge queue, which is reading only."
  type        = bool
  default     = true
}

variable "plan_environment_suffix" {
  description = "GitHub environments in which plans are made have an environment's name and this behind it."
  type        = string
  default     = "-plan"
}

variable "job_workflow_refs" {
  description = "Reusable workflows that may log in. Empty: any workflow of the repository."
  type        = list(string)
  default     = []
}

variable "create_provider" {
  description = "Whether GitHub's identity provider is made; an account has one at most."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "account_id" {
  description = "AWS account that the environments lie in."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account has 12 digits, quoted: a number would lose leading zeros."
  }
}

variable "region" {
  description = "AWS region of the environments, such as eu-central-1."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region looks like eu-central-1."
  }
}

variable "repository" {
  description = "The one GitHub repository whose workflows are let in. With its numbers nobody who takes the name over is: `gh api repos/OWNER/NAME --jq '.owner.id, .id'` shows them."
  type = object({
    owner    = string
    owner_id = string
    name     = string
    id       = string
  })
  validation {
    condition     = can(regex("^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$", var.repository.owner)) && can(regex("^[A-Za-z0-9._-]{1,100}$", var.repository.name))
    error_message = "Owner and name are those of GitHub, without a slash or a wildcard."
  }
  validation {
    condition     = can(regex("^[1-9][0-9]{0,18}$", var.repository.owner_id)) && can(regex("^[1-9][0-9]{0,18}$", var.repository.id))
    error_message = "owner_id and id are GitHub's numbers, quoted."
  }
}

variable "environments" {
  description = <<-EOT
    GitHub environments of this account. name: what everything of it begins with, as in its root module. publish_refs:
    refs that may plan and publish without the GitHub environment, such as refs/tags/release/v*. state_key: its state in
    the bucket. endpoint: the SageMaker endpoint that a rollback moves. store, image_repository, dags_folder, airflow: your
    own ones, where the root module is given them (s3://bucket/prefix, a repository's ARN, s3://bucket/dags, an MWAA
    environment's name). store also where it is given artifact_store.name or artifact_store.prefix: as its output store_uri
    says. secrets_prefix: as airflow.secrets_prefix there, by default airflow/<name>.
  EOT
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
  validation {
    condition     = length(var.environments) > 0 && alltrue([for environment in keys(var.environments) : can(regex("^[a-z][a-z0-9-]{0,30}$", environment))])
    error_message = "There is one environment at least; their names are at most 31 of a-z, 0-9 and -, and begin with a letter."
  }
  validation {
    # Shorter ones could be the beginning of somebody else's names.
    condition     = alltrue([for each in values(var.environments) : can(regex("^[a-z][a-z0-9-]{6,38}[a-z0-9]$", each.name))])
    error_message = "A name has 8 to 40 lower-case letters, digits and dashes, begins with a letter and does not end with a dash."
  }
  validation {
    condition     = alltrue(flatten([for each in values(var.environments) : [for ref in each.publish_refs : can(regex("^refs/(heads|tags)/[A-Za-z0-9][A-Za-z0-9._/-]*[*]?$", ref))]]))
    error_message = "publish_refs begin with refs/heads/ or refs/tags/ and a letter or digit; a * stands at the end only."
  }
  validation {
    condition     = alltrue([for each in values(var.environments) : can(regex("^[A-Za-z0-9][A-Za-z0-9._/-]*[.]tfstate$", each.state_key))])
    error_message = "A state_key looks like city-taxi/prod/aws.tfstate."
  }
  validation {
    condition     = length(distinct([for each in values(var.environments) : each.state_key])) == length(var.environments) && length(distinct([for each in values(var.environments) : each.name])) == length(var.environments)
    error_message = "Two environments have one name or one state_key."
  }
  validation {
    condition     = alltrue(flatten([for each in values(var.environments) : [for uri in [each.store, each.dags_folder] : uri == null || can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9]", uri)) || (uri == each.store && can(regex("^s3://${each.name}-[a-z0-9.-]*[a-z0-9]$", uri)))]]))
    error_message = "store and dags_folder have a prefix in their bucket, such as s3://acme-airflow/dags; a store whose bucket begins with the environment's name and a dash may do without."
  }
  validation {
    condition     = alltrue([for each in values(var.environments) : each.image_repository == null || can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9][a-z0-9._/-]*$", each.image_repository))])
    error_message = "An image_repository is an ARN such as arn:aws:ecr:eu-central-1:444455556666:repository/acme/models."
  }
  validation {
    condition     = alltrue([for each in values(var.environments) : each.secrets_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)*$", each.secrets_prefix))])
    error_message = "secrets_prefix is words with single slashes between them, such as acme/airflow."
  }
}

variable "state" {
  description = "Bucket of Terraform's states."
  type        = object({ bucket = string })
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state.bucket))
    error_message = "state.bucket is the name of a bucket."
  }
}

variable "default_branch" {
  description = "The branch whose pushed and scheduled runs may plan without a GitHub environment."
  type        = string
  default     = "main"
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._/-]*$", var.default_branch))
    error_message = "A branch is named without refs/heads/ and without a wildcard."
  }
}

variable "plan_pull_requests" {
  description = "Whether pull requests of the repository itself may plan, and its merge queue, which is reading only. Those of forks never get a token."
  type        = bool
  default     = true
  nullable    = false
}

variable "plan_environment_suffix" {
  description = "GitHub environments in which plans are made have an environment's name and this behind it."
  type        = string
  default     = "-plan"
  nullable    = false
  validation {
    condition     = can(regex("^-[a-z0-9-]+$", var.plan_environment_suffix))
    error_message = "The suffix begins with a dash, such as -plan: without one, plans would be let in as deployments."
  }
}

variable "job_workflow_refs" {
  description = "Reusable workflows that may log in, such as acme/mlops-config-action/.github/workflows/deploy.yml@refs/tags/v1*. Empty: any workflow of the repository. AWS compares this claim of GitHub's since January 2026, in its commercial regions."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for ref in var.job_workflow_refs : can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+/[.]github/workflows/[A-Za-z0-9._-]+@[A-Za-z0-9._/-]+[*]?$", ref))])
    error_message = "A workflow looks like acme/mlops-config-action/.github/workflows/deploy.yml@refs/tags/v1*."
  }
}

variable "create_provider" {
  description = "Whether GitHub's identity provider is made; an account has one at most. false: it is there already."
  type        = bool
  default     = true
  nullable    = false
}

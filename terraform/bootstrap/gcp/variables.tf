variable "name" {
  description = "The project of the configuration (metadata.project), such as city-taxi: what the environments' names begin with. Accounts are <name>-<environment>-<kind>, states lie in <name>/<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "name is 3 to 30 small letters, digits and dashes, begins with a letter and does not end with a dash."
  }
}

variable "project_id" {
  description = "Google Cloud project that this is applied to: one for each environment, since the project is the wall between them."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
}

variable "region" {
  description = "Region of the environments of this project, such as europe-west4."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is a region such as europe-west4, no zone and no multi-region."
  }
}

variable "labels" {
  description = "Labels of everything made here."
  type        = map(string)
  default     = {}
}

variable "state_days" {
  description = "Days for which former versions of a state, and the bucket's access logs, are kept."
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
  description = "GitHub environments of this project, as in modules/github_oidc/gcp/variables.tf. name: as its root names everything, <project>-<model>-<environment>; with it github_variables say where releases go. One of them may begin otherwise than with this project's name, and two where none begins with it. store: gs://bucket/prefix, where the root is given artifact_store.name or artifact_store.prefix: its output store_uri."
  type        = map(object({ publish_refs = list(string), secrets_prefix = optional(string), name = optional(string), store = optional(string) }))

  validation {
    condition     = alltrue([for each in values(var.environments) : each.name == null || can(regex("^[a-z][a-z0-9-]{6,38}[a-z0-9]$", each.name))])
    error_message = "A name has 8 to 40 lower-case letters, digits and dashes, begins with a letter and does not end with a dash."
  }

  validation {
    # Who deploys may change buckets by the beginnings of their names, of which Google Cloud's conditions have room for two.
    condition = length(distinct([for each in values(var.environments) :
      startswith(coalesce(each.name, "${var.name}-"), "${var.name}-") ? var.name : each.name
    ])) <= 2
    error_message = "The names of one project's environments have two beginnings at most, where all that begin with ${var.name}- count as one."
  }

  validation {
    condition     = alltrue([for each in values(var.environments) : each.store == null || can(regex("^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[A-Za-z0-9][A-Za-z0-9._-]*)*$", each.store))])
    error_message = "An environment's store is gs://bucket or gs://bucket/prefix, without a slash at its end."
  }

  validation {
    condition     = length(setintersection(["dev", "staging"], keys(var.environments))) == 0 || !contains(keys(var.environments), "prod")
    error_message = "prod shares its project with no other environment: whoever deploys to the other one could reach it."
  }
}

variable "store" {
  description = "A store of yours for releases, where the root modules are given artifact_store.uri; null: they make one."
  type        = object({ bucket = string, prefix = string })
  default     = null
}

variable "data_buckets" {
  description = "Buckets that the files read or write, or that packages lie in, and whose names do not begin as the environments' own do (<project_id>-<name>-): applying lets jobs and models in to them. Names, without gs://."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "image_repository" {
  description = "A repository of yours for images, where the root modules are given image_repository.id; null: they make one."
  type        = string
  default     = null
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

variable "job_workflow_refs" {
  description = "Reusable workflows that may log in. Empty: any workflow of the repository."
  type        = list(string)
  default     = []
}

variable "create_provider" {
  description = "Whether pool and provider for GitHub are made; false: pool says where they are."
  type        = bool
  default     = true
}

variable "pool" {
  description = "Name of the pool that is there; null: it is made here."
  type        = string
  default     = null
}

variable "deprivilege_default_service_accounts" {
  description = "Whether the default service accounts of Compute Engine and App Engine lose the role Editor. Say false in a project where something runs as them, and give it an account of its own."
  type        = bool
  default     = true
}

variable "name" {
  description = "Lower-case prefix of what is made, such as city-taxi: of pool, service accounts and roles."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !startswith(var.name, "gcp-")
    error_message = "name is 3 to 32 small letters, digits and dashes, a letter first; gcp- is Google's own prefix."
  }
}

variable "labels" {
  description = "Labels; service accounts and pools carry none, so they are part of descriptions."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "project_id" {
  description = "Google Cloud project that the environments lie in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
}

variable "repository" {
  description = "The one GitHub repository whose workflows are let in. Its numbers decide, since names can be taken over: `gh api repos/OWNER/NAME --jq '.owner.id, .id'` shows them."
  type = object({
    owner    = string
    owner_id = string
    name     = string
    id       = string
  })

  validation {
    condition     = can(regex("^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$", var.repository.owner)) && can(regex("^[A-Za-z0-9._-]{1,100}$", var.repository.name))
    error_message = "repository.owner and repository.name are those of GitHub, without a slash or a wildcard."
  }
  validation {
    condition     = can(regex("^[1-9][0-9]{0,18}$", var.repository.owner_id)) && can(regex("^[1-9][0-9]{0,18}$", var.repository.id))
    error_message = "repository.owner_id and repository.id are GitHub's numbers, quoted."
  }
}

variable "environments" {
  description = <<-EOT
    GitHub environments. publish_refs: the refs that may publish to it, regular expressions (RE2) of whole refs; these, and
    the default branch, may plan without a GitHub environment. secrets_prefix: as airflow.secrets_prefix in the root
    module, where it is given one.
  EOT
  type = map(object({
    publish_refs   = list(string)
    secrets_prefix = optional(string)
  }))

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in keys(var.environments) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "environments has one at least; their names are at most 31 of a-z, 0-9 and -, and begin with a letter."
  }
  validation {
    condition     = alltrue(flatten([for each in values(var.environments) : [for ref in each.publish_refs : can(regex("^refs/(heads|tags)/[A-Za-z0-9]", ref)) && !can(regex("['\"\\\\|]", ref)) && can(regexall(ref, ""))]]))
    error_message = "publish_refs are regular expressions that begin with refs/heads/ or refs/tags/ and a letter or digit, such as refs/tags/release/v[0-9]+[.][0-9]+[.][0-9]+; without quotes, backslashes or |."
  }
  validation {
    condition     = alltrue([for each in values(var.environments) : each.secrets_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", each.secrets_prefix)) && !startswith(coalesce(each.secrets_prefix, "-"), "mlops-")])
    error_message = "secrets_prefix is at most 63 letters, digits, - and _, and does not begin with mlops-: what people fill is called so."
  }
}

variable "default_branch" {
  description = "The branch whose pushed and scheduled runs may plan without a GitHub environment."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._/-]*$", var.default_branch))
    error_message = "default_branch is a branch's name, without refs/heads/ and without a wildcard."
  }
}

variable "plan_pull_requests" {
  description = "Whether pull requests of the repository itself may plan, and its merge queue, which is reading only. Those of forks never get a token."
  type        = bool
  default     = true
}

variable "job_workflow_refs" {
  description = "Regular expressions (RE2) of the reusable workflows that may log in, as OWNER/REPO/.github/workflows/FILE@REF; empty: any workflow of the repository."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for ref in var.job_workflow_refs : can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+/[.]github/workflows/[^'\"\\\\]+@[^'\"\\\\]+$", ref))])
    error_message = "job_workflow_refs look like acme/mlops-config-action/.github/workflows/deploy.yml@refs/tags/v1.*; without quotes or backslashes."
  }
}

variable "create_provider" {
  description = "Whether pool and provider are made; false: an earlier use of this module made them for the same repository, and pool says where."
  type        = bool
  default     = true
}

variable "pool" {
  description = "Name of the pool that is there: projects/NUMBER/locations/global/workloadIdentityPools/ID; null: it is made here."
  type        = string
  default     = null

  validation {
    condition     = var.pool == null || can(regex("^projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}$", var.pool))
    error_message = "pool looks like projects/111122223333/locations/global/workloadIdentityPools/github."
  }
  validation {
    condition     = var.create_provider == (var.pool == null)
    error_message = "pool is given when, and only when, create_provider is false."
  }
}

variable "state" {
  description = "Bucket of Terraform's state, and the folder in it: an environment's state lies in <prefix>/<environment>."
  type = object({
    bucket = string
    prefix = string
  })

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.state.bucket)) && can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*$", var.state.prefix))
    error_message = "state.bucket is a bucket's name, and state.prefix a folder in it without slashes at its ends."
  }
}

variable "bucket_prefixes" {
  description = "Beginnings of the names of the buckets that the environments make: what deploying may change besides."
  type        = list(string)

  validation {
    # A condition has 12 logical operators at most: https://docs.cloud.google.com/iam/quotas
    condition     = contains([1, 2], length(var.bucket_prefixes)) && alltrue([for each in var.bucket_prefixes : can(regex("^[a-z0-9][a-z0-9-]{4,61}$", each))])
    error_message = "bucket_prefixes are one or two of 5 letters at least, such as acme-ml-dev-: a shorter one would let in too much."
  }
}

variable "data_buckets" {
  description = "Buckets that the files read or write, or that packages lie in, and that begin otherwise: applying lets jobs and models in to them. Of this project; where one is another project's, its owner lets deploy and rollback change its policy."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.data_buckets) <= 12 && alltrue([for each in var.data_buckets : can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", each))])
    error_message = "data_buckets are at most 12 names of buckets, such as acme-trips, without gs://."
  }
}

variable "store" {
  description = "A bucket with releases that is not made by the module artifact_store, whose bucket has a policy of its own; null: none."
  type = object({
    bucket = string
    prefix = string
  })
  default = null

  validation {
    condition     = var.store == null ? true : can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.store.bucket)) && can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*$", var.store.prefix))
    error_message = "store.bucket is a bucket's name, and store.prefix a folder in it without slashes at its ends."
  }
}

variable "image_repository" {
  description = "A repository of Artifact Registry that is not made by the module image_repository, projects/P/locations/L/repositories/R; null: none."
  type        = string
  default     = null

  validation {
    condition     = var.image_repository == null || can(regex("^projects/[^/]+/locations/[^/]+/repositories/[^/]+$", var.image_repository))
    error_message = "image_repository looks like projects/acme-ml-dev/locations/europe-west4/repositories/city-taxi."
  }
}

variable "grantable_roles" {
  description = "Roles in the project that applying may give and take away: those that the modules grant."
  type        = list(string)
  default = [
    "roles/aiplatform.user",
    "roles/composer.user",
    "roles/composer.worker",
    "roles/logging.logWriter",
    "roles/monitoring.metricWriter",
  ]

  validation {
    condition     = length(var.grantable_roles) > 0 && alltrue([for role in var.grantable_roles : can(regex("^(roles|projects/[a-z0-9-]+/roles)/[A-Za-z0-9_.]+$", role))])
    error_message = "grantable_roles are roles such as roles/aiplatform.user."
  }
  validation {
    condition     = alltrue([for role in var.grantable_roles : !can(regex("^roles/(owner|editor)$|[aA]dmin$|^roles/iam[.](serviceAccount|workloadIdentity|security)", role))])
    error_message = "grantable_roles has no owner, editor or administrator, and no role that acts as a service account: whoever applies could make themselves one."
  }
}

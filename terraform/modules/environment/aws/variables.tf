variable "environment" {
  description = "The environment, such as prod: the root module's own, not the release's."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "name" {
  description = "What everything made begins with. Null: <project>-<model>-<environment>, cut where that is longer than 40."
  type        = string
  default     = null
  validation {
    condition     = var.name == null || can(regex("^[a-z][a-z0-9-]{6,38}[a-z0-9]$", var.name))
    error_message = "A name has 8 to 40 lower-case letters, digits and dashes, begins with a letter and does not end with a dash."
  }
}

variable "labels" {
  description = "Tags of everything made here, beside the configuration's labels."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = !contains(keys(var.labels), "environment")
    error_message = "The tag environment is set here: the roles of GitHub go by it."
  }
}

variable "account_id" {
  description = "AWS account of the environment."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account has 12 digits, quoted: a number would lose leading zeros."
  }
  validation {
    condition     = var.config.account_id == null || var.config.account_id == var.account_id
    error_message = "The inference file deploys to account ${coalesce(var.config.account_id, "-")}, and this environment is account ${var.account_id}."
  }
}

variable "region" {
  description = "AWS region of the environment, such as eu-central-1."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region looks like eu-central-1."
  }
  validation {
    condition     = var.config.target != "aws" || var.config.region == null || var.config.region == var.region
    error_message = "The inference file deploys to ${coalesce(var.config.region, "-")}, and this environment is in ${var.region}."
  }
}

variable "mlops_config_path" {
  description = "Folder of the environment's four files in the repository."
  type        = string
  nullable    = false
}

variable "artifact_store" {
  description = "Where releases lie. uri: a store of yours, and none is made; packages then lie in it as well. name: of the bucket made, by default <name>-<account>. The rest as in the module."
  type = object({
    uri             = optional(string)
    name            = optional(string)
    prefix          = optional(string, "")
    noncurrent_days = optional(number, 365)
    access_log_days = optional(number, 365)
    lock_days       = optional(number)
    writers         = optional(list(string), [])
    readers         = optional(list(string), [])
  })
  default  = {}
  nullable = false
  validation {
    condition     = var.artifact_store.uri == null || can(regex("^(s3|oci)://[^@[:space:]]+[^/@[:space:]]$", var.artifact_store.uri))
    error_message = "artifact_store.uri is s3://bucket/prefix or oci://registry/repository, without a slash at its end."
  }
}

variable "packages_uri" {
  description = "Where model packages lie, s3://bucket/prefix/. Null: in the store, <project>/models/."
  type        = string
  default     = null
  validation {
    condition     = var.packages_uri != null || !startswith(coalesce(var.artifact_store.uri, "s3://"), "oci:") || var.config.target != "aws"
    error_message = "SageMaker takes packages from S3, and the store is a registry: give packages_uri."
  }
}

variable "image_repository" {
  description = "The ECR repository. arn: one of yours, and none is made. untagged_days, writers and readers as in the module."
  type = object({
    arn           = optional(string)
    untagged_days = optional(number, 14)
    writers       = optional(list(string), [])
    readers       = optional(list(string), [])
  })
  default  = {}
  nullable = false
}

variable "network" {
  description = "Where Airflow runs: two private subnets and their security groups of yours, or the range of a network that is made. egress: where jobs may go in it beside HTTPS, such as { mlflow = { cidr = \"10.1.0.0/24\", port = 5000 } }."
  type = object({
    subnet_ids         = optional(list(string))
    security_group_ids = optional(list(string))
    cidr               = optional(string, "10.64.0.0/20")
    zones              = optional(list(string))
    nat_gateways       = optional(string, "one")
    egress             = optional(map(object({ cidr = string, port = number })), {})
  })
  default  = {}
  nullable = false
  validation {
    condition     = (var.network.subnet_ids == null) == (var.network.security_group_ids == null)
    error_message = "A network of yours has both subnet_ids and security_group_ids."
  }
}

variable "airflow" {
  description = "MWAA, as in the module airflow, where class is called environment_class and options airflow_options. Null: Airflow is yours, and the settings say where it is; attach job_policies to what runs its jobs."
  type = object({
    version               = optional(string, "3.2.1")
    class                 = optional(string, "mw1.small")
    min_workers           = optional(number, 1)
    max_workers           = optional(number, 2)
    webserver_access_mode = optional(string, "PUBLIC_ONLY")
    maintenance_window    = optional(string, "SUN:03:30")
    options               = optional(map(string), {})
    requirements          = optional(string)
    dag_source            = optional(string)
    package_version       = optional(string)
    log_days              = optional(number, 90)
    access_log_bucket     = optional(string)
    secrets_prefix        = optional(string)
    trigger               = optional(bool, false)
  })
  default = {}
}

variable "jobs" {
  description = "How jobs run on Airflow, as in the module airflow. With neither python nor kubernetes_conn_id: on its workers, in an environment made of requirements, by default requirements/jobs.txt."
  type = object({
    requirements       = optional(string)
    python             = optional(string)
    entrypoints        = optional(string)
    root               = optional(string)
    kubernetes_conn_id = optional(string)
    kubernetes_secrets = optional(list(string))
    image_pull_secrets = optional(list(string))
  })
  default  = {}
  nullable = false
}

variable "variables" {
  description = "Environment variables of the jobs, such as MLFLOW_TRACKING_URI; nothing secret."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "execution_role_secret" {
  description = "What the inference file calls the endpoint's role, secret://<this>: jobs are given the role made here. Null: deployer.role names none of ours."
  type        = string
  default     = null
  validation {
    condition     = var.execution_role_secret == null || contains(var.config.secrets, coalesce(var.execution_role_secret, "-"))
    error_message = "No file refers to secret://${coalesce(var.execution_role_secret, "-")}; they refer to: ${join(", ", var.config.secrets)}."
  }
}

variable "data_encryption_keys" {
  description = "ARNs of the KMS keys of the buckets that the configuration names."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "monitoring" {
  description = "Rules and who is told, as in the module monitoring. Null: Prometheus is yours; load what `mlops-config rules` writes."
  type = object({
    receivers      = optional(map(list(object({ type = string, address = string }))), {})
    workspace_id   = optional(string)
    retention_days = optional(number, 150)
  })
  default = {}
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds every role made here, from bootstrap/aws. Null: none; then GitHub's roles cannot apply."
  type        = string
  default     = null
}

# Where this environment lies and how large it is: terraform.tfvars says. What the attributes mean and which values they
# take is in modules/environment/aws/variables.tf.

variable "name" {
  description = "What everything made begins with. Null: <project>-<model>-<environment>, cut where that is longer than 40."
  type        = string
  default     = null
}

variable "labels" {
  description = "Tags of everything made here, beside the configuration's labels."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "account_id" {
  description = "AWS account of this environment; the provider works in no other one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account has 12 digits, quoted: a number would lose leading zeros."
  }

  validation {
    condition     = var.config.account_id == null || var.config.account_id == var.account_id
    error_message = "The inference file deploys to account ${coalesce(var.config.account_id, "-")}, and this environment lies in account ${var.account_id}."
  }
}

variable "region" {
  description = "AWS region of this environment, such as eu-central-1."
  type        = string
  nullable    = false

  validation {
    condition     = var.config.target != "gcp" && (var.config.region == null || var.config.region == var.region)
    error_message = "The inference file deploys to ${var.config.target} in ${coalesce(var.config.region, "no region")}, and this environment lies on AWS in ${var.region}."
  }
}

variable "artifact_store" {
  description = "Where releases lie. uri: a store of yours, and none is made; packages then lie in it as well. name: of the bucket made, by default <name>-<account>. The rest as in the module."
  type = object({
    uri             = optional(string)
    name            = optional(string)
    prefix          = optional(string)
    noncurrent_days = optional(number)
    access_log_days = optional(number)
    lock_days       = optional(number)
    writers         = optional(list(string))
    readers         = optional(list(string))
  })
  default  = {}
  nullable = false
}

variable "packages_uri" {
  description = "Where model packages lie, s3://bucket/prefix/. Null: in the store, <project>/models/."
  type        = string
  default     = null
}

variable "image_repository" {
  description = "The ECR repository. arn: one of yours, and none is made. untagged_days, writers and readers as in the module."
  type = object({
    arn           = optional(string)
    untagged_days = optional(number)
    writers       = optional(list(string))
    readers       = optional(list(string))
  })
  default  = {}
  nullable = false
}

variable "network" {
  description = "Where Airflow runs: two private subnets and their security groups of yours, or the range of a network that is made. egress: where jobs may go in it beside HTTPS, such as { mlflow = { cidr = \"10.1.0.0/24\", port = 5000 } }."
  type = object({
    subnet_ids         = optional(list(string))
    security_group_ids = optional(list(string))
    cidr               = optional(string)
    zones              = optional(list(string))
    nat_gateways       = optional(string)
    egress             = optional(map(object({ cidr = string, port = number })))
  })
  default  = {}
  nullable = false
}

variable "airflow" {
  description = "MWAA, as in the module airflow, where class is called environment_class and options airflow_options. Null: Airflow is yours, and the settings say where it is; attach job_policies to what runs its jobs."
  type = object({
    version               = optional(string)
    class                 = optional(string)
    min_workers           = optional(number)
    max_workers           = optional(number)
    webserver_access_mode = optional(string)
    maintenance_window    = optional(string)
    options               = optional(map(string))
    requirements          = optional(string)
    dag_source            = optional(string)
    package_version       = optional(string)
    log_days              = optional(number)
    access_log_bucket     = optional(string)
    secrets_prefix        = optional(string)
    trigger               = optional(bool)
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
    receivers      = optional(map(list(object({ type = string, address = string }))))
    workspace_id   = optional(string)
    retention_days = optional(number)
  })
  default = {}
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds every role made here, from bootstrap/aws. Null: none; then GitHub's roles cannot apply."
  type        = string
  default     = null
}

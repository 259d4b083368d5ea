# Where this environment lies and how large it is: terraform.tfvars says. What the attributes mean and which values they
# take is in modules/environment/gcp/variables.tf.
# In mlops-config-action tools/generate_terraform_variables.py makes this from
# tools/terraform_variables/gcp.tf. A copy in a repository of yours may say more.

variable "name" {
  description = "What everything made begins with. null: <project>-<model>-<environment>, cut where that is longer than 40."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of everything made here, beside the configuration's."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "project_id" {
  description = "Google Cloud project of this environment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-${local.environment}: no number and no display name."
  }

  validation {
    condition     = var.config.project_id == null || var.config.project_id == var.project_id
    error_message = "The inference file deploys to project ${coalesce(var.config.project_id, "-")}, and this environment lies in project ${var.project_id}."
  }

  validation {
    condition     = !anytrue([for other in setsubtract(["dev", "staging", "prod"], [local.environment]) : can(regex("(^|-)${other}(-|$)", var.project_id))])
    error_message = "This is ${local.environment}, and project ${var.project_id} is named after another environment."
  }
}

variable "region" {
  description = "Region of this environment, such as europe-west4."
  type        = string
  nullable    = false

  validation {
    condition     = var.config.target != "aws" && (var.config.region == null || var.config.region == var.region)
    error_message = "The inference file deploys to ${var.config.target} in ${coalesce(var.config.region, "no region")}, and this environment lies on Google Cloud in ${var.region}."
  }
}

variable "workflows" {
  description = "Members that GitHub's workflows become, from bootstrap/gcp: plan, publish, deploy and rollback. null: nobody for that."
  type = object({
    plan     = optional(string)
    publish  = optional(string)
    deploy   = optional(string)
    rollback = optional(string)
  })
  default  = {}
  nullable = false
}

variable "artifact_store" {
  description = "Where releases lie. uri: a store of yours, and none is made; who may write there is yours to say, packages lie in it as well. name: of the bucket made, by default <project>-<name>; for another one put whoever applies among administrators. The rest as in the module."
  type = object({
    uri             = optional(string)
    name            = optional(string)
    prefix          = optional(string)
    noncurrent_days = optional(number)
    access_log_days = optional(number)
    writers         = optional(list(string))
    readers         = optional(list(string))
    administrators  = optional(list(string))
  })
  default  = {}
  nullable = false
}

variable "packages_uri" {
  description = "Where model packages lie, gs://bucket/prefix/, in a bucket of yours. null: in the store, <project>/models/."
  type        = string
  default     = null
}

variable "image_repository" {
  description = "The repository of Artifact Registry. id: one of yours (projects/P/locations/L/repositories/R), and none is made. untagged_days, writers and readers as in the module."
  type = object({
    id            = optional(string)
    untagged_days = optional(number)
    writers       = optional(list(string))
    readers       = optional(list(string))
  })
  default  = {}
  nullable = false
}

variable "encryption_key" {
  description = "Cloud KMS key of store, images and Airflow, in the same region. null: the store makes one, and the others use it."
  type        = string
  default     = null
}

variable "network" {
  description = "Where Airflow runs: a network and a subnetwork of yours, or the range of a network that is made."
  type = object({
    network    = optional(string)
    subnetwork = optional(string)
    cidr       = optional(string)
    internet   = optional(bool)
  })
  default  = {}
  nullable = false
}

variable "airflow" {
  description = "Cloud Composer, as in the module airflow, where size is called environment_size. null: Airflow is yours, and the settings say where it is; job_runners says who it is."
  type = object({
    version            = optional(string)
    size               = optional(string)
    min_workers        = optional(number)
    max_workers        = optional(number)
    worker             = optional(object({ cpu = optional(number), memory_gb = optional(number), storage_gb = optional(number) }))
    allowed_ip_ranges  = optional(list(object({ value = string, description = optional(string) })))
    maintenance_window = optional(object({ start_time = string, end_time = string, recurrence = string }))
    snapshot_schedule  = optional(string)
    requirements       = optional(string)
    dag_source         = optional(string)
    source_bucket      = optional(string)
    secrets_prefix     = optional(string)
    package_version    = optional(string)
    trigger            = optional(bool)
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

variable "job_runners" {
  description = "Members that run the jobs of an Airflow of yours, by a name of your choice: they read and write the data and deploy."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "variables" {
  description = "Environment variables of the jobs, such as MLFLOW_TRACKING_URI; nothing secret."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "execution_role_secret" {
  description = "What the inference file calls the server's service account, secret://<this>: jobs are given the one made here. null: the file has its address."
  type        = string
  default     = null
}

variable "monitoring" {
  description = "Alerting policies and who is told, as in the module monitoring. null: Prometheus is yours; load what `mlops-config rules` writes."
  type = object({
    receivers = optional(map(list(object({ type = string, address = string }))))
  })
  default = {}
}

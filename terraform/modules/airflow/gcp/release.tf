# What is deployed, as release.auto.tfvars.json says it.

variable "config_path" {
  description = "Folder of the environment's configuration, such as configs/prod/."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/$", var.config_path)) && endswith("/${var.config_path}", "/${var.environment}/")
    error_message = "config_path is the environment's own folder, such as configs/prod/ for prod, with a slash at its end: no environment runs another one's files."
  }
}

variable "config_digest" {
  description = "Digest of the four files, as the release record has it."
  type        = string

  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.config_digest))
    error_message = "config_digest looks like sha256: and 64 hexadecimal digits."
  }
}

variable "release" {
  description = "Name of the release, such as 1.2.0. null: the work tree's files, which were not released."
  type        = string
  default     = null

  validation {
    condition     = var.release == null || can(regex("^[A-Za-z0-9][A-Za-z0-9._+/@-]*$", var.release))
    error_message = "release is a name such as 1.2.0, or null."
  }
}

variable "commit" {
  description = "Commit of the release. null: not known."
  type        = string
  default     = null

  validation {
    condition     = var.commit == null || can(regex("^[0-9a-f]{40}([0-9a-f]{24})?$", var.commit))
    error_message = "commit is a whole commit of 40 or 64 hexadecimal digits, or null."
  }
}

variable "image" {
  description = "Image of the jobs by digest, registry/repository@sha256:…. null: none was pushed."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^@[:space:]]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image ends with @sha256: and 64 hexadecimal digits: a tag could come to mean another image."
  }
}

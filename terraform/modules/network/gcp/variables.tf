variable "name" {
  description = "Beginning of the names of what is made, such as city-taxi-trip-fare-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "name is 2 to 48 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "environment" {
  description = "Environment that the network is for; networks have no labels, so it is part of the description."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "labels" {
  description = "Labels; networks have none, so they are part of the description."
  type        = map(string)
  default     = {}
}

variable "project_id" {
  description = "Google Cloud project of the network."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id, such as acme-ml-dev: no number and no display name."
  }
}

variable "region" {
  description = "Region of the subnetwork, such as europe-west4: that of Airflow."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is a region such as europe-west4, no zone and no multi-region."
  }
}

variable "cidr" {
  description = "Private addresses of the subnetwork, such as 10.20.0.0/20; of /16 to /26."
  type        = string
  default     = "10.20.0.0/20"

  validation {
    condition = (
      can(cidrhost(var.cidr, 0)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr))
      && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0] && tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 26, false)
    )
    error_message = "cidr is a range of private addresses (10/8, 172.16/12, 192.168/16), /16 to /26, written with its first address: 10.20.0.0/20."
  }
}

variable "internet" {
  description = "Whether jobs reach the internet, outwards only, through Cloud NAT: for Python packages, other clouds and chat channels."
  type        = bool
  default     = true
}

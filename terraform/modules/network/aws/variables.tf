variable "name" {
  description = "Prefix of every name, such as city-taxi-trip-fare-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "name is 2 to 48 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "environment" {
  description = "Environment whose Airflow and jobs run here; it becomes the tag environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "environment is at most 31 of a-z, 0-9 and -, and begins with a letter, such as dev, staging or prod."
  }
}

variable "labels" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.labels) : !startswith(lower(key), "aws:")])
    error_message = "No label begins with aws: since Amazon keeps those tags to itself."
  }
}

variable "cidr" {
  description = "Private IPv4 range of the network, split into four subnets. An address of it for each worker, endpoint and pod."
  type        = string
  default     = "10.64.0.0/20"

  validation {
    condition     = can(cidrsubnet(var.cidr, 2, 3)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr))
    error_message = "cidr is a private IPv4 range (10/8, 172.16/12 or 192.168/16), such as 10.64.0.0/20."
  }

  validation {
    condition     = can(regex("/(1[6-9]|2[0-4])$", var.cidr))
    error_message = "cidr is between /16, the most that a VPC takes, and /24, so that MWAA has addresses enough."
  }

  validation {
    condition     = try(cidrsubnet(var.cidr, 0, 0) == var.cidr, true)
    error_message = "cidr begins at the first address of its range: 10.64.0.0/20, not 10.64.0.1/20."
  }
}

variable "zones" {
  description = "Two availability zones, such as [\"eu-central-1a\", \"eu-central-1b\"]. null: the first two of the region."
  type        = list(string)
  default     = null

  validation {
    condition     = var.zones == null ? true : length(distinct(var.zones)) == 2 && length(var.zones) == 2 && alltrue([for zone in var.zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))])
    error_message = "zones are two different availability zones, since MWAA takes exactly two subnets."
  }
}

variable "nat_gateways" {
  description = "one: cheaper, and the zone with the gateway takes the other one's way out with it when it fails; each: one in each zone."
  type        = string
  default     = "one"

  validation {
    condition     = contains(["one", "each"], var.nat_gateways)
    error_message = "nat_gateways is one or each."
  }
}

variable "egress" {
  description = "Where jobs may go beside HTTPS, by what it is: a database, an MLflow on another port."
  type        = map(object({ cidr = string, port = number }))
  default     = {}

  validation {
    condition     = alltrue([for rule in values(var.egress) : can(cidrhost(rule.cidr, 0)) && rule.port >= 1 && rule.port <= 65535])
    error_message = "An egress has a cidr such as 10.1.0.0/16 and a port from 1 to 65535."
  }

  validation {
    condition     = alltrue([for rule in values(var.egress) : !endswith(rule.cidr, "/0")])
    error_message = "An egress leads somewhere in particular: by HTTPS jobs reach everything already."
  }
}

variable "flow_log_days" {
  description = "Days for which CloudWatch keeps the flow logs, one of the numbers that it offers."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_days)
    error_message = "flow_log_days is a number of days that CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, …"
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds every role made here. null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary is the ARN of a policy, such as arn:aws:iam::111122223333:policy/mlops-boundary, or null."
  }
}

terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 6.60" }
  }
}

variable "name" {
  type    = string
  default = "city"
}

variable "team" {
  type    = string
  default = "fares"
}

variable "requirements" {
  type    = string
  default = "mlops-config==1.0.0"
}

provider "aws" {
  region              = "eu-central-1"
  allowed_account_ids = ["444455556666"]
  default_tags { tags = { managed-by = "terraform" } }
}

data "aws_caller_identity" "me" {}

resource "aws_s3_bucket" "artifacts" {
  bucket = "${var.name}-artifacts"
  tags   = { team = var.team }
}

resource "aws_s3_bucket_versioning" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_object" "requirements" {
  bucket  = aws_s3_bucket.artifacts.id
  key     = "requirements.txt"
  content = var.requirements
}

resource "aws_iam_role" "airflow" {
  name               = "${var.name}-airflow"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_eip" "nat" {
  count  = 2
  domain = "vpc"
}

resource "aws_mwaa_environment" "airflow" {
  name                           = var.name
  dag_s3_path                    = "dags"
  execution_role_arn             = aws_iam_role.airflow.arn
  source_bucket_arn              = aws_s3_bucket.artifacts.arn
  requirements_s3_path           = aws_s3_object.requirements.key
  requirements_s3_object_version = aws_s3_object.requirements.version_id
  network_configuration {
    security_group_ids = ["sg-0123456789abcdef0"]
    subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0fedcba9876543210"]
  }
}

output "account" { value = data.aws_caller_identity.me.account_id }
output "bucket_arn" { value = aws_s3_bucket.artifacts.arn }
output "role_arn" { value = aws_iam_role.airflow.arn }
output "airflow" { value = aws_mwaa_environment.airflow.webserver_url }
output "addresses" { value = aws_eip.nat[*].id }

# The rules of the configuration in Amazon Managed Service for Prometheus, and who is told when one fires. The workspace
# keeps the series that jobs and servers expose (an agent of yours writes them to `endpoint` with the policy
# `remote_write_policy`), one namespace of rules is the same as `mlops-config rules` writes, and the alert manager sends
# each severity to its receivers through an encrypted topic. With `workspace_id` only the rules are put into a workspace
# that you have.

locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"
  tags      = merge(var.labels, { environment = var.environment })

  makes_workspace = var.workspace_id == null
  workspace_id    = local.makes_workspace ? one(aws_prometheus_workspace.this[*].id) : var.workspace_id
  workspace_arn   = "arn:${local.partition}:aps:${var.region}:${var.account_id}:workspace/${local.workspace_id}"
}

resource "aws_prometheus_workspace" "this" {
  count = local.makes_workspace ? 1 : 0

  alias       = var.name
  kms_key_arn = local.key_arn
  tags        = local.tags

  logging_configuration {
    log_group_arn = "${aws_cloudwatch_log_group.this[0].arn}:*"
  }
}

resource "aws_prometheus_workspace_configuration" "this" {
  count = local.makes_workspace ? 1 : 0

  workspace_id             = local.workspace_id
  retention_period_in_days = var.retention_days
}

resource "aws_cloudwatch_log_group" "this" {
  count = local.makes_workspace ? 1 : 0

  #checkov:skip=CKV_AWS_338:how long is retention_days, which the environment says
  name              = "/aws/vendedlogs/prometheus/${var.name}"
  retention_in_days = var.retention_days
  kms_key_id        = local.key_arn
  tags              = local.tags
}

resource "aws_prometheus_rule_group_namespace" "this" {
  name         = var.name
  workspace_id = local.workspace_id
  data         = yamlencode({ groups = local.rule_groups })
  tags         = local.tags

  lifecycle {
    precondition {
      condition     = local.makes_workspace || length(var.receivers) == 0
      error_message = "The workspace is yours, and so is its routing: give either workspace_id or receivers."
    }
  }
}

resource "aws_iam_policy" "remote_write" {
  count = local.makes_workspace ? 1 : 0

  name        = "${var.name}-remote-write"
  description = "Lets an agent write series of ${var.environment} to Prometheus."
  tags        = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "WriteSeries"
      Effect   = "Allow"
      Action   = ["aps:RemoteWrite"]
      Resource = [local.workspace_arn]
    }]
  })
}

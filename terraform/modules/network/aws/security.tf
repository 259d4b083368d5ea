# The security group that Airflow's parts and their jobs share, and a record of what went over the network.

resource "aws_security_group" "airflow" {
  #checkov:skip=CKV2_AWS_5:the airflow module attaches it, or whoever runs jobs in these subnets
  name        = "${var.name}-airflow"
  description = "Parts of Airflow with each other, and out by HTTPS"
  vpc_id      = aws_vpc.this.id
  tags        = merge(local.tags, { Name = "${var.name}-airflow" })
}

# MWAA refuses a security group that does not let its own members in.
resource "aws_vpc_security_group_ingress_rule" "members" {
  security_group_id            = aws_security_group.airflow.id
  referenced_security_group_id = aws_security_group.airflow.id
  ip_protocol                  = "-1"
  description                  = "Scheduler, workers, web server and the database's endpoint with each other"
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "members" {
  security_group_id            = aws_security_group.airflow.id
  referenced_security_group_id = aws_security_group.airflow.id
  ip_protocol                  = "-1"
  description                  = "Scheduler, workers, web server and the database's endpoint with each other"
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.airflow.id
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
  description       = "Services of AWS, packages, MLflow, the push gateway"
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "more" {
  for_each = var.egress

  security_group_id = aws_security_group.airflow.id
  cidr_ipv4         = each.value.cidr
  from_port         = each.value.port
  to_port           = each.value.port
  ip_protocol       = "tcp"
  description       = each.key
  tags              = local.tags
}

resource "aws_flow_log" "this" {
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "ALL"
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.flow.arn
  iam_role_arn             = aws_iam_role.flow.arn
  max_aggregation_interval = 600
  tags                     = local.tags
}

resource "aws_cloudwatch_log_group" "flow" {
  #checkov:skip=CKV_AWS_338:how long is flow_log_days, which the environment says
  name              = "/mlops/${var.name}/flow"
  retention_in_days = var.flow_log_days
  kms_key_id        = aws_kms_key.flow.arn
  tags              = local.tags
}

resource "aws_kms_key" "flow" {
  description             = "Flow logs of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy
  tags                    = local.tags
}

resource "aws_kms_alias" "flow" {
  name          = "alias/${var.name}-flow"
  target_key_id = aws_kms_key.flow.key_id
}

resource "aws_iam_role" "flow" {
  name                 = "${var.name}-flow"
  description          = "Writes the flow logs of ${var.name}"
  permissions_boundary = var.permissions_boundary
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "vpc-flow-logs.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
}

resource "aws_iam_role_policy" "flow" {
  name = "write"
  role = aws_iam_role.flow.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = ["${local.log_group_arn}", "${local.log_group_arn}:*"]
      },
    ]
  })
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account       = data.aws_caller_identity.current.account_id
  log_group_arn = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.region}:${local.account}:log-group:/mlops/${var.name}/flow"

  # In a key's policy "*" is the key itself: it cannot name another.
  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # Hands the decision to the account's IAM policies; without it nobody could ever change the key again.
      {
        Sid       = "TheAccountAdministersIt"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "CloudWatchEncryptsThisLogGroup"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.current.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = local.log_group_arn } }
      },
    ]
  })
}

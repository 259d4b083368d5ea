locals {
  makes_key = local.makes_workspace && var.encryption_key == null
  key_arn   = local.makes_key ? one(aws_kms_key.this[*].arn) : var.encryption_key
}

resource "aws_kms_key" "this" {
  count = local.makes_key ? 1 : 0

  description             = "Samples, log and notifications of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    # In a key's own policy "*" is this key and no other.
    Statement = [
      {
        # Hands the key over to the account's IAM policies: without it, nobody could ever change the key.
        Sid       = "AccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${var.account_id}:root" }
        Action    = ["kms:*"]
        Resource  = ["*"]
      },
      {
        Sid       = "PrometheusPublishes"
        Effect    = "Allow"
        Principal = { Service = "aps.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "LogsEncrypt"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = ["*"]
        Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:/aws/vendedlogs/prometheus/${var.name}" } }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  count = local.makes_key ? 1 : 0

  name          = "alias/${var.name}-monitoring"
  target_key_id = aws_kms_key.this[0].key_id
}

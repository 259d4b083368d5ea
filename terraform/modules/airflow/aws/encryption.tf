# One key for bucket, secrets, logs and the environment itself, unless one was given. In a key's policy "*" is the key
# itself: it cannot name another. MWAA's own use of the key is by grants that it makes when the environment is made.

locals {
  key_arn = var.encryption_key == null ? aws_kms_key.this[0].arn : var.encryption_key

  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # Hands the decision to the account's IAM policies; without it nobody could ever change the key again.
      {
        Sid       = "TheAccountAdministersIt"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "CloudWatchEncryptsTheseLogs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:airflow-${var.name}-*" } }
      },
    ]
  })
}

resource "aws_kms_key" "this" {
  count                   = var.encryption_key == null ? 1 : 0
  description             = "Airflow of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy
  tags                    = local.tags
}

resource "aws_kms_alias" "this" {
  count         = var.encryption_key == null ? 1 : 0
  name          = "alias/${var.name}-airflow"
  target_key_id = aws_kms_key.this[0].key_id
}

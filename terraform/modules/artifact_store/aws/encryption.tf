# The store's own key, unless one was given. In a key's policy "*" is the key itself: it cannot name another.

locals {
  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        # Hands the decision to the account's IAM policies; without it nobody could ever change the key again.
        {
          Sid       = "TheAccountAdministersIt"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
          Action    = "kms:*"
          Resource  = "*"
        },
      ],
      length(local.everyone) == 0 ? [] : [
        {
          Sid       = "ReadThroughS3"
          Effect    = "Allow"
          Principal = { AWS = local.everyone }
          Action    = "kms:Decrypt"
          Resource  = "*"
          Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
        },
      ],
      length(var.writers) == 0 ? [] : [
        {
          Sid       = "WriteThroughS3"
          Effect    = "Allow"
          Principal = { AWS = distinct(var.writers) }
          Action    = "kms:GenerateDataKey"
          Resource  = "*"
          Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
        },
      ],
    )
  })
}

resource "aws_kms_key" "this" {
  count                   = var.encryption_key == null ? 1 : 0
  description             = "Artifact store of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags
  policy                  = local.key_policy

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  count         = var.encryption_key == null ? 1 : 0
  name          = "alias/${var.name}-${var.state_like ? "state" : "store"}"
  target_key_id = aws_kms_key.this[0].key_id
}

# The bucket with DAGs, requirements and what `mlops-config deploy` writes, unless one was given.

locals {
  made       = var.source_bucket == null
  bucket     = coalesce(var.source_bucket, "${var.name}-airflow-${local.account}")
  bucket_arn = "arn:${local.partition}:s3:::${local.bucket}"
}

resource "aws_s3_bucket" "this" {
  count = local.made ? 1 : 0

  #checkov:skip=CKV_AWS_144:everything in it is made again by an apply and a deploy
  #checkov:skip=CKV2_AWS_62:Airflow looks into it by itself
  #checkov:skip=CKV_AWS_18:logged where access_log_bucket names a bucket
  bucket        = local.bucket
  force_destroy = false
  tags          = local.tags
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count  = local.made ? 1 : 0
  bucket = aws_s3_bucket.this[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  count                   = local.made ? 1 : 0
  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  count  = local.made ? 1 : 0
  bucket = aws_s3_bucket.this[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count  = local.made ? 1 : 0
  bucket = aws_s3_bucket.this[0].id

  rule {
    bucket_key_enabled       = true
    blocked_encryption_types = ["SSE-C"]

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  count         = local.made && var.access_log_bucket != null ? 1 : 0
  bucket        = aws_s3_bucket.this[0].id
  target_bucket = var.access_log_bucket
  target_prefix = "airflow/"
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count  = local.made ? 1 : 0
  bucket = aws_s3_bucket.this[0].id

  rule {
    id     = "what-was-before"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  count  = local.made ? 1 : 0
  bucket = aws_s3_bucket.this[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyEncryptedConnections"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "OnlyTls12AndLater"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
      # A run that began with a bundle reads that very bundle to its end.
      {
        Sid       = "BundlesAreWriteOnce"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "${local.bucket_arn}/dags/mlops/*/bundles/*"
        Condition = { Null = { "s3:if-none-match" = "true" } }
      },
      {
        Sid       = "DeploymentsAreComparedAndSwapped"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "${local.bucket_arn}/dags/mlops/*/deployment.json"
        Condition = { Null = { "s3:if-none-match" = "true", "s3:if-match" = "true" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

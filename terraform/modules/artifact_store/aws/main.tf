# A bucket for bundles, release records and ledgers in which nothing is ever replaced or deleted, whoever asks: S3
# itself refuses a write that is not conditional, and every deletion. The one object that changes,
# <project>/environments/<environment>/current.json, changes only by a write that says what it replaces. Versions,
# encryption with a key of its own, TLS 1.2, no public access, access logs. To remove something all the same, such as
# personal data, an administrator first applies another bucket policy: that is seen in the plan and in CloudTrail.
# With state_like the same bucket holds Terraform's state: it may be overwritten, its versions stay.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  tags      = merge(var.labels, { environment = var.environment })

  # Written out, not taken from the resource: so a plan shows the policy before the bucket is there.
  bucket_arn = "arn:${local.partition}:s3:::${var.bucket_name}"
  folder     = var.prefix == "" ? "" : "${var.prefix}/"
  key_arn    = var.encryption_key == null ? aws_kms_key.this[0].arn : var.encryption_key
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:a copy in a second region is an organisation's choice; versions and write-once guard against loss by mistake
  #checkov:skip=CKV2_AWS_62:nothing waits for an object here; deployments are asked for, not triggered by writes
  bucket              = var.bucket_name
  force_destroy       = false
  object_lock_enabled = var.lock_days != null
  tags                = local.tags

  # What holds releases goes by hand only: taken out of the state first. So do its policy and its key, without which nobody
  # would protect or read them any more, and which Terraform would delete though the bucket is not empty and stays.
  lifecycle {
    prevent_destroy = true
    # For a new bucket. One that is there is given its lock by aws_s3_bucket_object_lock_configuration, and never loses it:
    # a change of this would ask for another bucket.
    ignore_changes = [object_lock_enabled]
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled       = true
    blocked_encryption_types = ["SSE-C"]

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  count  = var.lock_days == null ? 0 : 1
  bucket = aws_s3_bucket.this.id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.lock_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# Only what is not current is ever removed: here the former contents of current.json, for no other key has any.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "what-was-before"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  bucket        = aws_s3_bucket.this.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "s3/"

  target_object_key_format {
    partitioned_prefix {
      partition_date_source = "EventTime"
    }
  }

  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.transport,
      [for statement in local.write_once : statement if !var.state_like],
      [for statement in local.state_rules : statement if var.state_like],
      local.access,
    )
  })

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [aws_s3_bucket_public_access_block.this]
}

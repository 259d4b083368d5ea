# What S3 itself allows and refuses. A statement that denies is for everybody ("*"), administrators included; one that
# allows names roles.

locals {
  pointer = "${local.bucket_arn}/${local.folder}*/environments/*/current.json"

  transport = [
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
  ]

  # A write without If-None-Match may replace something, so it is refused for every key but the pointers'. That takes
  # copies and uploads in parts with it, which cannot be conditional from their first request on; releases are small
  # and need neither. Deleting is refused too: a write with If-None-Match succeeds above a delete marker.
  write_once = [
    {
      Sid         = "EverythingIsWriteOnce"
      Effect      = "Deny"
      Principal   = "*"
      Action      = "s3:PutObject"
      NotResource = local.pointer
      Condition   = { Null = { "s3:if-none-match" = "true" } }
    },
    {
      Sid       = "PointersAreComparedAndSwapped"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = local.pointer
      Condition = { Null = { "s3:if-none-match" = "true", "s3:if-match" = "true" } }
    },
    {
      Sid       = "NothingIsDeleted"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"]
      Resource  = "${local.bucket_arn}/*"
    },
    # Who names no encryption gets the bucket's. A writer's own key could be taken away, and its objects with it.
    {
      Sid       = "OnlyTheBucketsKey"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arn}/*"
      Condition = { Null = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" } }
    },
    {
      Sid       = "OnlyKms"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arn}/*"
      # Null as well: a request that names none would not be equal either.
      Condition = {
        Null            = { "s3:x-amz-server-side-encryption" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
      }
    },
  ]

  # Terraform overwrites its state and deletes its lock; no version of a state is ever deleted by hand.
  state_rules = [
    {
      Sid         = "OnlyLocksAreDeleted"
      Effect      = "Deny"
      Principal   = "*"
      Action      = "s3:DeleteObject"
      NotResource = "${local.bucket_arn}/*.tflock"
    },
    {
      Sid       = "NoVersionIsDeleted"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:DeleteObjectVersion"
      Resource  = "${local.bucket_arn}/*"
    },
  ]

  everyone = distinct(concat(var.writers, var.readers))

  access = concat(
    length(local.everyone) == 0 ? [] : [
      {
        Sid       = "Read"
        Effect    = "Allow"
        Principal = { AWS = local.everyone }
        Action    = "s3:GetObject"
        Resource  = "${local.bucket_arn}/${local.folder}*"
      },
      # Without a condition on the prefix: S3 says 403 for a missing object to whom may not list the bucket, and the
      # read of one object has no prefix that such a condition could match.
      {
        Sid       = "TellMissingFromForbidden"
        Effect    = "Allow"
        Principal = { AWS = local.everyone }
        Action    = "s3:ListBucket"
        Resource  = local.bucket_arn
      },
    ],
    length(var.writers) == 0 ? [] : [
      {
        Sid       = "Write"
        Effect    = "Allow"
        Principal = { AWS = distinct(var.writers) }
        Action    = "s3:PutObject"
        Resource  = "${local.bucket_arn}/${local.folder}*"
      },
    ],
  )
}

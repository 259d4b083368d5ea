# What the bucket refuses and allows, read from the policies as S3 would get them; no account is asked.

mock_provider "aws" {
  # Nothing is applied here: it could not be destroyed.
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000" }
  }
}

override_resource {
  target          = aws_s3_bucket.logs
  override_during = plan
  values          = { id = "acme-city-taxi-prod-releases-logs" }
}

variables {
  name        = "city-taxi-trip-fare-prod"
  environment = "prod"
  labels      = { team = "fares" }
  bucket_name = "acme-city-taxi-prod-releases"
  prefix      = "configs"
  writers     = ["arn:aws:iam::111122223333:role/city-taxi-prod-publish"]
  readers     = ["arn:aws:iam::111122223333:role/city-taxi-prod-jobs"]
}

run "a_store_that_takes_releases_and_loses_none" {
  command = plan

  assert {
    condition = one([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each if each.Sid == "EverythingIsWriteOnce"
      ]) == {
      Sid         = "EverythingIsWriteOnce"
      Effect      = "Deny"
      Principal   = "*"
      Action      = "s3:PutObject"
      NotResource = "arn:aws:s3:::acme-city-taxi-prod-releases/configs/*/environments/*/current.json"
      Condition   = { Null = { "s3:if-none-match" = "true" } }
    }
    error_message = "A write that may replace something is not refused everywhere but at current.json."
  }

  assert {
    condition = one([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each if each.Sid == "PointersAreComparedAndSwapped"
      ]) == {
      Sid       = "PointersAreComparedAndSwapped"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::acme-city-taxi-prod-releases/configs/*/environments/*/current.json"
      Condition = { Null = { "s3:if-none-match" = "true", "s3:if-match" = "true" } }
    }
    error_message = "current.json can be written by whom has not read it."
  }

  assert {
    condition = one([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each if each.Sid == "NothingIsDeleted"
      ]) == {
      Sid       = "NothingIsDeleted"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"]
      Resource  = "arn:aws:s3:::acme-city-taxi-prod-releases/*"
    }
    error_message = "Somebody may delete an object or a version of one."
  }

  assert {
    condition = jsonencode([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : [each.Sid, each.Action, each.Principal.AWS, each.Resource]
      if each.Effect == "Allow"
      ]) == jsonencode([
      ["Read", "s3:GetObject", [var.writers[0], var.readers[0]], "arn:aws:s3:::acme-city-taxi-prod-releases/configs/*"],
      ["TellMissingFromForbidden", "s3:ListBucket", [var.writers[0], var.readers[0]], "arn:aws:s3:::acme-city-taxi-prod-releases"],
      ["Write", "s3:PutObject", var.writers, "arn:aws:s3:::acme-city-taxi-prod-releases/configs/*"],
    ])
    error_message = "Writers and readers have other rights than reading, listing and, writers, putting objects."
  }

  assert {
    condition = alltrue([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each.Effect == "Deny" if each.Principal == "*"
    ])
    error_message = "Something is allowed to everybody."
  }

  # Connections and encryption.
  assert {
    condition = alltrue([
      for sid, condition in {
        OnlyEncryptedConnections = { Bool = { "aws:SecureTransport" = "false" } }
        OnlyTls12AndLater        = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
        OnlyTheBucketsKey        = { Null = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" } }
        OnlyKms = {
          Null            = { "s3:x-amz-server-side-encryption" = "false" }
          StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
        }
        } : anytrue([
          for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement :
          each.Sid == sid && each.Effect == "Deny" && try(jsonencode(each.Condition) == jsonencode(condition), false)
      ])
    ])
    error_message = "Plain HTTP, an old TLS or another encryption is not refused."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      [rule.apply_server_side_encryption_by_default[0].sse_algorithm, rule.apply_server_side_encryption_by_default[0].kms_master_key_id, rule.bucket_key_enabled]
    ] == [["aws:kms", aws_kms_key.this[0].arn, true]]
    error_message = "The bucket does not encrypt with the store's key."
  }

  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation && aws_kms_key.this[0].deletion_window_in_days == 30
    error_message = "The key is not rotated, or can be gone in less than 30 days."
  }

  assert {
    condition = jsonencode({
      for each in jsondecode(aws_kms_key.this[0].policy).Statement : each.Sid => [each.Action, each.Principal.AWS, try(each.Condition, null)]
      }) == jsonencode({
      TheAccountAdministersIt = ["kms:*", "arn:aws:iam::111122223333:root", null]
      ReadThroughS3 = [
        "kms:Decrypt", [var.writers[0], var.readers[0]], { StringEquals = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" } }
      ]
      WriteThroughS3 = [
        "kms:GenerateDataKey", var.writers, { StringEquals = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" } }
      ]
    })
    error_message = "The key may be used by others, otherwise than through S3, or by readers to encrypt."
  }

  # The bucket itself.
  assert {
    condition = alltrue([
      for block in [aws_s3_bucket_public_access_block.this, aws_s3_bucket_public_access_block.logs] :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "A bucket could be made public."
  }

  assert {
    condition = (
      aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled" &&
      !aws_s3_bucket.this.force_destroy && !aws_s3_bucket.logs.force_destroy &&
      aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    )
    error_message = "Versions are off, objects have owners of their own, or Terraform would empty a bucket."
  }

  assert {
    condition = (
      alltrue([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : length(rule.expiration) == 0]) &&
      one(flatten([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.noncurrent_version_expiration[*].noncurrent_days])) == 365 &&
      one(flatten([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.abort_incomplete_multipart_upload[*].days_after_initiation])) == 1
    )
    error_message = "The lifecycle removes what is current, keeps what was before too shortly, or leaves unfinished uploads."
  }

  assert {
    condition = (
      aws_s3_bucket_logging.this.target_bucket == aws_s3_bucket.logs.id && aws_s3_bucket.logs.bucket == "acme-city-taxi-prod-releases-logs" &&
      one([for each in jsondecode(aws_s3_bucket_policy.logs.policy).Statement : each if each.Effect == "Allow"]) == {
        Sid       = "S3DeliversLogs"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "arn:aws:s3:::acme-city-taxi-prod-releases-logs/s3/*"
        Condition = {
          ArnEquals    = { "aws:SourceArn" = "arn:aws:s3:::acme-city-taxi-prod-releases" }
          StringEquals = { "aws:SourceAccount" = "111122223333" }
        }
      }
    )
    error_message = "Accesses are not logged, or somebody but S3 for this bucket may write logs."
  }

  assert {
    condition     = aws_s3_bucket.this.tags == tomap({ team = "fares", environment = "prod" })
    error_message = "The tags are not the labels with the environment."
  }

  assert {
    condition = (
      output.uri == "s3://acme-city-taxi-prod-releases/configs" && output.bucket == "acme-city-taxi-prod-releases" &&
      output.encryption_key == aws_kms_key.this[0].arn
    )
    error_message = "The outputs are not the store's."
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0 && !aws_s3_bucket.this.object_lock_enabled
    error_message = "A lock, which is never taken off again, is there though nobody asked for it."
  }
}

run "the_whole_bucket" {
  command = plan

  variables {
    prefix = ""
  }

  assert {
    condition = output.uri == "s3://acme-city-taxi-prod-releases" && one([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each.Resource if each.Sid == "PointersAreComparedAndSwapped"
    ]) == "arn:aws:s3:::acme-city-taxi-prod-releases/*/environments/*/current.json"
    error_message = "Without a prefix the store does not begin at the bucket's root."
  }
}

run "a_key_of_the_organisation" {
  command = plan

  variables {
    encryption_key = "arn:aws:kms:eu-central-1:111122223333:key/11111111-0000-4000-8000-000000000000"
  }

  assert {
    condition = (
      length(aws_kms_key.this) == 0 && length(aws_kms_alias.this) == 0 && output.encryption_key == var.encryption_key &&
      alltrue([
        for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
        rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.encryption_key
      ])
    )
    error_message = "The given key is not used, or another one is made."
  }
}

run "nobody_named" {
  command = plan

  variables {
    writers = []
    readers = []
  }

  assert {
    condition = alltrue([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each.Effect == "Deny"
    ])
    error_message = "Without writers and readers the policy still allows something."
  }
}

run "locked" {
  command = plan

  variables {
    lock_days = 3650
  }

  assert {
    condition = (
      aws_s3_bucket.this.object_lock_enabled &&
      aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].mode == "GOVERNANCE" &&
      aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 3650
    )
    error_message = "lock_days locks nothing."
  }
}

run "terraforms_state" {
  command = plan

  variables {
    state_like = true
    writers    = []
    readers    = []
  }

  assert {
    condition = [for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each.Sid] == [
      "OnlyEncryptedConnections", "OnlyTls12AndLater", "OnlyLocksAreDeleted", "NoVersionIsDeleted"
    ]
    error_message = "A state's bucket does not have the rules of a state."
  }

  assert {
    condition = one([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each if each.Sid == "OnlyLocksAreDeleted"
      ]) == {
      Sid         = "OnlyLocksAreDeleted"
      Effect      = "Deny"
      Principal   = "*"
      Action      = "s3:DeleteObject"
      NotResource = "arn:aws:s3:::acme-city-taxi-prod-releases/*.tflock"
    }
    error_message = "A state can be deleted, or its lock cannot."
  }

  assert {
    condition = one([
      for each in jsondecode(aws_s3_bucket_policy.this.policy).Statement : each.Action if each.Sid == "NoVersionIsDeleted"
    ]) == "s3:DeleteObjectVersion"
    error_message = "A version of a state can be deleted."
  }
}

run "refuses_what_no_store_can_have" {
  command = plan

  variables {
    name            = "City-Taxi"
    environment     = "prod 1"
    labels          = { "aws:team" = "fares" }
    bucket_name     = "acme-city-taxi-prod-releases-in-a-very-long-name-for-a-bucket"
    prefix          = "configs/"
    writers         = ["*"]
    readers         = ["arn:aws:iam::111122223333:role/*"]
    noncurrent_days = 1
    access_log_days = 0
    lock_days       = 0
    encryption_key  = "alias/acme"
  }

  expect_failures = [
    var.name,
    var.environment,
    var.labels,
    var.bucket_name,
    var.prefix,
    var.writers,
    var.readers,
    var.noncurrent_days,
    var.access_log_days,
    var.lock_days,
    var.encryption_key,
  ]
}

run "refuses_a_state_with_writers" {
  command = plan

  variables {
    state_like = true
  }

  expect_failures = [var.state_like]
}

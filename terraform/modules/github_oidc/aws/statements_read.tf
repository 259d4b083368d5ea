locals {
  # What a plan looks at: how things are set up, no data. Descriptions whose services know no resources are for "*".
  read_statements = { for environment, at in local.at : environment => [
    {
      Sid    = "ReadSetUp"
      Effect = "Allow"
      Action = [
        "airflow:GetEnvironment", "airflow:ListTagsForResource",
        "ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource",
        "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies", "iam:ListRoleTags",
        "logs:ListTagsForResource",
        "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
        "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource",
        "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource",
      ]
      Resource = [
        "${at.airflow}:environment/${at.airflow_name}",
        at.ecr, at.role, at.policy, at.buckets, at.topics,
        "${at.logs}:*${var.environments[environment].name}*",
      ]
    },
    {
      Sid       = "ReadTaggedSetUp"
      Effect    = "Allow"
      Action    = ["aps:Describe*", "aps:GetAlertManagerStatus", "aps:ListTagsForResource", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
      Resource  = ["${at.aps}:*", at.keys]
      Condition = at.owned
    },
    {
      Sid      = "ReadListings"
      Effect   = "Allow"
      Action   = ["aps:ListWorkspaces", "ec2:Describe*", "kms:ListAliases", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "sns:GetSubscriptionAttributes"]
      Resource = ["*"]
    },
    {
      # Terraform's own files there, to compare them: DAG files, requirements, the start-up script.
      Sid      = "ReadAirflowsFiles"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectTagging"]
      Resource = ["${at.dags_bucket}/*"]
    },
    {
      # The Connection and Variable that Terraform writes; secrets that people fill in are only described.
      Sid      = "ReadConnection"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = at.connection
    },
    {
      Sid      = "DescribeSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecretVersionIds"]
      Resource = concat(at.connection, [at.filled])
    },
    {
      # Releases, and whether the image is still there: looked at before anything is changed.
      Sid      = "ReadReleases"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [at.store]
    },
    {
      Sid      = "ListReleases"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = [at.store_bucket]
    },
    {
      Sid      = "ReadImages"
      Effect   = "Allow"
      Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"]
      Resource = [at.images]
    },
    {
      # A login is for the whole registry; what may be done with it is the statement before.
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
    {
      Sid       = "DecryptThroughServices"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [at.keys]
      Condition = { StringEquals = merge(at.owned.StringEquals, { "kms:ViaService" = [local.services_with_keys.s3, local.services_with_keys.secretsmanager] }) }
    },
  ] }

  state_of = { for environment, at in local.at : environment => [
    {
      # IfExists: before the first apply there is no state, and S3 says so (404, not 403) only to whom may list the bucket
      # in a request that has no prefix.
      Sid       = "FindState"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = ["arn:${local.partition}:s3:::${var.state.bucket}"]
      Condition = { StringLikeIfExists = { "s3:prefix" = ["${var.environments[environment].state_key}*"] } }
    },
    {
      Sid      = "ReadState"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [at.state, "${at.state}.tflock"]
    },
    {
      Sid      = "LockState"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:PutObject"]
      Resource = ["${at.state}.tflock"]
    },
    {
      # Whichever key the bucket has, for what lies in this bucket only.
      Sid      = "UseStatesKey"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [at.keys]
      Condition = merge(local.through_s3, {
        StringLike = { "kms:EncryptionContext:aws:s3:arn" = ["arn:${local.partition}:s3:::${var.state.bucket}", "arn:${local.partition}:s3:::${var.state.bucket}/*"] }
      })
    },
  ] }

  # A plan locks the state, and writes none.
  lock_statements = local.state_of
  state_statements = { for environment, at in local.at : environment => concat(local.state_of[environment], [
    {
      Sid      = "WriteState"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = [at.state]
    },
  ]) }
}

locals {
  execution_role_name = "${var.name}-sagemaker"

  # Policies name ARNs that can be known before anything is made, so that a plan shows them whole.
  execution_role_arn = "arn:${local.partition}:iam::${var.account_id}:role/${local.execution_role_name}"
  log_group          = "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:/aws/sagemaker/Endpoints"
  # The endpoint of a smoke test is <endpoint>-<8 hex>.
  log_groups = local.serves ? ["${local.log_group}/${var.endpoint}", "${local.log_group}/${var.endpoint}-*"] : []

  use_keys = {
    Sid       = "UseKeysThroughS3"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = var.encryption_keys
    Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
  }

  execution_statements = [for statement in [
    {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = flatten([for group in local.log_groups : [group, "${group}:*"]])
    },
    {
      # CloudWatch's metrics are no resources; their namespace is the narrowest there is.
      Sid       = "WriteMetrics"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"]
      Condition = { StringLike = { "cloudwatch:namespace" = ["AWS/SageMaker", "/aws/sagemaker/*"] } }
    },
    {
      # A login to ECR is for the whole registry; what may be pulled with it is the next statement.
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = var.image_repository == null ? [] : ["*"]
    },
    {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = var.image_repository == null ? [] : [var.image_repository]
    },
    {
      Sid      = "LoadPackage"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [for path in local.packages : local.within[path]]
    },
    {
      # IfExists: the read of a missing object has no prefix, and is what this is for.
      Sid       = "TellMissingFromForbidden"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [for path in local.packages : "${local.s3}${local.bucket_of[path]}"]
      Condition = { StringLikeIfExists = { "s3:prefix" = [for path in local.packages : "${local.prefix_of[path]}*"] } }
    },
    {
      Sid      = "WriteCaptures"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = [for path in local.captures : local.within[path]]
    },
    {
      Sid      = "RenameCaptures"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:GetObject"]
      Resource = flatten([for path in local.captures : local.hidden[path]])
    },
    local.use_keys,
  ] : statement if length(statement.Resource) > 0]
}

resource "aws_iam_role" "execution" {
  count = local.serves ? 1 : 0

  name                 = local.execution_role_name
  description          = "SageMaker starts ${var.endpoint} with it."
  permissions_boundary = var.permissions_boundary
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "sagemaker.amazonaws.com" }
      # Only for this account: SageMaker must not be talked into it by somebody else's.
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "execution" {
  count = local.serves ? 1 : 0

  name   = "serve"
  role   = aws_iam_role.execution[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution_statements })
}

locals {
  sagemaker = "arn:${local.partition}:sagemaker:${var.region}:${var.account_id}"
  # Models and configurations are <endpoint>-<8 hex>, and so is the endpoint of a smoke test.
  endpoint_resources = local.serves ? concat(
    ["${local.sagemaker}:endpoint/${lower(var.endpoint)}"],
    [for kind in ["endpoint", "endpoint-config", "model"] : "${local.sagemaker}:${kind}/${lower(var.endpoint)}-*"],
  ) : []
  everything_if_serving = local.serves ? ["*"] : []

  # One statement for each bucket: what may be listed in one must not be listed in another. IfExists, for S3 looks here
  # too before it says that an object is missing (404) or that we may not know (403), and that request has no prefix.
  prefixes_by_bucket = { for path in local.all_paths : local.bucket_of[path] => local.listed_of[path]... }
  list_statements = [for bucket, prefixes in local.prefixes_by_bucket : {
    Sid       = "List${index(keys(local.prefixes_by_bucket), bucket) + 1}"
    Effect    = "Allow"
    Action    = ["s3:ListBucket"]
    Resource  = ["${local.s3}${bucket}"]
    Condition = { StringLikeIfExists = { "s3:prefix" = flatten([for prefix in sort(distinct(prefixes)) : prefix == "" ? ["*"] : [prefix, "${prefix}/*"]]) } }
  }]

  data_statements = [for statement in concat(local.list_statements, [
    {
      Sid      = "ReadData"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = flatten([for path in local.all_paths : local.objects_of[path]])
    },
    {
      Sid      = "WriteData"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = [for path in local.write_paths : local.within[path]]
    },
    {
      # Only the hidden names of what is half written: no result is ever deleted.
      Sid      = "RenameData"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject"]
      Resource = flatten([for path in local.write_paths : local.hidden[path]])
    },
    {
      Sid      = "PublishPackages"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = [for path in local.packages : local.within[path]]
    },
    local.use_keys,
  ]) : statement if length(statement.Resource) > 0]

  endpoint_statements = [for statement in [
    {
      Sid    = "DeployEndpoint"
      Effect = "Allow"
      Action = [
        "sagemaker:AddTags",
        "sagemaker:CreateEndpoint",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateModel",
        "sagemaker:DeleteEndpoint",
        "sagemaker:DeleteEndpointConfig",
        "sagemaker:DeleteModel",
        "sagemaker:DeleteTags",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:DescribeModel",
        "sagemaker:InvokeEndpoint",
        "sagemaker:ListTags",
        "sagemaker:UpdateEndpoint",
      ]
      Resource = local.endpoint_resources
    },
    {
      # Listings know no resources; they tell names and states.
      Sid    = "FindOwn"
      Effect = "Allow"
      Action = [
        "application-autoscaling:DescribeScalableTargets",
        "cloudwatch:DescribeAlarms",
        "sagemaker:ListEndpointConfigs",
        "sagemaker:ListEndpoints",
        "sagemaker:ListModels",
      ]
      Resource = local.everything_if_serving
    },
    {
      Sid      = "WatchRollout"
      Effect   = "Allow"
      Action   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"]
      Resource = [for name in var.endpoint[*] : "arn:${local.partition}:cloudwatch:${var.region}:${var.account_id}:alarm:${name}-*"]
    },
    {
      # A scalable target's ARN has an id that AWS makes up: what can be named is the service and its dimension.
      Sid    = "ScaleEndpoint"
      Effect = "Allow"
      Action = [
        "application-autoscaling:DeregisterScalableTarget",
        "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:RegisterScalableTarget",
      ]
      Resource = [for _ in var.endpoint[*] : "arn:${local.partition}:application-autoscaling:${var.region}:${var.account_id}:scalable-target/*"]
      Condition = { StringEquals = {
        "application-autoscaling:scalable-dimension" = "sagemaker:variant:DesiredInstanceCount"
        "application-autoscaling:service-namespace"  = "sagemaker"
      } }
    },
    {
      Sid       = "PassExecutionRole"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = local.serves ? [local.execution_role_arn] : []
      Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
    },
    {
      # AWS makes this role itself with the first scalable endpoint of an account.
      Sid       = "LetScalingBegin"
      Effect    = "Allow"
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = [for _ in var.endpoint[*] : "arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = "sagemaker.application-autoscaling.amazonaws.com" } }
    },
  ] : statement if length(statement.Resource) > 0]
}

locals {
  data_policy = jsonencode({ Version = "2012-10-17", Statement = local.data_statements })
}

# Two policies, since one holds 6,144 letters at most, and since going back needs the endpoint and no data.
resource "aws_iam_policy" "data" {
  count = length(local.data_statements) == 0 ? 0 : 1

  name        = "${var.name}-data"
  description = "What the jobs of ${var.environment} read and write."
  policy      = local.data_policy
  tags        = local.tags

  lifecycle {
    precondition {
      condition     = length(local.data_policy) <= 6144
      error_message = "What the jobs read and write makes a policy of ${length(local.data_policy)} letters, and AWS takes 6144: shorten the URIs in the files."
    }
  }
}

resource "aws_iam_policy" "endpoint" {
  count = local.serves ? 1 : 0

  name        = "${var.name}-endpoint"
  description = "Deploys ${var.endpoint}, and nothing else."
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.endpoint_statements })
  tags        = local.tags
}

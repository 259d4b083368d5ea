# The most that a role made by applying can ever do, whatever policies it gets: what the services of an environment need,
# in this region, and nothing of IAM but handing over the endpoint's role. A boundary allows nothing by itself.

resource "aws_iam_policy" "boundary" {
  for_each = var.environments

  name        = "github-${each.value.name}-boundary"
  description = "The most that roles of ${each.key} can do."
  tags        = merge(var.labels, { environment = each.key })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Services"
        Effect = "Allow"
        Action = [
          "airflow:PublishMetrics", "application-autoscaling:*", "aps:RemoteWrite", "cloudwatch:*", "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "kms:Decrypt", "kms:DescribeKey",
          "kms:Encrypt", "kms:GenerateDataKey*", "logs:*", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetAccountPublicAccessBlock",
          "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetObject*", "s3:ListBucket*", "s3:PutObject",
          "sagemaker:*", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "sqs:*",
        ]
        # What is meant is said by the role's own policies; here, only where.
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
      },
      {
        Sid       = "HandOverOwnRoles"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [local.at[each.key].role]
        Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      },
      {
        Sid       = "LetScalingBegin"
        Effect    = "Allow"
        Action    = ["iam:CreateServiceLinkedRole"]
        Resource  = ["arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"]
        Condition = { StringEquals = { "iam:AWSServiceName" = "sagemaker.application-autoscaling.amazonaws.com" } }
      },
      {
        # Terraform's states are for GitHub's roles.
        Sid      = "NoStates"
        Effect   = "Deny"
        Action   = ["s3:*"]
        Resource = ["arn:${local.partition}:s3:::${var.state.bucket}", "arn:${local.partition}:s3:::${var.state.bucket}/*"]
      },
    ]
  })
}

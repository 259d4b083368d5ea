# What MWAA does in the account, as Amazon documents it for an environment with a key of one's own; what the jobs do is
# in the policies that are attached. https://docs.aws.amazon.com/mwaa/latest/userguide/mwaa-create-role.html

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-airflow"
  description          = "Airflow of ${var.name} and the jobs on its workers"
  permissions_boundary = var.permissions_boundary
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = ["airflow.amazonaws.com", "airflow-env.amazonaws.com"] }
        Action    = "sts:AssumeRole"
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.arn }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "jobs" {
  for_each = var.policies

  role       = aws_iam_role.execution.name
  policy_arn = each.value
}

resource "aws_iam_role_policy" "execution" {
  name = "airflow"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "SayThatItLives"
        Effect   = "Allow"
        Action   = "airflow:PublishMetrics"
        Resource = local.arn
      },
      {
        Sid      = "ReadDagsAndRequirements"
        Effect   = "Allow"
        Action   = ["s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetObject*", "s3:List*"]
        Resource = [local.bucket_arn, "${local.bucket_arn}/*"]
      },
      # An account has one such setting, and no ARN for it.
      {
        Sid      = "SeeThatBucketsAreClosed"
        Effect   = "Allow"
        Action   = "s3:GetAccountPublicAccessBlock"
        Resource = "*"
      },
      {
        Sid    = "WriteAndReadLogs"
        Effect = "Allow"
        Action = [
          "logs:CreateLogGroup", "logs:CreateLogStream", "logs:GetLogEvents", "logs:GetLogGroupFields", "logs:GetLogRecord",
          "logs:GetQueryResults", "logs:PutLogEvents",
        ]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:airflow-${var.name}-*"
      },
      # A listing of names, which CloudWatch does not narrow to some groups.
      {
        Sid      = "FindLogs"
        Effect   = "Allow"
        Action   = "logs:DescribeLogGroups"
        Resource = "*"
      },
      # Metrics have no ARN; the condition is what narrows this.
      {
        Sid       = "WriteMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = ["AmazonMWAA", "AWS/MWAA"] } }
      },
      # The queue between scheduler and workers lies in an account of Amazon's that is not known before.
      {
        Sid    = "PassTasksToWorkers"
        Effect = "Allow"
        Action = [
          "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage",
          "sqs:SendMessage",
        ]
        Resource = "arn:${local.partition}:sqs:${local.region}:*:airflow-celery-*"
      },
      {
        Sid      = "UseTheKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"]
        Resource = local.key_arn
        Condition = {
          StringEquals = {
            "kms:ViaService" = [for service in ["s3", "secretsmanager", "sqs"] : "${service}.${local.region}.amazonaws.com"]
          }
        }
      },
      {
        Sid    = "ReadItsOwnConnectionAndSecrets"
        Effect = "Allow"
        Action = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        Resource = concat(
          [aws_secretsmanager_secret.connection.arn, aws_secretsmanager_secret.release.arn],
          [for name in local.kept : aws_secretsmanager_secret.filled_by_people[name].arn],
        )
      },
    ]
  })
}

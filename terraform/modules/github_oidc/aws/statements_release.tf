locals {
  # Releases are added to; the store's own policy sees to it that none is replaced or deleted.
  store_of = { for environment, at in local.at : environment => [
    {
      Sid      = "ReadAndWriteReleases"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = [at.store]
    },
    {
      Sid      = "TellMissingFromForbidden"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = [at.store_bucket]
    },
    {
      Sid       = "EncryptThroughS3"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [at.keys]
      Condition = { StringEquals = merge(local.through_s3.StringEquals, at.owned.StringEquals) }
    },
  ] }

  publish_statements = { for environment, at in local.at : environment => concat(local.store_of[environment], [
    {
      Sid    = "PushImages"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:ListImages", "ecr:PutImage", "ecr:UploadLayerPart",
      ]
      Resource = [at.images]
    },
    {
      # A login is for the whole registry; what may be done with it is the statement before.
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
  ]) }

  # What `mlops-config deploy` does itself: the ledger, the release in Airflow's DAG folder, and asking Airflow.
  release_statements = { for environment, at in local.at : environment => concat(local.store_of[environment], [
    {
      Sid      = "WriteDeployment"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = [at.dags]
    },
    {
      Sid      = "ListDeployments"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = [at.dags_bucket]
    },
    {
      Sid      = "AskAirflow"
      Effect   = "Allow"
      Action   = ["airflow:CreateWebLoginToken"]
      Resource = ["${at.airflow}:role/${at.airflow_name}/Op"]
    },
    {
      Sid      = "FindAirflow"
      Effect   = "Allow"
      Action   = ["airflow:GetEnvironment"]
      Resource = ["${at.airflow}:environment/${at.airflow_name}"]
    },
  ]) }

  # Going back also moves the endpoint, which otherwise only the jobs do.
  endpoint_statements = { for environment, at in local.at : environment => [
    {
      Sid    = "MoveEndpoint"
      Effect = "Allow"
      Action = [
        "sagemaker:AddTags", "sagemaker:CreateEndpoint", "sagemaker:CreateEndpointConfig", "sagemaker:CreateModel",
        "sagemaker:DeleteEndpoint", "sagemaker:DeleteEndpointConfig", "sagemaker:DeleteTags", "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel", "sagemaker:InvokeEndpoint", "sagemaker:ListTags",
        "sagemaker:UpdateEndpoint",
      ]
      Resource = flatten([for endpoint in var.environments[environment].endpoint[*] : concat(
        ["${at.sagemaker}:endpoint/${lower(endpoint)}"],
        [for kind in ["endpoint", "endpoint-config", "model"] : "${at.sagemaker}:${kind}/${lower(endpoint)}-*"],
      )])
    },
    {
      Sid      = "WatchRollout"
      Effect   = "Allow"
      Action   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"]
      Resource = [for endpoint in var.environments[environment].endpoint[*] : "arn:${local.partition}:cloudwatch:${var.region}:${var.account_id}:alarm:${endpoint}-*"]
    },
    {
      # Listings know no resources.
      Sid      = "FindOwn"
      Effect   = "Allow"
      Action   = ["application-autoscaling:DescribeScalableTargets", "cloudwatch:DescribeAlarms", "sagemaker:ListEndpointConfigs", "sagemaker:ListEndpoints", "sagemaker:ListModels"]
      Resource = [for _ in var.environments[environment].endpoint[*] : "*"]
    },
    {
      Sid       = "ScaleEndpoint"
      Effect    = "Allow"
      Action    = ["application-autoscaling:DeregisterScalableTarget", "application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget"]
      Resource  = [for _ in var.environments[environment].endpoint[*] : "arn:${local.partition}:application-autoscaling:${var.region}:${var.account_id}:scalable-target/*"]
      Condition = { StringEquals = { "application-autoscaling:service-namespace" = "sagemaker" } }
    },
  ] }
}

locals {
  network_actions = [
    "ec2:AllocateAddress", "ec2:CreateFlowLogs", "ec2:CreateInternetGateway", "ec2:CreateNatGateway",
    "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc",
  ]
  tagging_actions = [for action in concat(local.network_actions, ["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateVpcEndpoint"]) : trimprefix(action, "ec2:")]
  # Nothing that has another environment's tag, or this one's already. But a key or a workspace of the account that has no
  # tag `environment` can be given this one's by whoever deploys, and then be changed and deleted: AWS asks for the right to
  # tag what is being made, which has no tag yet. So tag what else lies in the account, or give each environment its own.
  untagged = { Null = { "aws:ResourceTag/environment" = "true" } }

  # Buckets, repositories, keys, secrets.
  apply_data_statements = { for environment, at in local.at : environment => [
    {
      Sid    = "Buckets"
      Effect = "Allow"
      Action = [
        "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucket*", "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration", "s3:ListBucketVersions", "s3:TagResource", "s3:UntagResource",
      ]
      Resource = [at.buckets]
    },
    {
      Sid    = "AirflowsFiles"
      Effect = "Allow"
      Action = [
        "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion",
        "s3:PutObject", "s3:PutObjectTagging",
      ]
      Resource = ["${at.dags_bucket}/*"]
    },
    {
      Sid    = "Repositories"
      Effect = "Allow"
      Action = [
        "ecr:CreateRepository", "ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:DeleteRepositoryPolicy",
        "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy",
        "ecr:SetRepositoryPolicy", "ecr:TagResource", "ecr:UntagResource",
      ]
      Resource = [at.ecr]
    },
    {
      # A key has no name before it is there: its tag says whose it is.
      Sid       = "MakeKeys"
      Effect    = "Allow"
      Action    = ["kms:CreateKey"]
      Resource  = ["*"]
      Condition = at.made
    },
    {
      Sid    = "Keys"
      Effect = "Allow"
      Action = [
        "kms:CreateAlias", "kms:DeleteAlias", "kms:DisableKey", "kms:EnableKeyRotation", "kms:PutKeyPolicy",
        "kms:RetireGrant", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias",
        "kms:UpdateKeyDescription",
      ]
      Resource  = [at.keys]
      Condition = at.owned
    },
    {
      # MWAA, Prometheus and ECR encrypt by grants on a key, which they make in the name of whoever makes them.
      # https://docs.aws.amazon.com/mwaa/latest/userguide/custom-keys-certs.html
      Sid       = "LetServicesUseKeys"
      Effect    = "Allow"
      Action    = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
      Resource  = [at.keys]
      Condition = merge(at.owned, { Bool = { "kms:GrantIsForAWSResource" = "true" } })
    },
    {
      # https://docs.aws.amazon.com/mwaa/latest/userguide/access-policies.html
      Sid       = "UseKeysThroughServices"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
      Resource  = [at.keys]
      Condition = { StringEquals = merge(at.owned.StringEquals, { "kms:ViaService" = values(local.services_with_keys) }) }
    },
    {
      # Naming a key needs the right to the name as well as to the key.
      Sid      = "KeyNames"
      Effect   = "Allow"
      Action   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
      Resource = [at.aliases]
    },
    {
      Sid       = "TagNewKeys"
      Effect    = "Allow"
      Action    = ["kms:TagResource"]
      Resource  = [at.keys]
      Condition = merge(at.made, local.untagged)
    },
    {
      Sid    = "Secrets"
      Effect = "Allow"
      Action = [
        "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:PutResourcePolicy",
        "secretsmanager:DeleteResourcePolicy", "secretsmanager:RestoreSecret", "secretsmanager:TagResource",
        "secretsmanager:UntagResource", "secretsmanager:UpdateSecret",
      ]
      Resource = concat(at.connection, [at.filled])
    },
    {
      # Values are written for the Connection and the Variable only: no secret of people's passes through here.
      Sid      = "WriteConnection"
      Effect   = "Allow"
      Action   = ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]
      Resource = at.connection
    },
  ] }

  # The network that Airflow runs in.
  apply_network_statements = { for environment, at in local.at : environment => [
    {
      # MWAA reaches into the subnets by endpoints and interfaces, for which it asks what the caller may; so does the
      # network for S3. https://docs.aws.amazon.com/mwaa/latest/userguide/access-policies.html
      Sid      = "MakeEndpoints"
      Effect   = "Allow"
      Action   = ["ec2:CreateNetworkInterface", "ec2:CreateVpcEndpoint"]
      Resource = [for kind in ["network-interface", "route-table", "security-group", "subnet", "vpc", "vpc-endpoint"] : "${at.ec2}:${kind}/*"]
    },
    {
      # What is made has the environment's tag, and what it is made in has it already.
      Sid       = "MakeNetwork"
      Effect    = "Allow"
      Action    = local.network_actions
      Resource  = [for kind in ["elastic-ip", "internet-gateway", "natgateway", "route-table", "security-group", "subnet", "vpc", "vpc-flow-log"] : "${at.ec2}:${kind}/*"]
      Condition = at.made
    },
    {
      Sid       = "MakeWithinNetwork"
      Effect    = "Allow"
      Action    = local.network_actions
      Resource  = [for kind in ["elastic-ip", "subnet", "vpc"] : "${at.ec2}:${kind}/*"]
      Condition = at.owned
    },
    {
      Sid       = "MakeGroupRules"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroup*"]
      Resource  = ["${at.ec2}:security-group-rule/*"]
      Condition = at.made
    },
    {
      # The group that comes with a new VPC has no tag yet. So other groups without one can be closed as well, not opened.
      Sid       = "CloseDefaultGroup"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]
      Resource  = ["${at.ec2}:security-group/*"]
      Condition = local.untagged
    },
    {
      # While it is made and at no other time: whoever could tag what is there could make it their own.
      Sid       = "TagWhatIsMade"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["${at.ec2}:*/*"]
      Condition = { StringEquals = merge(at.made.StringEquals, { "ec2:CreateAction" = local.tagging_actions }) }
    },
    {
      Sid    = "Network"
      Effect = "Allow"
      Action = [
        "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroup*", "ec2:CreateRoute", "ec2:CreateTags",
        "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable",
        "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
        "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifySubnetAttribute",
        "ec2:ModifySecurityGroupRules", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress", "ec2:ReplaceRoute",
        "ec2:RevokeSecurityGroup*",
      ]
      Resource  = ["${at.ec2}:*/*"]
      Condition = at.owned
    },
  ] }

  # Airflow, Prometheus and its topics.
  apply_service_statements = { for environment, at in local.at : environment => [
    {
      Sid      = "Airflow"
      Effect   = "Allow"
      Action   = ["airflow:CreateEnvironment", "airflow:DeleteEnvironment", "airflow:TagResource", "airflow:UntagResource", "airflow:UpdateEnvironment"]
      Resource = ["${at.airflow}:environment/${at.airflow_name}"]
    },
    {
      Sid       = "MakeWorkspace"
      Effect    = "Allow"
      Action    = ["aps:CreateWorkspace"]
      Resource  = ["*"]
      Condition = at.made
    },
    {
      Sid       = "MakeRules"
      Effect    = "Allow"
      Action    = ["aps:CreateRuleGroupsNamespace", "aps:TagResource"]
      Resource  = ["${at.aps}:rulegroupsnamespace/*", "${at.aps}:workspace/*"]
      Condition = merge(at.made, local.untagged)
    },
    {
      Sid    = "Workspace"
      Effect = "Allow"
      Action = [
        "aps:CreateAlertManagerDefinition", "aps:CreateLoggingConfiguration", "aps:CreateRuleGroupsNamespace", "aps:DeleteAlertManagerDefinition", "aps:DeleteLoggingConfiguration", "aps:DeleteRuleGroupsNamespace",
        "aps:DeleteWorkspace", "aps:PutAlertManagerDefinition", "aps:PutRuleGroupsNamespace", "aps:TagResource",
        "aps:UntagResource", "aps:UpdateLoggingConfiguration", "aps:UpdateWorkspaceAlias", "aps:UpdateWorkspaceConfiguration",
      ]
      Resource  = ["${at.aps}:*"]
      Condition = at.owned
    },
    {
      Sid    = "Topics"
      Effect = "Allow"
      Action = [
        "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource",
        "sns:UntagResource",
      ]
      Resource = [at.topics]
    },
    {
      # Subscriptions are no resources: who deploys could end one of another topic of this account.
      Sid      = "Subscriptions"
      Effect   = "Allow"
      Action   = ["sns:SetSubscriptionAttributes", "sns:Unsubscribe"]
      Resource = ["*"]
    },
    {
      Sid      = "Logs"
      Effect   = "Allow"
      Action   = ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"]
      Resource = [for group in ["/aws/vendedlogs/prometheus/", "/mlops/", "airflow-"] : "${at.logs}:${group}${var.environments[environment].name}*"]
    },
    {
      # Deliveries of a service's own log know no resources.
      Sid      = "LogDeliveries"
      Effect   = "Allow"
      Action   = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"]
      Resource = ["*"]
    },
  ] }

  # Roles and policies of the environment's services, all under the boundary.
  apply_role_statements = { for environment, at in local.at : environment => [
    {
      # Only while the boundary is on: a role without it cannot be made, and none is widened.
      Sid       = "BoundedRoles"
      Effect    = "Allow"
      Action    = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = [at.role]
      Condition = { StringEquals = { "iam:PermissionsBoundary" = at.boundary } }
    },
    {
      Sid      = "Roles"
      Effect   = "Allow"
      Action   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
      Resource = [at.role]
    },
    {
      Sid      = "Policies"
      Effect   = "Allow"
      Action   = ["iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:TagPolicy", "iam:UntagPolicy"]
      Resource = [at.policy]
    },
    {
      Sid       = "HandRolesToServices"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = [at.role]
      Condition = { StringEquals = { "iam:PassedToService" = ["airflow.amazonaws.com", "airflow-env.amazonaws.com", "sagemaker.amazonaws.com", "vpc-flow-logs.amazonaws.com"] } }
    },
    {
      # AWS makes these itself, once for each account.
      Sid       = "ServicesOwnRoles"
      Effect    = "Allow"
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/airflow.amazonaws.com/*", "arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/ops.apigateway.amazonaws.com/*"]
      Condition = { StringLike = { "iam:AWSServiceName" = ["airflow.amazonaws.com", "ops.apigateway.amazonaws.com"] } }
    },
    {
      # Whatever else is allowed anywhere: the roles of GitHub, their policies and the boundary stay as they are.
      Sid      = "NeverThemselves"
      Effect   = "Deny"
      Action   = ["iam:*"]
      Resource = ["arn:${local.partition}:iam::${var.account_id}:role/github-*", "arn:${local.partition}:iam::${var.account_id}:policy/github-*", "arn:${local.partition}:iam::${var.account_id}:oidc-provider/*"]
    },
    {
      Sid      = "NeverWithoutBoundary"
      Effect   = "Deny"
      Action   = ["iam:DeleteRolePermissionsBoundary"]
      Resource = ["*"]
    },
  ] }

  # A rollback changes back; it takes nothing away, whatever a plan says.
  keep_statements = { for environment, at in local.at : environment => [
    {
      Sid    = "DestroyNothing"
      Effect = "Deny"
      Action = [
        "airflow:DeleteEnvironment", "aps:DeleteWorkspace", "ec2:DeleteVpc", "ecr:DeleteRepository", "iam:DeleteRole",
        "kms:DisableKey", "kms:ScheduleKeyDeletion", "logs:DeleteLogGroup", "s3:DeleteBucket", "secretsmanager:DeleteSecret",
        "sns:DeleteTopic",
      ]
      Resource = ["*"]
    },
  ] }
}

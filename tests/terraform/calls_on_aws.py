"""What Terraform's AWS provider asks of AWS for each type of resource, to see it (a plan) and to make it.

From the provider's source (6.x, internal/service/*) for which calls there are, and from the service
authorization reference for what each needs and of which resources. A call may need several: one is an
action, the resource that it is asked of, and whose tags are known then: those that the request brings
(``NEW``), those that the resource has (``THERE``), or none (``BARE``).
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

NEW, THERE, BARE = "new", "there", "bare"


class Call(NamedTuple):
    """One permission that one call needs."""

    action: str
    arn: str
    context: Mapping[str, str]


def _of(
    arn: str, service: str, actions: str, tags: str = THERE, **context: str
) -> list[tuple[str, str, str, dict[str, str]]]:
    """``actions`` of a service, by their names without it; ``context`` has ``__`` for a colon."""
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    return [(f"{service}:{action}", arn, tags, keys) for action in actions.split()]


_EC2 = "arn:aws:ec2:{region}:{account}:"
_BUCKET, _OBJECT = "arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/{key}"
_REPOSITORY = "arn:aws:ecr:{region}:{account}:repository/{repository}"
_KEY, _ALIAS = "arn:aws:kms:{region}:{account}:key/0a1b", "arn:aws:kms:{region}:{account}:{name}"
_ROLE = "arn:aws:iam::{account}:role/{role}"
_WORKSPACE = "arn:aws:aps:{region}:{account}:workspace/{workspace_id}"
_SEE_EC2 = {
    "aws_default_security_group": "SecurityGroups SecurityGroupRules",
    "aws_eip": "Addresses AddressesAttribute",
    "aws_flow_log": "FlowLogs",
    "aws_internet_gateway": "InternetGateways",
    "aws_nat_gateway": "NatGateways",
    "aws_route": "RouteTables",
    "aws_route_table": "RouteTables",
    "aws_route_table_association": "RouteTables",
    "aws_security_group": "SecurityGroups",
    "aws_subnet": "Subnets",
    "aws_vpc": "Vpcs VpcAttribute NetworkAcls RouteTables SecurityGroups",
    "aws_vpc_endpoint": "VpcEndpoints PrefixLists",
    "aws_vpc_security_group_egress_rule": "SecurityGroupRules",
    "aws_vpc_security_group_ingress_rule": "SecurityGroupRules",
}
_SEE_BUCKET = {
    "aws_s3_bucket": "ListBucket ListTagsForResource GetBucketTagging GetBucketPolicy GetBucketAcl"
    " GetBucketCORS GetBucketWebsite GetBucketVersioning GetBucketLogging GetBucketLocation"
    " GetBucketRequestPayment"
    " GetBucketObjectLockConfiguration GetAccelerateConfiguration GetEncryptionConfiguration"
    " GetLifecycleConfiguration GetReplicationConfiguration",
    "aws_s3_bucket_lifecycle_configuration": "GetLifecycleConfiguration",
    "aws_s3_bucket_logging": "GetBucketLogging",
    "aws_s3_bucket_ownership_controls": "GetBucketOwnershipControls",
    "aws_s3_bucket_policy": "GetBucketPolicy",
    "aws_s3_bucket_public_access_block": "GetBucketPublicAccessBlock",
    "aws_s3_bucket_server_side_encryption_configuration": "GetEncryptionConfiguration",
    "aws_s3_bucket_versioning": "GetBucketVersioning",
}

SEE: Mapping[str, list[Any]] = {
    **{
        kind: _of("*", "ec2", " ".join(f"Describe{each}" for each in what.split()))
        for kind, what in _SEE_EC2.items()
    },
    **{kind: _of(_BUCKET, "s3", what) for kind, what in _SEE_BUCKET.items()},
    "aws_cloudwatch_log_group": [
        *_of("*", "logs", "DescribeLogGroups"),
        *_of("{arn}", "logs", "ListTagsForResource"),
    ],
    "aws_ecr_lifecycle_policy": _of(_REPOSITORY, "ecr", "GetLifecyclePolicy"),
    "aws_ecr_repository": _of("{arn}", "ecr", "DescribeRepositories ListTagsForResource"),
    "aws_ecr_repository_policy": _of(_REPOSITORY, "ecr", "GetRepositoryPolicy"),
    "aws_iam_policy": _of("{arn}", "iam", "GetPolicy GetPolicyVersion ListPolicyVersions"),
    "aws_iam_role": _of("{arn}", "iam", "GetRole ListRolePolicies ListAttachedRolePolicies"),
    "aws_iam_role_policy": _of(_ROLE, "iam", "GetRolePolicy"),
    "aws_iam_role_policy_attachment": _of(_ROLE, "iam", "ListAttachedRolePolicies"),
    "aws_kms_alias": _of("*", "kms", "ListAliases"),
    "aws_kms_key": _of("{arn}", "kms", "DescribeKey GetKeyPolicy GetKeyRotationStatus ListResourceTags"),
    "aws_mwaa_environment": _of("{arn}", "airflow", "GetEnvironment"),
    "aws_prometheus_alert_manager_definition": _of(_WORKSPACE, "aps", "DescribeAlertManagerDefinition"),
    "aws_prometheus_rule_group_namespace": _of(
        "{arn}", "aps", "DescribeRuleGroupsNamespace ListTagsForResource"
    ),
    "aws_prometheus_workspace": _of(
        "{arn}", "aps", "DescribeWorkspace DescribeLoggingConfiguration ListTagsForResource"
    ),
    "aws_prometheus_workspace_configuration": _of(_WORKSPACE, "aps", "DescribeWorkspaceConfiguration"),
    "aws_s3_object": [
        *_of(_OBJECT, "s3", "GetObject GetObjectTagging"),
        *_of(_KEY, "kms", "Decrypt", kms__ViaService="s3.{region}.amazonaws.com"),
    ],
    "aws_secretsmanager_secret": _of("{arn}", "secretsmanager", "DescribeSecret GetResourcePolicy"),
    "aws_secretsmanager_secret_version": [
        *_of("{secret_id}", "secretsmanager", "GetSecretValue DescribeSecret"),
        *_of(_KEY, "kms", "Decrypt", kms__ViaService="secretsmanager.{region}.amazonaws.com"),
    ],
    "aws_sns_topic": _of("{arn}", "sns", "GetTopicAttributes ListTagsForResource"),
    "aws_sns_topic_policy": _of("{arn}", "sns", "GetTopicAttributes"),
    "aws_sns_topic_subscription": _of("*", "sns", "GetSubscriptionAttributes"),
}
"""For a plan, by type."""


def _made_in_ec2(what: str, action: str, *within: str) -> list[Any]:
    """Something with tags of its own, made within what is there; and a tag of it that changes."""
    there = [each for part in within for each in _of(f"{_EC2}{part}/x", "ec2", action)]
    return [
        *_of(f"{_EC2}{what}/*", "ec2", action, NEW),
        *_of(f"{_EC2}{what}/x", "ec2", "CreateTags", NEW, ec2__CreateAction=action),
        *there,
        *_of(f"{_EC2}{what}/x", "ec2", "CreateTags DeleteTags"),
    ]


def _rule(action: str) -> list[Any]:
    return [
        *_made_in_ec2("security-group-rule", action, "security-group"),
        *_of(
            f"{_EC2}security-group/x",
            "ec2",
            "RevokeSecurityGroupIngress RevokeSecurityGroupEgress ModifySecurityGroupRules",
        ),
    ]


MAKE: Mapping[str, list[Any]] = {
    "aws_cloudwatch_log_group": _of(
        "{arn}",
        "logs",
        "CreateLogGroup TagResource UntagResource PutRetentionPolicy AssociateKmsKey DeleteLogGroup",
        NEW,
    ),
    "aws_default_security_group": _of(
        f"{_EC2}security-group/x",
        "ec2",
        "RevokeSecurityGroupIngress RevokeSecurityGroupEgress CreateTags",
        BARE,
    ),
    "aws_ecr_lifecycle_policy": _of(_REPOSITORY, "ecr", "PutLifecyclePolicy DeleteLifecyclePolicy"),
    "aws_ecr_repository": _of(
        "{arn}",
        "ecr",
        "CreateRepository TagResource PutImageTagMutability PutImageScanningConfiguration",
        NEW,
    ),
    "aws_ecr_repository_policy": _of(_REPOSITORY, "ecr", "SetRepositoryPolicy DeleteRepositoryPolicy"),
    "aws_eip": _made_in_ec2("elastic-ip", "AllocateAddress"),
    "aws_flow_log": [
        *_made_in_ec2("vpc-flow-log", "CreateFlowLogs", "vpc"),
        *_of("{iam_role_arn}", "iam", "PassRole", iam__PassedToService="vpc-flow-logs.amazonaws.com"),
        *_of("*", "logs", "CreateLogDelivery DeleteLogDelivery"),
    ],
    "aws_iam_policy": _of(
        "{arn}", "iam", "CreatePolicy TagPolicy UntagPolicy CreatePolicyVersion DeletePolicyVersion", NEW
    ),
    "aws_iam_role": [
        *_of("{arn}", "iam", "CreateRole", NEW, iam__PermissionsBoundary="{permissions_boundary}"),
        *_of("{arn}", "iam", "TagRole UntagRole UpdateAssumeRolePolicy UpdateRole", NEW),
    ],
    "aws_iam_role_policy": _of(
        _ROLE, "iam", "PutRolePolicy DeleteRolePolicy", iam__PermissionsBoundary="{boundary}"
    ),
    "aws_iam_role_policy_attachment": _of(
        _ROLE, "iam", "AttachRolePolicy DetachRolePolicy", iam__PermissionsBoundary="{boundary}"
    ),
    "aws_internet_gateway": [
        *_made_in_ec2("internet-gateway", "CreateInternetGateway"),
        *_of(f"{_EC2}internet-gateway/x", "ec2", "AttachInternetGateway"),
        *_of(f"{_EC2}vpc/x", "ec2", "AttachInternetGateway"),
    ],
    "aws_kms_alias": [*_of(_ALIAS, "kms", "CreateAlias", BARE), *_of(_KEY, "kms", "CreateAlias")],
    "aws_kms_key": [
        *_of("*", "kms", "CreateKey", NEW),
        *_of("{arn}", "kms", "TagResource", NEW),
        *_of("{arn}", "kms", "EnableKeyRotation PutKeyPolicy UpdateKeyDescription TagResource UntagResource"),
    ],
    # Amazon's policy for who makes environments: …/mwaa/latest/userguide/access-policies.html
    "aws_mwaa_environment": [
        *_of("{arn}", "airflow", "CreateEnvironment TagResource UpdateEnvironment", NEW),
        *_of("{execution_role_arn}", "iam", "PassRole", iam__PassedToService="airflow.amazonaws.com"),
        *_of(
            "{slr}/airflow.amazonaws.com/AWSServiceRoleForAmazonMWAA",
            "iam",
            "CreateServiceLinkedRole",
            BARE,
            iam__AWSServiceName="airflow.amazonaws.com",
        ),
        *(
            each
            for part in ("vpc-endpoint/*", "vpc/x", "subnet/x", "security-group/x")
            for each in _of(_EC2 + part, "ec2", "CreateVpcEndpoint", BARE)
        ),
        *(
            each
            for part in ("network-interface/*", "subnet/x")
            for each in _of(_EC2 + part, "ec2", "CreateNetworkInterface", BARE)
        ),
        *_of("*", "ec2", "DescribeSecurityGroups DescribeSubnets DescribeVpcs DescribeRouteTables", BARE),
        *_of("{kms_key}", "kms", "DescribeKey"),
        *_of(
            "{kms_key}",
            "kms",
            "CreateGrant ListGrants RevokeGrant",
            kms__GrantIsForAWSResource="true",
            kms__ViaService="airflow.{region}.amazonaws.com",
        ),
        *_of(
            "{kms_key}",
            "kms",
            "Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext",
            kms__ViaService="airflow.{region}.amazonaws.com",
        ),
        *_of(
            "{source_bucket_arn}",
            "s3",
            "GetEncryptionConfiguration GetBucketPublicAccessBlock GetBucketVersioning",
        ),
    ],
    "aws_nat_gateway": _made_in_ec2("natgateway", "CreateNatGateway", "subnet", "elastic-ip"),
    "aws_prometheus_alert_manager_definition": _of(
        _WORKSPACE, "aps", "CreateAlertManagerDefinition PutAlertManagerDefinition"
    ),
    # The reference has the namespace; what AWS answers has named the workspace as well.
    "aws_prometheus_rule_group_namespace": [
        *_of("{arn}", "aps", "CreateRuleGroupsNamespace TagResource", NEW),
        *_of(_WORKSPACE, "aps", "CreateRuleGroupsNamespace"),
        *_of("{arn}", "aps", "PutRuleGroupsNamespace DeleteRuleGroupsNamespace TagResource UntagResource"),
    ],
    "aws_prometheus_workspace": [
        *_of("*", "aps", "CreateWorkspace", NEW),
        *_of("{arn}", "aps", "TagResource", NEW),
        *_of(
            "{arn}",
            "aps",
            "CreateLoggingConfiguration UpdateLoggingConfiguration UpdateWorkspaceAlias"
            " TagResource UntagResource",
        ),
        *_of("*", "logs", "CreateLogDelivery PutResourcePolicy DescribeResourcePolicies DescribeLogGroups"),
        *_of("{kms_key_arn}", "kms", "DescribeKey"),
        *_of(
            "{kms_key_arn}",
            "kms",
            "CreateGrant",
            kms__GrantIsForAWSResource="true",
            kms__ViaService="aps.{region}.amazonaws.com",
        ),
        *_of("{kms_key_arn}", "kms", "Decrypt GenerateDataKey", kms__ViaService="aps.{region}.amazonaws.com"),
    ],
    "aws_prometheus_workspace_configuration": _of(_WORKSPACE, "aps", "UpdateWorkspaceConfiguration"),
    "aws_route": _of(f"{_EC2}route-table/x", "ec2", "CreateRoute ReplaceRoute DeleteRoute"),
    "aws_route_table": _made_in_ec2("route-table", "CreateRouteTable", "vpc"),
    "aws_route_table_association": [
        each
        for part in ("route-table", "subnet")
        for each in _of(f"{_EC2}{part}/x", "ec2", "AssociateRouteTable DisassociateRouteTable")
    ],
    "aws_s3_bucket": _of(_BUCKET, "s3", "CreateBucket TagResource UntagResource PutBucketTagging", NEW),
    "aws_s3_bucket_lifecycle_configuration": _of(_BUCKET, "s3", "PutLifecycleConfiguration"),
    "aws_s3_bucket_logging": _of(_BUCKET, "s3", "PutBucketLogging"),
    "aws_s3_bucket_ownership_controls": _of(_BUCKET, "s3", "PutBucketOwnershipControls"),
    "aws_s3_bucket_policy": _of(_BUCKET, "s3", "PutBucketPolicy DeleteBucketPolicy"),
    "aws_s3_bucket_public_access_block": _of(_BUCKET, "s3", "PutBucketPublicAccessBlock"),
    "aws_s3_bucket_server_side_encryption_configuration": _of(_BUCKET, "s3", "PutEncryptionConfiguration"),
    "aws_s3_bucket_versioning": _of(_BUCKET, "s3", "PutBucketVersioning"),
    "aws_s3_object": [
        *_of(_OBJECT, "s3", "PutObject PutObjectTagging DeleteObject DeleteObjectVersion"),
        *_of(_BUCKET, "s3", "ListBucketVersions"),
        *_of(_KEY, "kms", "GenerateDataKey", kms__ViaService="s3.{region}.amazonaws.com"),
    ],
    "aws_secretsmanager_secret": [
        *_of(
            "{arn}", "secretsmanager", "CreateSecret TagResource UntagResource UpdateSecret DeleteSecret", NEW
        ),
        *_of(_KEY, "kms", "GenerateDataKey Decrypt", kms__ViaService="secretsmanager.{region}.amazonaws.com"),
    ],
    "aws_secretsmanager_secret_version": [
        *_of("{secret_id}", "secretsmanager", "PutSecretValue UpdateSecretVersionStage"),
        *_of(_KEY, "kms", "GenerateDataKey Decrypt", kms__ViaService="secretsmanager.{region}.amazonaws.com"),
    ],
    "aws_security_group": [
        *_made_in_ec2("security-group", "CreateSecurityGroup", "vpc"),
        *_of(f"{_EC2}security-group/x", "ec2", "RevokeSecurityGroupEgress DeleteSecurityGroup"),
    ],
    "aws_sns_topic": _of("{arn}", "sns", "CreateTopic TagResource UntagResource SetTopicAttributes", NEW),
    "aws_sns_topic_policy": _of("{arn}", "sns", "SetTopicAttributes"),
    "aws_sns_topic_subscription": [
        *_of("{topic_arn}", "sns", "Subscribe"),
        *_of("*", "sns", "SetSubscriptionAttributes Unsubscribe"),
    ],
    "aws_subnet": [
        *_made_in_ec2("subnet", "CreateSubnet", "vpc"),
        *_of(f"{_EC2}subnet/x", "ec2", "ModifySubnetAttribute"),
    ],
    "aws_vpc": [*_made_in_ec2("vpc", "CreateVpc"), *_of(f"{_EC2}vpc/x", "ec2", "ModifyVpcAttribute")],
    "aws_vpc_endpoint": [
        *_made_in_ec2("vpc-endpoint", "CreateVpcEndpoint", "vpc", "route-table"),
        *_of(f"{_EC2}vpc-endpoint/x", "ec2", "ModifyVpcEndpoint"),
    ],
    "aws_vpc_security_group_egress_rule": _rule("AuthorizeSecurityGroupEgress"),
    "aws_vpc_security_group_ingress_rule": _rule("AuthorizeSecurityGroupIngress"),
}
"""To make, change and replace it, by type; a root is destroyed by an administrator."""


def calls(
    table: Mapping[str, list[Any]], kind: str, values: Mapping[str, Any], environment: str
) -> Iterator[Call]:
    """What a resource with these values needs; raises ``KeyError`` for a type that the table has not."""
    words = {
        "account": values["account"],
        "region": "eu-central-1",
        "slr": f"arn:aws:iam::{values['account']}:role/aws-service-role",
    }
    words |= {key: value for key, value in values.items() if isinstance(value, str)}
    tags = values.get("tags") or {}
    for action, arn, when, keys in table[kind]:
        context = {key: value.format(**words) for key, value in keys.items()}
        if when == NEW:
            context |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        if when == THERE:
            context["aws:ResourceTag/environment"] = tags.get("environment", environment)
        yield Call(action, arn.format(**words), context)

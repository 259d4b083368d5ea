"""What is Amazon's own: credentials, ARNs, tags, the names that are taken, and the data sources."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.terraform.provider.cloud import CloudError
from tests.terraform.provider.invention import Settings, known
from tests.terraform.provider.wire import UNKNOWN

_SIGNS_OF_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE")
_ANY_ACCOUNT = "123456789012"


def configured(config: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The provider block as settings; raises with the sentences of the provider for AWS."""
    if not (
        config.get("access_key") or config.get("profile") or any(map(environ.get, _SIGNS_OF_CREDENTIALS))
    ):
        raise CloudError(
            "No valid credential sources found",
            "Please see https://registry.terraform.io/providers/hashicorp/aws\n"
            "for more information about providing credentials.\n\n"
            "Error: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds:"
            ' GetMetadata, access disabled to EC2 IMDS via client option, or "AWS_EC2_METADATA_DISABLED"'
            " environment variable",
        )
    region = config.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise CloudError(
            "Missing region configuration",
            "The AWS region must be set: in the provider block, or as AWS_REGION in the environment.",
        )
    allowed = config.get("allowed_account_ids") or []
    account = environ.get("STANDIN_ACCOUNT") or next(iter(sorted(allowed)), _ANY_ACCOUNT)
    forbidden = config.get("forbidden_account_ids") or []
    if (allowed and account not in allowed) or account in forbidden:
        raise CloudError(f"AWS account ID not allowed: {account}")
    tags: dict[str, str] = {}
    for block in config.get("default_tags") or ():
        tags |= block.get("tags") or {}
    return Settings(account, region, tags)


def known_at_plan(values: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """What the provider for AWS works out by itself when it plans: the region, and all tags."""
    result: dict[str, Any] = {}
    if values.get("region") is UNKNOWN:
        result["region"] = settings.region
    if "tags_all" in values and values.get("tags") is not UNKNOWN:
        result["tags_all"] = {**settings.labels, **(values.get("tags") or {})}
    return result


_TAKEN: Mapping[str, str] = {
    "aws_cloudwatch_log_group": "ResourceAlreadyExistsException: The specified log group already exists",
    "aws_ecr_repository": "RepositoryAlreadyExistsException: The repository with name '{name}' already exists"
    " in the registry with id '{account}'",
    "aws_iam_openid_connect_provider": "EntityAlreadyExists: Provider with url {url} already exists.",
    "aws_iam_policy": "EntityAlreadyExists: A policy called {name} already exists. Duplicate names are not"
    " allowed.",
    "aws_iam_role": "EntityAlreadyExists: Role with name {name} already exists.",
    "aws_kms_alias": "AlreadyExistsException: An alias with the name {name} already exists",
    "aws_mwaa_environment": "ValidationException: Environment {name} already exists.",
    "aws_s3_bucket": "BucketAlreadyOwnedByYou: Your previous request to create the named bucket succeeded"
    " and you already own it.",
    "aws_secretsmanager_secret": "ResourceExistsException: The operation failed because the secret {name}"
    " already exists.",
}
"""Types of which there is one with a name, and what the service answers to a second."""


def taken(kind: str, values: Mapping[str, Any], settings: Settings) -> CloudError | None:
    """The refusal to make an object whose name another has; ``None`` when the type allows it."""
    if kind not in _TAKEN:
        return None
    words = {"name": "", "url": "", "account": settings.account, **known(values)}
    return CloudError(
        f"creating {kind} ({words.get('bucket') or words['name']}): {_TAKEN[kind].format_map(words)}"
    )


def forbidden(*_: Any) -> CloudError | None:
    """Never: what may be done follows from the account, which was checked."""
    return None


_AWS_ARN: Mapping[str, str] = {
    "aws_cloudwatch_log_group": "logs:{region}:{account}:log-group:{name}",
    "aws_ecr_repository": "ecr:{region}:{account}:repository/{name}",
    "aws_iam_instance_profile": "iam::{account}:instance-profile/{name}",
    "aws_iam_openid_connect_provider": "iam::{account}:oidc-provider/{host}",
    "aws_iam_policy": "iam::{account}:policy{path}{name}",
    "aws_iam_role": "iam::{account}:role{path}{name}",
    "aws_kms_alias": "kms:{region}:{account}:{name}",
    "aws_kms_key": "kms:{region}:{account}:key/{uuid}",
    "aws_mwaa_environment": "airflow:{region}:{account}:environment/{name}",
    "aws_prometheus_rule_group_namespace": "aps:{region}:{account}:rulegroupsnamespace/{ws}/{name}",
    "aws_prometheus_workspace": "aps:{region}:{account}:workspace/ws-{uuid}",
    "aws_s3_bucket": "s3:::{bucket}",
    "aws_s3_object": "s3:::{bucket}/{key}",
    "aws_secretsmanager_secret": "secretsmanager:{region}:{account}:secret:{name}-{short}",
    "aws_sns_topic": "sns:{region}:{account}:{name}",
    "aws_sns_topic_subscription": "{topic}:{uuid}",
    "aws_sqs_queue": "sqs:{region}:{account}:{name}",
}
"""Behind ``arn:aws:``, from the service authorization reference's resource types."""
_AWS_ID: Mapping[str, str] = {
    "aws_cloudwatch_log_group": "name",
    "aws_ecr_repository": "name",
    "aws_ecr_lifecycle_policy": "repository",
    "aws_ecr_repository_policy": "repository",
    "aws_iam_role": "name",
    "aws_kms_alias": "name",
    "aws_mwaa_environment": "name",
    "aws_prometheus_alert_manager_definition": "workspace_id",
    "aws_s3_object": "key",
    "aws_sns_topic_policy": "arn",
}
"""Types whose ``id`` is another attribute; the others' is their ARN or ``<prefix>-<17 hex>``."""
_EC2_ID: Mapping[str, str] = {
    "aws_default_security_group": "sg",
    "aws_eip": "eipalloc",
    "aws_flow_log": "fl",
    "aws_internet_gateway": "igw",
    "aws_nat_gateway": "nat",
    "aws_route_table": "rtb",
    "aws_route_table_association": "rtbassoc",
    "aws_security_group": "sg",
    "aws_subnet": "subnet",
    "aws_vpc": "vpc",
    "aws_vpc_endpoint": "vpce",
    "aws_vpc_security_group_egress_rule": "sgr",
    "aws_vpc_security_group_ingress_rule": "sgr",
}


def special(kind: str, values: Mapping[str, Any], settings: Settings, seed: str) -> dict[str, Any]:
    """What AWS answers for a type, as far as its form matters to whoever refers to it."""
    given, account = known(values), settings.account
    region = given.get("region", settings.region)
    name = given.get("name") or f"{given.get('name_prefix', 'terraform-')}{seed[:26]}"
    bucket = given.get("bucket") or f"{given.get('bucket_prefix', 'terraform-')}{seed[:26]}"
    uuid = f"{seed[:8]}-{seed[8:12]}-4{seed[13:16]}-8{seed[17:20]}-{seed[20:32]}"
    words = {
        "account": account,
        "region": region,
        "name": name,
        "bucket": bucket,
        "key": given.get("key", ""),
        "path": given.get("path", "/"),
        "host": re.sub("^https://", "", given.get("url", "")),
        "uuid": uuid,
        "ws": given.get("workspace_id", ""),
        "short": seed[:6],
        "topic": re.sub("^arn:aws:", "", given.get("topic_arn", "")),
    }
    result: dict[str, Any] = {
        "account_id": account,
        "registry_id": account,
        "owner_id": account,
        "owner": account,
    }
    if kind in _EC2_ID:
        resource = f"{_EC2_ID[kind]}-{seed[:17]}"
        part = kind.removeprefix("aws_").replace("_", "-")
        result |= {"id": resource, "arn": f"arn:aws:ec2:{region}:{account}:{part}/{resource}"}
        result |= {"allocation_id": resource, "public_ip": f"203.0.113.{int(seed[:2], 16)}"}
        result |= {"availability_zone": f"{region}a", "security_group_rule_id": resource}
    elif kind in _AWS_ARN:
        result["arn"] = "arn:aws:" + _AWS_ARN[kind].format(**words)
        result["id"] = result["arn"]
    result |= {"name": name, "bucket": bucket, "key_id": uuid}
    if kind in _AWS_ID:
        result["id"] = given.get(_AWS_ID[kind], name)
    elif kind.startswith("aws_s3_bucket"):
        result["id"] = bucket
        result["bucket_domain_name"] = f"{bucket}.s3.amazonaws.com"
        result["bucket_regional_domain_name"] = f"{bucket}.s3.{region}.amazonaws.com"
        result["bucket_region"] = region
    elif kind == "aws_kms_key":
        result["id"] = uuid
    elif kind == "aws_iam_role_policy":
        result["id"] = f"{given.get('role')}:{name}"
    elif kind == "aws_iam_role_policy_attachment":
        result["id"] = f"{given.get('role')}-{seed[:26]}"
    elif kind == "aws_prometheus_workspace":
        result["id"] = f"ws-{uuid}"
        host = f"aps-workspaces.{region}.amazonaws.com"
        result["prometheus_endpoint"] = f"https://{host}/workspaces/ws-{uuid}/"
    elif kind == "aws_kms_alias":
        key = str(given.get("target_key_id"))
        result["target_key_arn"] = (
            key if key.startswith("arn:") else f"arn:aws:kms:{region}:{account}:key/{key}"
        )
    elif kind == "aws_secretsmanager_secret_version":
        secret = str(given.get("secret_id"))
        result |= {"arn": secret, "secret_arn": secret, "version_id": uuid, "id": f"{secret}|{uuid}"}
    if kind == "aws_ecr_repository":
        result["repository_url"] = f"{account}.dkr.ecr.{region}.amazonaws.com/{name}"
    if kind == "aws_iam_role":
        result |= {"unique_id": f"AROA{seed[:17].upper()}", "max_session_duration": 3600}
    if kind == "aws_mwaa_environment":
        result["webserver_url"] = f"{uuid}.c10.{region}.airflow.amazonaws.com"
        result["status"] = "AVAILABLE"
        result["service_role_arn"] = (
            f"arn:aws:iam::{account}:role/aws-service-role/airflow.amazonaws.com/AWSServiceRoleForAmazonMWAA"
        )
    return result


def _zones(_: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    names = [f"{settings.region}{letter}" for letter in "abc"]
    return {"names": names, "zone_ids": [f"{name}-id" for name in names], "id": settings.region}


DATA: Mapping[str, Callable[[Mapping[str, Any], Settings], dict[str, Any]]] = {
    "aws_availability_zones": _zones,
    "aws_caller_identity": lambda _, settings: {
        "account_id": settings.account,
        "arn": f"arn:aws:sts::{settings.account}:assumed-role/standin/session",
        "id": settings.account,
        "user_id": "AROASTANDIN:session",
    },
    "aws_partition": lambda *_: {
        "partition": "aws",
        "dns_suffix": "amazonaws.com",
        "reverse_dns_prefix": "com.amazonaws",
        "id": "aws",
    },
    "aws_region": lambda _, settings: {
        "name": settings.region,
        "region": settings.region,
        "id": settings.region,
        "description": settings.region,
        "endpoint": f"ec2.{settings.region}.amazonaws.com",
    },
}
"""Data sources that say where one is; each other one looks for an object of its type."""

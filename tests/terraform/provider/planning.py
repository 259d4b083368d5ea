"""What a change will be: the values known before the apply, and those that need a new object."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.terraform.provider.wire import UNKNOWN, Block, each_of

_NAMES = frozenset({"name", "name_prefix", "region", "project", "location", "zone"})
"""With both providers a new object, wherever the table below says nothing else."""
_IN_PLACE: Mapping[str, frozenset[str]] = {
    "aws_iam_openid_connect_provider": frozenset(),
    "google_monitoring_alert_policy": frozenset({"project"}),
    "google_monitoring_notification_channel": frozenset({"project"}),
    "google_project": frozenset({"project_id"}),
    "google_project_service": frozenset({"project", "service"}),
}
"""Types whose replacing attributes differ from names and places: here all of them."""
_REPLACING: Mapping[str, frozenset[str]] = {
    "aws_ecr_lifecycle_policy": frozenset({"repository"}),
    "aws_ecr_repository": frozenset({"encryption_configuration"}),
    "aws_ecr_repository_policy": frozenset({"repository"}),
    "aws_eip": frozenset({"domain"}),
    "aws_iam_openid_connect_provider": frozenset({"url"}),
    "aws_iam_policy": frozenset({"path", "description"}),
    "aws_iam_role": frozenset({"path"}),
    "aws_iam_role_policy": frozenset({"role"}),
    "aws_iam_role_policy_attachment": frozenset({"role", "policy_arn"}),
    "aws_kms_key": frozenset({"customer_master_key_spec", "key_usage", "multi_region"}),
    "aws_mwaa_environment": frozenset({"kms_key", "endpoint_management"}),
    "aws_nat_gateway": frozenset({"allocation_id", "subnet_id", "connectivity_type"}),
    "aws_prometheus_alert_manager_definition": frozenset({"workspace_id"}),
    "aws_prometheus_rule_group_namespace": frozenset({"workspace_id"}),
    "aws_prometheus_workspace": frozenset({"kms_key_arn"}),
    "aws_route_table": frozenset({"vpc_id"}),
    "aws_s3_bucket": frozenset({"object_lock_enabled"}),
    "aws_route_table_association": frozenset({"subnet_id", "gateway_id"}),
    "aws_security_group": frozenset({"description", "vpc_id"}),
    "aws_secretsmanager_secret_version": frozenset({"secret_id", "secret_string"}),
    "aws_sns_topic": frozenset({"fifo_topic"}),
    "aws_sns_topic_policy": frozenset({"arn"}),
    "aws_sns_topic_subscription": frozenset({"endpoint", "protocol", "topic_arn"}),
    "aws_subnet": frozenset({"availability_zone", "cidr_block", "vpc_id"}),
    "aws_vpc": frozenset({"ipv6_cidr_block_network_border_group"}),
    "aws_vpc_endpoint": frozenset({"service_name", "vpc_endpoint_type", "vpc_id"}),
    "aws_vpc_security_group_egress_rule": frozenset({"security_group_id"}),
    "aws_vpc_security_group_ingress_rule": frozenset({"security_group_id"}),
    "google_artifact_registry_repository": frozenset({"repository_id", "format", "kms_key_name", "mode"}),
    "google_artifact_registry_repository_iam_member": frozenset(
        {"repository", "role", "member", "condition"}
    ),
    "google_compute_network": frozenset({"auto_create_subnetworks", "description"}),
    "google_compute_router": frozenset({"network"}),
    "google_compute_router_nat": frozenset({"router"}),
    "google_compute_subnetwork": frozenset({"network", "description", "purpose"}),
    "google_iam_workload_identity_pool": frozenset({"workload_identity_pool_id"}),
    "google_iam_workload_identity_pool_provider": frozenset(
        {"workload_identity_pool_id", "workload_identity_pool_provider_id"}
    ),
    "google_kms_crypto_key": frozenset({"key_ring", "purpose"}),
    "google_kms_crypto_key_iam_member": frozenset({"crypto_key_id", "role", "member", "condition"}),
    "google_project_iam_custom_role": frozenset({"role_id"}),
    "google_project_iam_member": frozenset({"role", "member", "condition"}),
    "google_secret_manager_secret": frozenset({"secret_id", "replication"}),
    "google_secret_manager_secret_iam_member": frozenset({"secret_id", "role", "member", "condition"}),
    "google_secret_manager_secret_version": frozenset({"secret", "secret_data"}),
    "google_service_account": frozenset({"account_id"}),
    "google_service_account_iam_member": frozenset({"service_account_id", "role", "member", "condition"}),
    "google_storage_bucket_iam_member": frozenset({"bucket", "role", "member", "condition"}),
    "google_storage_bucket_object": frozenset({"bucket"}),
}
"""Attributes that only a new object can have changed ("Forces new resource" in the providers' documentation),
besides the names and places above; ``bucket`` is one of them wherever a resource of S3 has it."""


def replacing(kind: str) -> frozenset[str]:
    """The attributes and blocks of a type whose change needs a new object."""
    names = _IN_PLACE.get(kind, _NAMES)
    if kind.startswith("aws_s3"):
        names |= {"bucket", "key"}
    return names | _REPLACING.get(kind, frozenset())


def planned(block: Block, proposed: Mapping[str, Any], prior: Mapping[str, Any] | None) -> dict[str, Any]:
    """``proposed`` with computed values unknown where no object gave them yet."""
    result = dict(proposed)
    for name, described in block.get("attributes", {}).items():
        if proposed[name] is None and prior is None and described.get("computed"):
            result[name] = UNKNOWN
    for name, nested in block.get("block_types", {}).items():
        before = None if prior is None else prior.get(name)
        pairs = iter(_counterparts(nested["nesting_mode"], proposed[name], before))
        result[name] = each_of(
            nested,
            proposed[name],
            lambda item, nested=nested, pairs=pairs: planned(nested["block"], item, next(pairs)),
        )
    return result


def _counterparts(mode: str, proposed: Any, prior: Any) -> Iterator[Mapping[str, Any] | None]:
    """For each object of a block what it was before, or ``None``: in the order of ``each_of``."""
    if proposed is None or proposed is UNKNOWN:
        return
    if mode in ("single", "group"):
        yield prior
    elif mode == "map":
        for key in proposed:
            yield (prior or {}).get(key)
    elif mode == "set":
        # Terraform fills in what an element had already: one that is the same as before has its values.
        for item in proposed:
            if item is not UNKNOWN:
                yield item if item in (prior or ()) else None
    else:
        for index, item in enumerate(proposed):
            if item is not UNKNOWN:
                yield prior[index] if prior and index < len(prior) else None


def settled_by_the_cloud(block: Block, config: Mapping[str, Any]) -> list[str]:
    """The attributes that are configured though only the cloud can set them."""
    found = [
        name
        for name, described in block.get("attributes", {}).items()
        if config.get(name) is not None and not (described.get("optional") or described.get("required"))
    ]
    for name, nested in block.get("block_types", {}).items():
        inner: list[str] = []
        each_of(
            nested,
            config.get(name),
            lambda item, n=nested, i=inner: i.extend(settled_by_the_cloud(n["block"], item)),
        )
        found += [f"{name}.{each}" for each in inner]
    return found


def changed(planned_values: Mapping[str, Any], prior: Mapping[str, Any]) -> frozenset[str]:
    """The attributes and blocks that differ; one that is unknown may differ."""
    return frozenset(name for name, value in planned_values.items() if not _same(value, prior.get(name)))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return one == other or sorted(map(repr, one)) == sorted(map(repr, other))
    return bool(one == other)


VOLATILE = frozenset({"etag", "last_updated", "update_time", "version_id"})
"""Computed attributes that each update sets anew."""

"""What Terraform's provider asks of Google Cloud for each type of resource, and what predefined roles allow.

The permissions of a method are on its page in the service's REST reference, those of a role on the service's
page below https://docs.cloud.google.com/iam/docs/roles-permissions. Which methods a type takes is in the
provider's own source: create and update are one thing here, since whoever makes a resource also changes it.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Needs(NamedTuple):
    """Permissions that a type of resource takes, by what Terraform does to it."""

    read: tuple[str, ...]
    write: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


def _owned(prefix: str, *further: str) -> Needs:
    """A type with get, create, update and delete of its own."""
    write = (f"{prefix}.create", f"{prefix}.update", *further)
    return Needs((f"{prefix}.get",), write, (f"{prefix}.delete",))


def _kept(prefix: str, *changes: str) -> Needs:
    """A type that no workflow removes."""
    return Needs((f"{prefix}.get",), tuple(f"{prefix}.{each}" for each in changes))


def _policy(prefix: str) -> Needs:
    """A grant: the policy is read, changed and written, whether the grant comes or goes."""
    return Needs((f"{prefix}.getIamPolicy",), (f"{prefix}.setIamPolicy",))


NEEDS: Mapping[str, Needs] = {
    "google_artifact_registry_repository": _owned("artifactregistry.repositories"),
    "google_artifact_registry_repository_iam_member": _policy("artifactregistry.repositories"),
    # An environment starts as a service account, and takes half an hour: the operation is asked for.
    "google_composer_environment": _owned(
        "composer.environments", "composer.operations.get", "iam.serviceAccounts.actAs"
    ),
    # What belongs to a network changes it. https://docs.cloud.google.com/compute/docs/access/iam-permissions
    "google_compute_firewall": _owned(
        "compute.firewalls", "compute.networks.updatePolicy", "compute.globalOperations.get"
    ),
    "google_compute_network": _owned("compute.networks", "compute.globalOperations.get"),
    "google_compute_router": _owned(
        "compute.routers", "compute.networks.updatePolicy", "compute.regionOperations.get"
    ),
    "google_compute_router_nat": Needs(
        ("compute.routers.get",),
        ("compute.routers.update", "compute.subnetworks.use", "compute.regionOperations.get"),
    ),
    "google_compute_subnetwork": _owned(
        "compute.subnetworks",
        "compute.networks.updatePolicy",
        "compute.regionOperations.get",
        # A method each: a range that grows, and access to Google's services.
        "compute.subnetworks.expandIpCidrRange",
        "compute.subnetworks.setPrivateIpGoogleAccess",
    ),
    "google_kms_crypto_key": _kept("cloudkms.cryptoKeys", "create", "update"),
    "google_kms_crypto_key_iam_member": _policy("cloudkms.cryptoKeys"),
    "google_kms_key_ring": _kept("cloudkms.keyRings", "create"),
    "google_monitoring_alert_policy": _owned("monitoring.alertPolicies"),
    "google_monitoring_notification_channel": _owned("monitoring.notificationChannels"),
    "google_project_iam_member": _policy("resourcemanager.projects"),
    "google_pubsub_topic_iam_member": _policy("pubsub.topics"),
    "google_secret_manager_secret": _owned("secretmanager.secrets"),
    "google_secret_manager_secret_iam_member": _policy("secretmanager.secrets"),
    # Another value is another version, after which the one before is destroyed: so a write destroys as well.
    "google_secret_manager_secret_version": Needs(
        ("secretmanager.versions.get", "secretmanager.versions.access"),
        ("secretmanager.versions.add", "secretmanager.versions.enable", "secretmanager.versions.destroy"),
    ),
    "google_service_account": _owned("iam.serviceAccounts"),
    "google_service_account_iam_member": _policy("iam.serviceAccounts"),
    "google_storage_bucket": _kept("storage.buckets", "create", "update"),
    "google_storage_bucket_iam_member": _policy("storage.buckets"),
    "google_storage_bucket_iam_policy": _policy("storage.buckets"),
    # To replace an object is to delete it. https://docs.cloud.google.com/storage/docs/access-control/iam-json
    "google_storage_bucket_object": Needs(
        ("storage.objects.get",), ("storage.objects.create", "storage.objects.delete")
    ),
}
"""By the type of a managed resource."""

DATA_NEEDS: Mapping[str, Needs] = {
    "google_project": Needs(("resourcemanager.projects.get",)),
    "google_storage_project_service_account": Needs(("resourcemanager.projects.get",)),
}
"""By the type of a data source, which a plan reads as well."""

ROLES: Mapping[str, frozenset[str]] = {
    "roles/resourcemanager.projectIamAdmin": frozenset({
        "resourcemanager.projects.get",
        "resourcemanager.projects.getIamPolicy",
        "resourcemanager.projects.setIamPolicy",
    }),
    "roles/secretmanager.secretAccessor": frozenset({"secretmanager.versions.access"}),
    "roles/storage.objectUser": frozenset({
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
        "storage.objects.update",
    }),
    "roles/storage.objectViewer": frozenset({"storage.objects.get", "storage.objects.list"}),
}  # fmt: skip
"""What is relied on of the predefined roles that the workflows' accounts have in the project."""

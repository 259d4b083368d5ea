"""What is Google's own: credentials, names of resources, labels, names taken, and the data sources."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from tests.terraform.provider.cloud import CloudError
from tests.terraform.provider.invention import Settings, known
from tests.terraform.provider.wire import UNKNOWN

_SIGNS_OF_CREDENTIALS = (
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "GOOGLE_CREDENTIALS",
    "GOOGLE_CLOUD_KEYFILE_JSON",
    "GCLOUD_KEYFILE_JSON",
    "GOOGLE_APPLICATION_CREDENTIALS",
)
_ATTRIBUTION = {"goog-terraform-provisioned": "true"}


def configured(config: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The provider block as settings; raises with the sentence of the provider for Google Cloud."""
    given = config.get("credentials") or config.get("access_token")
    if not (given or any(map(environ.get, _SIGNS_OF_CREDENTIALS))):
        raise CloudError(
            "Attempted to load application default credentials since neither `credentials` nor"
            " `access_token` was set in the provider block.  No credentials loaded. To use your gcloud"
            " credentials, run 'gcloud auth application-default login'.  Original error: google: could not"
            " find default credentials. See https://cloud.google.com/docs/authentication/external/set-up-adc"
            " for more information"
        )
    labels = dict(config.get("default_labels") or {})
    if config.get("add_terraform_attribution_label") is not False:
        labels |= _ATTRIBUTION
    project = (
        config.get("project") or environ.get("GOOGLE_PROJECT") or environ.get("GOOGLE_CLOUD_PROJECT") or ""
    )
    region = config.get("region") or environ.get("GOOGLE_REGION") or ""
    return Settings(project, region, labels)


def known_at_plan(values: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """What the provider for Google Cloud works out when it plans: project, region, and all labels."""
    result: dict[str, Any] = {}
    if values.get("project") is UNKNOWN and settings.account:
        result["project"] = settings.account
    if values.get("region") is UNKNOWN and settings.region:
        result["region"] = settings.region
    if "effective_labels" in values and values.get("labels") is not UNKNOWN:
        every = {**settings.labels, **(values.get("labels") or {})}
        result |= {"effective_labels": every, "terraform_labels": every}
    return result


_UNIQUE = frozenset(
    {
        "google_artifact_registry_repository",
        "google_composer_environment",
        "google_compute_network",
        "google_compute_subnetwork",
        "google_iam_workload_identity_pool",
        "google_iam_workload_identity_pool_provider",
        "google_kms_crypto_key",
        "google_kms_key_ring",
        "google_project_iam_custom_role",
        "google_secret_manager_secret",
        "google_service_account",
        "google_storage_bucket",
    }
)


def taken(kind: str, values: Mapping[str, Any], _: Settings) -> CloudError | None:
    """The refusal to make an object whose name another has; ``None`` when the type allows it."""
    if kind not in _UNIQUE:
        return None
    if kind == "google_storage_bucket":
        return CloudError(
            "googleapi: Error 409: Your previous request to create the named bucket succeeded and you already"
            " own it., conflict"
        )
    return CloudError(
        f"Error creating {kind}: googleapi: Error 409: {values['id']} already exists., alreadyExists"
    )


def forbidden(values: Mapping[str, Any], settings: Settings, environ: Mapping[str, str]) -> CloudError | None:
    """The refusal to work in a project other than ``STANDIN_PROJECT``, when that names one."""
    mine = environ.get("STANDIN_PROJECT")
    asked = values.get("project") or values.get("project_id") or settings.account
    if not mine or asked == mine:
        return None
    return CloudError(
        f"googleapi: Error 403: The caller does not have permission on resource project {asked}, forbidden"
    )


_GOOGLE_ID: Mapping[str, str] = {
    "google_artifact_registry_repository": "projects/{project}/locations/{location}/repositories/"
    "{repository_id}",
    "google_composer_environment": "projects/{project}/locations/{region}/environments/{name}",
    "google_compute_network": "projects/{project}/global/networks/{name}",
    "google_compute_router": "projects/{project}/regions/{region}/routers/{name}",
    "google_compute_router_nat": "{project}/{region}/{router}/{name}",
    "google_compute_subnetwork": "projects/{project}/regions/{region}/subnetworks/{name}",
    "google_iam_workload_identity_pool": "projects/{project}/locations/global/workloadIdentityPools/"
    "{workload_identity_pool_id}",
    "google_iam_workload_identity_pool_provider": "projects/{project}/locations/global/workloadIdentityPools/"
    "{workload_identity_pool_id}/providers/{workload_identity_pool_provider_id}",
    "google_kms_crypto_key": "{key_ring}/cryptoKeys/{name}",
    "google_kms_key_ring": "projects/{project}/locations/{location}/keyRings/{name}",
    "google_logging_metric": "{name}",
    "google_monitoring_alert_policy": "projects/{project}/alertPolicies/{number}",
    "google_monitoring_notification_channel": "projects/{project}/notificationChannels/{number}",
    "google_project_iam_custom_role": "projects/{project}/roles/{role_id}",
    "google_project_iam_member": "{project}/{role}/{member}",
    "google_project_service": "{project}/{service}",
    "google_pubsub_topic": "projects/{project}/topics/{name}",
    "google_secret_manager_secret": "projects/{project}/secrets/{secret_id}",
    "google_secret_manager_secret_version": "{secret}/versions/{version}",
    "google_service_account": "projects/{project}/serviceAccounts/"
    "{account_id}@{project}.iam.gserviceaccount.com",
    "google_storage_bucket": "{name}",
    "google_storage_bucket_object": "{bucket}-{name}",
}
"""The format that each resource's documentation gives for its ``id``."""


_PARTS = (
    *("project", "location", "region", "repository", "bucket", "service_account_id", "crypto_key_id"),
    *("secret_id", "topic", "subscription", "network", "role", "member", "name", "service"),
)
"""What the ids of the types that are not listed are made of, as those of IAM are."""


class _Words(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def project_number(project: str) -> str:
    """The number of a project, the same each time."""
    return str(int(hashlib.sha256(project.encode()).hexdigest()[:10], 16)).zfill(12)[:12]


def special(kind: str, values: Mapping[str, Any], settings: Settings, seed: str) -> dict[str, Any]:
    """What Google answers for a type, as far as its form matters to whoever refers to it."""
    given = known(values)
    project = given.get("project", settings.account)
    number = str(int(seed[:15], 16)).zfill(18)[:18]
    words = _Words(given, project=project, number=number)
    # A version that follows another is another object: the one before may go when this one is there.
    words["version"] = str(
        int(hashlib.sha256(str(given.get("secret_data")).encode()).hexdigest()[:6], 16) + 1
    )
    words.setdefault("region", settings.region)
    words.setdefault("location", settings.region)
    identity = _GOOGLE_ID[kind].format_map(words) if kind in _GOOGLE_ID else ""
    if not identity:
        titles = [condition["title"] for condition in given.get("condition", ())]
        identity = "/".join([*(str(given[name]) for name in _PARTS if name in given), *titles]) or seed[:24]
    host = {"google_storage_bucket": "storage/v1/b"}.get(kind, "compute/v1")
    result: dict[str, Any] = {
        "id": identity,
        "name": identity,
        "self_link": f"https://www.googleapis.com/{host}/{identity}",
        "unique_id": f"1{number}",
        "project_number": int(project_number(project)),
        "state": "ACTIVE",
    }
    if kind == "google_service_account":
        email = f"{given.get('account_id')}@{project}.iam.gserviceaccount.com"
        result |= {"email": email, "member": f"serviceAccount:{email}"}
    if kind == "google_storage_bucket":
        result["url"] = f"gs://{given.get('name')}"
    if kind.startswith("google_iam_workload_identity_pool"):
        result["name"] = identity.replace(f"projects/{project}/", f"projects/{project_number(project)}/")
    if kind == "google_secret_manager_secret":
        result["name"] = f"projects/{project_number(project)}/secrets/{given.get('secret_id')}"
    if kind == "google_artifact_registry_repository":
        result["name"] = given.get("repository_id")
        where = f"{words['location']}-docker.pkg.dev"
        result["registry_uri"] = f"{where}/{project}/{given.get('repository_id')}"
    if kind == "google_composer_environment":
        result["config"] = [
            _composer(each, given["name"], settings.region, seed) for each in values["config"]
        ]
    return result


def _composer(config: Mapping[str, Any], name: str, region: str, seed: str) -> dict[str, Any]:
    invented = {
        "airflow_uri": f"https://{seed[:32]}-dot-{region}.composer.googleusercontent.com",
        "dag_gcs_prefix": f"gs://{region}-{name}-{seed[:8]}-bucket/dags",
        "gke_cluster": f"projects/{seed[:12]}-tp/locations/{region}/clusters/{region}-{name}-{seed[:8]}-gke",
    }
    return {**config, **{key: value for key, value in invented.items() if config.get(key) is UNKNOWN}}


def _project(config: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    project = config.get("project_id") or settings.account
    return {
        "project_id": project,
        "id": f"projects/{project}",
        "name": project,
        "number": project_number(project),
    }


def _storage_account(config: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    number = project_number(config.get("project") or settings.account)
    email = f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"
    return {"email_address": email, "id": email, "member": f"serviceAccount:{email}"}


DATA: Mapping[str, Callable[[Mapping[str, Any], Settings], dict[str, Any]]] = {
    "google_client_config": lambda _, settings: {
        "access_token": "standin",
        "id": f"projects/{settings.account}/regions/{settings.region}/zones/",
        "project": settings.account,
        "region": settings.region,
    },
    "google_project": _project,
    "google_storage_project_service_account": _storage_account,
}
"""Data sources that say where one is; each other one looks for an object of its type."""

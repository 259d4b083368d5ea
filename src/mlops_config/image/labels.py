"""What an environment image says of itself: labels and environment variables."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from mlops_config.bundle.bundle import Bundle
from mlops_config.image.interface import CONFIG_DIR
from mlops_config.kinds import Kind, canonical_name
from mlops_config.release.record import ReleaseRecord

PREFIX = "io.mlops-config."
ENVIRONMENT_LABEL = f"{PREFIX}environment"
CONFIG_DIGEST_LABEL = f"{PREFIX}config-digest"
DOCKERFILE_LABEL = f"{PREFIX}dockerfile.sha256"
DIRTY_LABEL = f"{PREFIX}dirty"

# https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
OCI_PREFIX = "org.opencontainers.image."
CREATED_LABEL = f"{OCI_PREFIX}created"
BASE_PREFIX = f"{OCI_PREFIX}base."
BASE_NAME_LABEL = f"{BASE_PREFIX}name"
BASE_DIGEST_LABEL = f"{BASE_PREFIX}digest"


def environment_variables(bundle: Bundle) -> dict[str, str]:
    """What a program in the image finds in its environment: where its configuration lies and its digest."""
    return {
        "ACTIVE_CONFIG": f"{CONFIG_DIR}/{canonical_name(bundle.environment, Kind.TRAINING)}",
        "MLOPS_ENVIRONMENT": bundle.environment,
        "MLOPS_CONFIG_DIR": CONFIG_DIR,
        "MLOPS_CONFIG_DIGEST": bundle.digest,
    }


def config_labels(bundle: Bundle) -> dict[str, str]:
    """The labels that follow from the bundle alone: who it belongs to, its digest, and each file's."""
    return {
        f"{PREFIX}project": bundle.project,
        f"{PREFIX}model-name": bundle.model_name,
        ENVIRONMENT_LABEL: bundle.environment,
        CONFIG_DIGEST_LABEL: bundle.digest,
        **{f"{PREFIX}{file.kind.value}.sha256": file.sha256 for file in bundle.files},
    }


def base_labels(name: str | None, digest: str | None) -> dict[str, str]:
    """The labels that name the base. Without a base there are none."""
    labels = {BASE_NAME_LABEL: name, BASE_DIGEST_LABEL: digest}
    return {key: value for key, value in labels.items() if value}


def provenance_labels(record: ReleaseRecord, *, commit_time: datetime | None = None) -> dict[str, str]:
    """The ``org.opencontainers.image.*`` labels that say where the image comes from.

    ``created`` is the commit's time, not now: the same commit gives the same labels on every machine, so an
    image that is there already can be recognised. A dirty work tree is marked by ``io.mlops-config.dirty``.
    """
    source = record.source
    labels = {
        f"{OCI_PREFIX}title": f"{record.project} {record.model_name} ({record.environment})",
        f"{OCI_PREFIX}source": _address(source.repository, source.run_url),
        f"{OCI_PREFIX}revision": source.commit,
        f"{OCI_PREFIX}version": record.version or source.commit,
        CREATED_LABEL: _rfc3339(commit_time) if commit_time else None,
        DIRTY_LABEL: "true" if source.dirty else None,
    }
    return {key: value for key, value in labels.items() if value}


def identity_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Of an image's labels those that say what it was made from: with equal ones two are one release."""
    return {key: value for key, value in labels.items() if key.startswith((PREFIX, OCI_PREFIX))}


def _address(repository: str | None, run_url: str | None) -> str | None:
    if repository is None or "://" in repository or run_url is None:
        return repository
    forge = urlsplit(run_url)
    return f"{forge.scheme}://{forge.netloc}/{repository}"


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

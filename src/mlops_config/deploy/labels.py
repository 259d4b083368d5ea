"""What a cloud resource of ours carries, so that its console leads back to the configuration and commit."""

import re
from collections.abc import Mapping

from mlops_config.deploy.interface import Deployment

# https://cloud.google.com/resource-manager/docs/labels-overview#requirements
_LABEL_LENGTH = 63
_ILLEGAL = re.compile(r"[^a-z0-9_-]")
_SHA256 = "sha256:"


def facts(deployment: Deployment) -> dict[str, str]:
    """Name and full value of everything worth tracing; what is not known is left out.

    Commit, release and image digest are what the server is given as ``MLOPS_*``.
    """
    revision, variables = deployment.revision, deployment.variables
    known = {
        "project": deployment.project,
        "model-name": revision.model_name,
        "model-version": str(revision.model_version),
        "environment": deployment.environment,
        "config-digest": revision.config_digest,
        "commit": variables.get("MLOPS_COMMIT"),
        "release": variables.get("MLOPS_RELEASE"),
        "revision": revision.name,
    }
    return {name: value for name, value in known.items() if value}


def server_variables(deployment: Deployment) -> dict[str, str]:
    """The server's environment: what the deployment gives, and what every revision says of itself."""
    return {
        **deployment.variables,
        "MLOPS_ENVIRONMENT": deployment.environment,
        "MLOPS_CONFIG_DIGEST": deployment.revision.config_digest,
        "MLOPS_MODEL_VERSION": str(deployment.revision.model_version),
    }


def tags(deployment: Deployment) -> list[dict[str, str]]:
    """AWS tags: the configuration's labels, and ``mlops:<fact>`` in full. At most 50."""
    ours = {f"mlops:{name}": value for name, value in facts(deployment).items()}
    both = {**deployment.inference.metadata.labels, **ours}
    return [{"Key": key, "Value": value} for key, value in both.items()]


def labels(deployment: Deployment) -> dict[str, str]:
    """Google Cloud labels: the same, in its letters and length. The digest is its first 32 hex digits."""
    ours = {f"mlops-{name}": value for name, value in facts(deployment).items()}
    return {**deployment.inference.metadata.labels, **fitted(ours)}


def fitted(values: Mapping[str, str]) -> dict[str, str]:
    """Values as Google Cloud takes them: at most 63 lower-case letters, digits, ``-`` and ``_``."""
    return {name: _fitted(value) for name, value in values.items()}


def _fitted(value: str) -> str:
    if value.startswith(_SHA256):
        return value.removeprefix(_SHA256)[:32]
    return _ILLEGAL.sub("-", value.lower())[:_LABEL_LENGTH]

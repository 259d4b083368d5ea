"""The example's environments as Terraform's variables."""

from functools import cache
from typing import Any

from mlops_config.contract.validation import EnvironmentConfigs
from mlops_config.infrastructure.variables import ReleaseVariables
from mlops_config.pipeline import bundle_of, files_of
from mlops_config.release.record import ImageRecord, ReleaseRecord
from tests.alerting.environments import Change, example, with_changes
from tests.orchestration.releases import digest, release

REGISTRY = "444455556666.dkr.ecr.eu-central-1.amazonaws.com"


def image(environment: str = "prod") -> ImageRecord:
    """An image in a registry."""
    return ImageRecord(
        repository=f"{REGISTRY}/city-taxi-{environment}",
        tags=("1",),
        config_digest=digest("image id"),
        digest=digest("manifest"),
        base="scratch",
        base_digest=None,
        pushed=True,
    )


def record_of(configs: EnvironmentConfigs, name: str = "1.2.0", **more: Any) -> ReleaseRecord:
    """A release of these files."""
    bundle = bundle_of(configs)
    given = {
        "environment": configs.environment,
        "config_digest": bundle.digest,
        "files": files_of(configs, bundle),
        "image": image(configs.environment),
    }
    return release(name).record.model_copy(update=given | more)


def variables(environment: str, *changes: Change, **more: Any) -> ReleaseVariables:
    """The variables of the example's environment, with values changed."""
    configs = with_changes(environment, *changes) if changes else example(environment)
    return ReleaseVariables.of(record_of(configs, **more), configs)


@cache
def prod() -> ReleaseVariables:
    """Those of the example's prod."""
    return variables("prod")

"""What every deployer offers: one endpoint, its revisions, and the traffic between them."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mlops_config.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import Endpoint, InferenceConfig
    from mlops_config.contract.models.monitoring import MonitoringConfig
    from mlops_config.contract.models.retrain import SmokeTest

Progress = Callable[[str], None]


class DeployFailedError(ServiceError):
    """The new revision did not come up, failed its smoke test, or an alarm fired; the old one serves."""


class OnItsWayError(Exception):
    """A provider is still at work, and nobody waits for it: the deployment goes on when asked for again."""

    def __init__(self, endpoint: str, *, creating: bool = False) -> None:
        super().__init__(f"{endpoint} is still on its way")
        self.endpoint = endpoint
        """What has to come to rest first: the endpoint, or one that a revision is tested on."""
        self.creating = creating

    def status(self) -> "EndpointStatus":
        """The same as a status."""
        state = State.CREATING if self.creating else State.UPDATING
        return EndpointStatus(self.endpoint, state, traffic={}, previous=None)


class State(StrEnum):
    """What an endpoint is doing."""

    CREATING = "creating"
    UPDATING = "updating"
    IN_SERVICE = "in_service"
    ROLLING_BACK = "rolling_back"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Revision:
    """One thing an endpoint can serve: a model version with the configuration and image it serves in."""

    model_name: str
    model_version: int
    config_digest: str
    image: str | None
    """The runtime image by digest; ``None`` on the local deployer, which serves with the running Python."""
    package_uri: str
    """Where the model package lies: a folder (local), or an archive at ``s3://`` or ``gs://``."""

    @property
    def name(self) -> str:
        """``v<version>-<8 hex of the config digest>``: unique within an endpoint, fit for every provider."""
        return f"v{self.model_version}-{self.config_digest.removeprefix('sha256:')[:8]}"

    @property
    def id(self) -> str:
        """8 hex digits of everything above: two revisions with one name but another image or package differ.

        Providers' resources are named ``<endpoint>-<id>``, which rule X16 leaves room for.
        """
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]

    @property
    def smoke_id(self) -> str:
        """8 hex digits for what is made only to be asked before traffic moves to the revision."""
        return hashlib.sha256(f"smoke {self.id}".encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is to serve, and how it takes over."""

    project: str
    environment: str
    endpoint: str
    revision: Revision
    inference: "InferenceConfig"
    smoke_test: "SmokeTest"
    smoke_rows: Sequence[Mapping[str, Any]] = ()
    """Rows of the holdout the new revision is asked before traffic moves."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the server, ``MLOPS_*`` among them."""
    monitoring: "MonitoringConfig | None" = None
    """Where the rollout's alarms are described; a provider that watches its own metrics makes them of it."""


def endpoint_of(deployment: Deployment, *, example: str) -> "Endpoint":
    """The endpoint's part of the inference file, for a cloud whose machine types look like ``example``.

    Raises:
        UsageError: there is none, or no machine type.
    """
    endpoint = deployment.inference.endpoint
    if endpoint is None or endpoint.instance_type is None:
        target = deployment.inference.deployer.target
        raise UsageError(
            f"the inference file does not say which machines serve on {target}",
            hint=f"write endpoint.instance_type, such as {example}",
        )
    return endpoint


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """An endpoint as its provider describes it."""

    endpoint: str
    state: State
    traffic: Mapping[str, int]
    """Percent by revision name; sums to 100 while in service."""
    previous: str | None
    """The revision a rollback goes to."""
    url: str | None = None
    reason: str | None = None


class Deployer(ABC):
    """One provider. Every call may be repeated: what is done already is found and left as it is.

    Every method raises ServiceError when the provider stays unreachable or refuses us after retries.
    """

    @abstractmethod
    def deploy(self, deployment: Deployment, progress: Progress, *, wait: bool = True) -> EndpointStatus:
        """Creates the endpoint or rolls it over to the revision, as ``endpoint.rollout`` says, and waits.

        Without ``wait`` a provider that works by itself is left to it: the status then says ``creating`` or
        ``updating``, of the endpoint or of one that the revision is tested on, and the same call again, once
        that has come to rest, goes on from there.

        Raises:
            DeployFailedError: it did not come through; the revision before serves as it did.
        """

    @abstractmethod
    def status(self, endpoint: str) -> EndpointStatus | None:
        """The endpoint as it is now, or ``None`` when there is none."""

    @abstractmethod
    def rollback(self, endpoint: str, progress: Progress) -> EndpointStatus:
        """Gives all traffic back to the previous revision, and waits.

        Raises:
            UsageError: there is no previous revision.
        """

    @abstractmethod
    def predict(self, endpoint: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The endpoint's predictions for ``rows``, in their order."""

    @abstractmethod
    def delete(self, endpoint: str, progress: Progress) -> None:
        """Removes the endpoint and what was made for it; without it nothing happens."""

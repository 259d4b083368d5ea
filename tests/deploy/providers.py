"""What the conformance suite needs of each provider besides the interface: bad models, alarms, outages."""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlops_config.deploy.interface import Deployer, Deployment
from mlops_config.deploy.local.deployer import LocalDeployer
from mlops_config.deploy.local.processes import Processes
from mlops_config.deploy.local.state import EndpointFolder, StoredRevision
from mlops_config.retrying import Retries
from tests.deploy import tiny_server
from tests.deploy.examples import ALL_AT_ONCE, ENDPOINT, Rollout, TestClock, deployment_of, inference_config
from tests.services.processes import free_port

GOOD, DIES, WRONG = "good", "dies", "wrong"
"""Models: one that answers its version, one that does not start, one that answers with null."""


class Provider(ABC):
    """One provider with nothing deployed."""

    name: str
    clock: TestClock

    @abstractmethod
    def open(self) -> Deployer:
        """A new deployer, as another process would open it."""

    @abstractmethod
    def deployment(
        self,
        version: int,
        model: str = GOOD,
        *,
        rollout: Rollout = ALL_AT_ONCE,
        max_latency_ms: float = 2000.0,
    ) -> Deployment:
        """A deployment of a model that does what ``model`` says."""

    @abstractmethod
    def fire(self, alarm: str) -> None:
        """The alarm fires from now on."""

    @abstractmethod
    def go_down(self) -> None:
        """Nothing answers any more."""

    @abstractmethod
    def carried(self) -> Mapping[str, str]:
        """What the serving revision's tags, labels or environment variables say: name and value."""

    @abstractmethod
    def killing(self, point: int) -> Any:
        """A context in which we are killed before or after a call to the provider: from ``point`` on, counted
        from 0, every one of them raises KeyboardInterrupt."""


class KillSwitch:
    """Counts the moments before and after calls; from one of them on each is the end."""

    def __init__(self, point: int) -> None:
        self._point = point
        self._passed = 0

    def moment(self) -> None:
        self._passed += 1
        if self._passed > self._point:
            raise KeyboardInterrupt

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.moment()
            found = function(*args, **kwargs)
            self.moment()
            return found

        return wrapped


class LocalProvider(Provider):
    name = "local"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = TestClock()
        self.port = free_port()
        self.firing: tuple[str, ...] = ()

    def open(self) -> LocalDeployer:
        return LocalDeployer(
            self.root,
            command=_tiny_server,
            alarms=lambda _deployment: self.firing,
            pace=self.clock.pace(),
            retries=Retries(sleep=self.clock.sleep, clock=self.clock.clock),
        )

    def deployment(
        self,
        version: int,
        model: str = GOOD,
        *,
        rollout: Rollout = ALL_AT_ONCE,
        max_latency_ms: float = 2000.0,
    ) -> Deployment:
        inference = inference_config({"target": "local", "port": self.port}, {"rollout": rollout})
        package = self.root / "packages" / f"{version}-{model}"
        package.mkdir(parents=True, exist_ok=True)
        behaviour = {GOOD: {"prediction": version}, DIES: {"dies": True}, WRONG: {"prediction": None}}[model]
        package.joinpath("behaviour.json").write_text(json.dumps(behaviour))
        return deployment_of(inference, version, str(package), max_latency_ms=max_latency_ms)

    def fire(self, alarm: str) -> None:
        self.firing = (alarm,)

    def go_down(self) -> None:
        state = EndpointFolder(self.root / ".mlops-config" / "endpoints" / ENDPOINT).load()
        assert state is not None
        assert state.router is not None
        assert state.router.process is not None
        Processes().stop(state.router.process, limit=10)

    def carried(self) -> Mapping[str, str]:
        state = EndpointFolder(self.root / ".mlops-config" / "endpoints" / ENDPOINT).load()
        assert state is not None
        assert state.serving is not None
        return state.revisions[state.serving].variables

    @contextmanager
    def killing(self, point: int) -> Iterator[None]:
        switch = KillSwitch(point)
        with pytest.MonkeyPatch.context() as patch:
            for owner, names in ((Processes, ("start", "stop")), (EndpointFolder, ("save", "route"))):
                for name in names:
                    patch.setattr(owner, name, switch.around(getattr(owner, name)))
            yield

    def close(self) -> None:
        self.open().delete(ENDPOINT, lambda _line: None)


def _tiny_server(revision: StoredRevision, port: int) -> list[str]:
    script = str(tiny_server.__file__)
    return [sys.executable, "-I", "-S", script, revision.package_uri, str(port)]

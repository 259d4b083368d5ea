"""What the conformance suite needs of each provider besides the interface: bad models, alarms, outages."""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlops_config.deploy.aws.calls import Clients
from mlops_config.deploy.aws.deployer import SageMakerDeployer
from mlops_config.deploy.gcp.api import VertexApi
from mlops_config.deploy.gcp.deployer import VertexDeployer
from mlops_config.deploy.interface import Deployer, Deployment
from mlops_config.deploy.local.deployer import LocalDeployer
from mlops_config.deploy.local.processes import Processes
from mlops_config.deploy.local.state import EndpointFolder, StoredRevision
from mlops_config.retrying import Retries
from tests.deploy import tiny_server
from tests.deploy.examples import ALL_AT_ONCE, ENDPOINT, Rollout, TestClock, deployment_of, inference_config
from tests.services.processes import free_port
from tests.services.sagemaker import ACCOUNT, REGION
from tests.services.vertex import LOCATION, PROJECT, TOKEN, Vertex

GOOD, DIES, WRONG = "good", "dies", "wrong"
"""Models: one that answers its version, one that does not start, one that answers with null."""


SERVICE_ACCOUNT = f"serving@{PROJECT}.iam.gserviceaccount.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/serving"


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
        """A context in which we are killed after a call that changes something, the one numbered ``point``
        from 0: it and every later one raise KeyboardInterrupt, those that would clean up too."""


class KillSwitch:
    """Counts calls that change something; after one of them we are dead, and make none any more."""

    def __init__(self, point: int) -> None:
        self._point = point
        self._made = 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if self._made > self._point:
                raise KeyboardInterrupt
            found = function(*args, **kwargs)
            self._made += 1
            if self._made > self._point:
                raise KeyboardInterrupt
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


class AwsProvider(Provider):
    name = "aws"

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.clock = TestClock()
        self.down = False

    def open(self) -> SageMakerDeployer:
        clients = self.clients
        if self.down:
            clients = Clients(REGION, address=f"http://127.0.0.1:{free_port()}")
        retries = Retries(sleep=self.clock.sleep, clock=self.clock.clock)
        config = self.deployment(1).inference.deployer
        assert config.target == "aws"
        return SageMakerDeployer(config, clients=clients, pace=self.clock.pace(), retries=retries)

    def deployment(
        self,
        version: int,
        model: str = GOOD,
        *,
        rollout: Rollout = ALL_AT_ONCE,
        max_latency_ms: float = 2000.0,
        **endpoint: Any,
    ) -> Deployment:
        deployer = {"target": "aws", "region": REGION, "account_id": ACCOUNT, "role": ROLE}
        part = {"instance_type": "ml.m5.large", "initial_instance_count": 2, "rollout": rollout, **endpoint}
        package = f"s3://acme-models/{version}-{model}/model.tar.gz"
        inference = inference_config(deployer, part)
        return deployment_of(inference, version, package, max_latency_ms=max_latency_ms)

    def fire(self, alarm: str) -> None:
        cloudwatch, name = self.clients["cloudwatch"], f"{ENDPOINT}-{alarm}"
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Statistic="Average",
            Dimensions=[{"Name": "EndpointName", "Value": ENDPOINT}],
            Period=60,
            EvaluationPeriods=1,
            Threshold=0.5,
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")

    def go_down(self) -> None:
        self.down = True

    def carried(self) -> Mapping[str, str]:
        sagemaker = self.clients["sagemaker"]
        name = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
        arn = sagemaker.describe_endpoint_config(EndpointConfigName=name)["EndpointConfigArn"]
        return {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}

    @contextmanager
    def killing(self, point: int) -> Iterator[None]:
        from botocore.client import BaseClient

        switch = KillSwitch(point)
        call = BaseClient._make_api_call  # type: ignore[attr-defined]
        changing = switch.around(call)

        def counted(client: Any, operation: str, parameters: Any) -> Any:
            if operation.startswith(("Describe", "List", "Get", "Invoke")):
                return call(client, operation, parameters)
            return changing(client, operation, parameters)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", counted)
            yield

    def close(self) -> None:
        self.down = False
        self.open().delete(ENDPOINT, lambda _line: None)


class GcpProvider(Provider):
    name = "gcp"

    def __init__(self, vertex: Vertex) -> None:
        self.vertex = vertex
        self.clock = TestClock()
        self.firing: tuple[str, ...] = ()
        self.down = False
        self.switch: KillSwitch | None = None

    def api(self) -> VertexApi:
        address = f"http://127.0.0.1:{free_port()}" if self.down else self.vertex.address
        api = VertexApi(
            PROJECT,
            LOCATION,
            address=address,
            authorize=lambda _method, _url: {"Authorization": TOKEN},
            pace=self.clock.pace(),
            retries=Retries(sleep=self.clock.sleep, clock=self.clock.clock),
        )
        if self.switch is not None:
            changing, send = self.switch.around(api.send), api.send

            def counted(method: str, name: str, *args: Any, **more: Any) -> Any:
                reads = method == "GET" or name.endswith(":predict")
                return (send if reads else changing)(method, name, *args, **more)

            api.send = counted  # type: ignore[method-assign]
        return api

    def open(self) -> VertexDeployer:
        config = self.deployment(1).inference.deployer
        assert config.target == "gcp"
        return VertexDeployer(
            config, api=self.api(), alarms=lambda _deployment: self.firing, pace=self.clock.pace()
        )

    def deployment(
        self,
        version: int,
        model: str = GOOD,
        *,
        rollout: Rollout = ALL_AT_ONCE,
        max_latency_ms: float = 2000.0,
        **endpoint: Any,
    ) -> Deployment:
        deployer = {
            "target": "gcp",
            "project": PROJECT,
            "location": LOCATION,
            "service_account": SERVICE_ACCOUNT,
        }
        part = {"instance_type": "n2-standard-2", "initial_instance_count": 2, "rollout": rollout, **endpoint}
        inference = inference_config(deployer, part)
        package = f"gs://acme-models/{version}-{model}"
        return deployment_of(inference, version, package, max_latency_ms=max_latency_ms)

    def fire(self, alarm: str) -> None:
        self.firing = (alarm,)

    def go_down(self) -> None:
        self.down = True

    def carried(self) -> Mapping[str, str]:
        [endpoint] = self.vertex.endpoints.values()
        [deployed] = endpoint["deployedModels"]
        container = self.vertex.models[deployed["model"]]["containerSpec"]
        return {each["name"]: each["value"] for each in container["env"]}

    @contextmanager
    def killing(self, point: int) -> Iterator[None]:
        self.switch = KillSwitch(point)
        try:
            yield
        finally:
            self.switch = None

    def close(self) -> None:
        self.down = False
        self.open().delete(ENDPOINT, lambda _line: None)


def _tiny_server(revision: StoredRevision, port: int) -> list[str]:
    script = str(tiny_server.__file__)
    return [sys.executable, "-I", "-S", script, revision.package_uri, str(port)]

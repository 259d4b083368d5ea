"""SageMaker on loopback: a moto server process, with what moto lacks done as the service's reference says.

Added to moto: ``UpdateEndpoint`` (NotImplementedError there) with its end, good or bad, and rollback alarms;
endpoints that take their time and may fail; tags that replace those with their key; an alarm that keeps its
state when it is put again; predictions. What a model does is in the last folder but one of its package's
address: ``s3://bucket/<version>-<good, dies or wrong>/model.tar.gz``.
"""

import importlib.util
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.services import unavailable
from tests.services.processes import free_port, server

ACCOUNT = "123456789012"
"""Moto's."""
REGION = "eu-central-1"
GOOD, WRONG = "good", "wrong"

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running_sagemaker(folder: Path) -> Iterator[str]:
    """The address of a running server with nothing in it."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
        unavailable("no SageMaker server: pip install 'moto[server]'")
    port, log = free_port(), folder / "sagemaker.log"
    command = [sys.executable, "-W", "ignore", "-m", "tests.services.sagemaker", str(port)]
    with server(command, port, log, cwd=ROOT):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def sagemaker_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a SageMaker server, shared by the session; tests leave it empty."""
    with running_sagemaker(tmp_path_factory.mktemp("sagemaker")) as address:
        yield address


def behaviour(package: str) -> tuple[int, str]:
    """Version and kind of the model in a package."""
    version, _, kind = package.split("/")[-2].partition("-")
    return int(version), kind


def _extend_moto() -> None:
    """Gives moto what it lacks. Source of each behaviour: the API's reference, of the operation named."""
    from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
    from moto.core.exceptions import JsonRESTError
    from moto.core.responses import ActionResult
    from moto.sagemaker.exceptions import ValidationError
    from moto.sagemaker.models import SageMakerModelBackend
    from moto.sagemaker.responses import SageMakerResponse
    from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

    ends: dict[str, Any] = {}
    create, describe, delete = (
        SageMakerModelBackend.create_endpoint,
        SageMakerModelBackend.describe_endpoint,
        SageMakerModelBackend.delete_endpoint,
    )

    def package_of(backend: Any, configuration: str) -> str:
        variant = backend.describe_endpoint_config(configuration)["ProductionVariants"][0]
        model = backend.describe_model(variant["ModelName"])
        return str(model.primary_container["ModelDataUrl"])

    def create_endpoint(self: Any, endpoint_name: str, endpoint_config_name: str, tags: Any) -> Any:
        if endpoint_name in self.endpoints:
            raise ValidationError(message=f"Cannot create already existing endpoint {endpoint_name}")
        made = create(self, endpoint_name, endpoint_config_name, tags)
        made.endpoint_status = "Creating"
        fails = behaviour(package_of(self, endpoint_config_name))[1] == "dies"
        reason = "The primary container did not pass the ping health check: the model is damaged."
        ends[endpoint_name] = (
            {"endpoint_status": "Failed", "failure_reason": reason}
            if fails
            else {"endpoint_status": "InService"}
        )
        return made

    def describe_endpoint(self: Any, endpoint_name: str) -> Any:
        found = describe(self, endpoint_name)
        if endpoint_name in ends:
            end = ends.pop(endpoint_name)
            if end is None:
                delete(self, endpoint_name)
            else:
                vars(self.endpoints[endpoint_name]).update(end)
        return found

    def delete_endpoint(self: Any, endpoint_name: str) -> None:
        describe(self, endpoint_name)
        if self.endpoints[endpoint_name].endpoint_status in ("Creating", "Updating"):
            raise ValidationError(message=f"Cannot delete in-progress endpoint {endpoint_name}")
        self.endpoints[endpoint_name].endpoint_status = "Deleting"
        ends[endpoint_name] = None

    def update_endpoint(self: Any) -> Any:
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        wanted = self._get_param("EndpointConfigName")
        describe(backend, name)
        package = package_of(backend, wanted)
        endpoint = backend.endpoints[name]
        if endpoint.endpoint_status != "InService":
            raise ValidationError(message=f"Cannot update in-progress endpoint {name}")
        configuration = self._get_param("DeploymentConfig") or {}
        alarms = configuration.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        known = cloudwatch_backends[self.current_account][self.region].alarms
        missing = [each["AlarmName"] for each in alarms if each["AlarmName"] not in known]
        if missing:
            raise ValidationError(message=f"Could not find alarm {missing[0]}")
        firing = [each["AlarmName"] for each in alarms if known[each["AlarmName"]].state_value == "ALARM"]
        end: dict[str, Any] = {"endpoint_status": "InService", "failure_reason": None}
        if firing:
            end["failure_reason"] = f"Auto-rollback was triggered by the alarm {firing[0]}."
        elif behaviour(package)[1] == "dies":
            end["failure_reason"] = "The primary container did not pass the ping health check."
        else:
            end["endpoint_config_name"] = wanted
        endpoint.endpoint_status = "Updating"
        ends[name] = end
        return ActionResult({"EndpointArn": endpoint.arn})

    def add_tags(self: Any, arn: str, tags: list[dict[str, str]]) -> Any:
        resource = self._get_resource_from_arn(arn)
        merged = {tag["Key"]: tag for tag in [*resource.tags, *tags]}
        resource.tags = list(merged.values())
        return resource.tags

    put = CloudWatchBackend.put_metric_alarm

    def put_metric_alarm(self: Any, **given: Any) -> Any:
        before = self.alarms.get(given["name"])
        made = put(self, **given)
        if before is not None:
            made.state_value = before.state_value
        return made

    def invoke_endpoint(self: Any) -> Any:
        from moto.sagemaker.models import sagemaker_backends

        backend = sagemaker_backends[self.current_account][self.region]
        name = self.path.split("/")[2]
        endpoint = backend.endpoints.get(name)
        if endpoint is None or endpoint.endpoint_status in ("Creating", "Failed"):
            raise JsonRESTError("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
        version, kind = behaviour(package_of(backend, endpoint.endpoint_config_name))
        rows = json.loads(self.body)["instances"]
        predictions = [float(version) if kind == GOOD else None for _ in rows]
        return 200, {"Content-Type": "application/json"}, json.dumps({"predictions": predictions})

    SageMakerModelBackend.create_endpoint = create_endpoint  # type: ignore[method-assign]
    SageMakerModelBackend.describe_endpoint = describe_endpoint  # type: ignore[method-assign]
    SageMakerModelBackend.delete_endpoint = delete_endpoint  # type: ignore[method-assign]
    SageMakerModelBackend.add_tags = add_tags  # type: ignore[method-assign]
    SageMakerResponse.update_endpoint = update_endpoint  # type: ignore[attr-defined] # moto has none
    # Ours takes any alarm's arguments, where moto's spells each out.
    CloudWatchBackend.put_metric_alarm = put_metric_alarm  # type: ignore[assignment, method-assign]
    SageMakerRuntimeResponse.invoke_endpoint = invoke_endpoint  # type: ignore[method-assign]


def main(port: str) -> None:
    """Serves until SIGTERM."""
    from moto.server import main as serve

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _extend_moto()
    serve(["-H", "127.0.0.1", "-p", port])


if __name__ == "__main__":
    main(sys.argv[1])

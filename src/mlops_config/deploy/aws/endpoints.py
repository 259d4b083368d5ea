"""Endpoints of SageMaker: looked at, waited for, asked and removed, and what their tags remember."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_config.deploy.aws import owned, requests
from mlops_config.deploy.aws.calls import Calls, RefusedError, logs_hint, reason_of
from mlops_config.deploy.interface import DeployFailedError, EndpointStatus, OnItsWayError, Progress, State
from mlops_config.deploy.rollout import ALL, Pace
from mlops_config.deploy.smoke import predictions_of
from mlops_config.errors import ServiceError

PREVIOUS_TAG = "mlops:previous:"
"""On the endpoint, with the id of a revision behind it: the configuration that one replaced."""
TESTED_TAG = "mlops:smoke-test"
"""On a configuration whose smoke test passed."""
CREATE_SECONDS = 3600.0
"""How long SageMaker may take to start an endpoint."""

_POLL_SECONDS = 15.0
_DELETE_SECONDS = 900.0
_CHANGING = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
_STATES = {
    "Creating": State.CREATING,
    "Updating": State.UPDATING,
    "SystemUpdating": State.UPDATING,
    "RollingBack": State.ROLLING_BACK,
    "Deleting": State.UPDATING,
    "InService": State.IN_SERVICE,
}

Described = Mapping[str, Any]
"""What ``DescribeEndpoint`` answers."""


class Endpoints:
    """The endpoints of one account and region."""

    def __init__(self, call: Calls, pace: Pace, *, waits: bool = True) -> None:
        """Without ``waits``, whatever would be waited for ends in ``OnItsWayError``, and a removal is begun
        only."""
        self._call = call
        self._pace = pace
        self._waits = waits

    def find(self, name: str) -> Described | None:
        """The endpoint as it is now, or ``None`` when there is none."""
        found: Described | None = self._call.found("sagemaker", "DescribeEndpoint", EndpointName=name)
        return found

    def settled(self, name: str, progress: Progress, limit: float = CREATE_SECONDS) -> Described | None:
        """The endpoint once it does not change any more, or ``None`` when there is none.

        Raises:
            DeployFailedError: it still changes after ``limit`` seconds.
            OnItsWayError: it changes, and nobody waits.
        """
        said = ""

        def look() -> tuple[Described | None] | None:
            nonlocal said
            found = self.find(name)
            if found is None or found["EndpointStatus"] not in _CHANGING:
                return (found,)
            if found["EndpointStatus"] != said:
                said = found["EndpointStatus"]
                progress(f"{name} is {said}")
            return None

        if not self._waits and look() is None:
            raise OnItsWayError(name, creating=said == "Creating")
        ended = self._pace.until(look, limit=limit, every=_POLL_SECONDS)
        if ended is None:
            raise DeployFailedError(
                f"{name} is still {said} after {limit / 60:.0f} minutes",
                hint="SageMaker goes on by itself; run the same command again to wait on",
            )
        return ended[0]

    def until_started(self, name: str, progress: Progress) -> None:
        """Waits for a new endpoint.

        Raises:
            DeployFailedError: it did not start.
            OnItsWayError: it starts, and nobody waits.
        """
        found = self.settled(name, progress)
        if found is None or found["EndpointStatus"] != "InService":
            raise DeployFailedError(f"{name} did not start: {reason_of(found)}", hint=logs_hint(name))

    def ask(self, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """One prediction per row, with ``InvokeEndpoint``.

        Raises:
            ValueError: the server refuses the rows, or answers with something else.
            RefusedError: AWS said no.
        """
        import json

        try:
            answer = self._call(
                "sagemaker-runtime",
                "InvokeEndpoint",
                EndpointName=name,
                ContentType="application/json",
                Accept="application/json",
                Body=json.dumps({"instances": list(rows)}).encode(),
            )
        except RefusedError as error:
            if error.code == "ModelError":
                raise ValueError(f"the server refused: {error.said}") from error
            raise
        return predictions_of(answer["Body"].read(), len(rows))

    def remove(self, name: str) -> None:
        """Removes the endpoint once that is allowed (not while it changes), and waits until it is gone."""
        if self.settled(name, lambda _line: None) is None:
            return
        self._call.found("sagemaker", "DeleteEndpoint", EndpointName=name)
        if not self._waits:
            return
        gone = self._pace.until(
            lambda: True if self.find(name) is None else None,
            limit=_DELETE_SECONDS,
            every=_POLL_SECONDS,
        )
        if gone is None:
            raise ServiceError(f"{name} is still there after {_DELETE_SECONDS / 60:.0f} minutes")

    def status(self, found: Described) -> EndpointStatus:
        """What the endpoint serves, and what it would go back to."""
        name, configuration = found["EndpointName"], found["EndpointConfigName"]
        previous = self.tags(found).get(previous_tag(configuration))
        region = self._call.clients.region
        return EndpointStatus(
            endpoint=name,
            state=_STATES.get(found["EndpointStatus"], State.FAILED),
            traffic={self._revision_name(configuration): ALL},
            previous=self._revision_name(previous) if previous else None,
            url=f"https://runtime.sagemaker.{region}.amazonaws.com/endpoints/{name}/invocations",
            reason=found.get("FailureReason"),
        )

    def tags(self, found: Described) -> dict[str, str]:
        """The endpoint's tags."""
        return owned.tags_of(self._call, found["EndpointArn"])

    def remember(self, found: Described, tag: str, value: str) -> None:
        """Tags the endpoint."""
        owned.add_tags(self._call, found["EndpointArn"], {tag: value})

    def forget(self, found: Described, tags: Mapping[str, str], *keys: str) -> None:
        """Takes away those of the tags with these keys that it has."""
        there = [key for key in keys if key in tags]
        if there:
            self._call("sagemaker", "DeleteTags", ResourceArn=found["EndpointArn"], TagKeys=there)

    def is_tested(self, configuration: str) -> bool:
        """Whether the configuration's smoke test passed once."""
        return TESTED_TAG in self._tags_of_configuration(configuration)

    def mark_tested(self, configuration: str) -> None:
        """Remembers that the configuration's smoke test passed."""
        tested = self._call("sagemaker", "DescribeEndpointConfig", EndpointConfigName=configuration)
        owned.add_tags(self._call, tested["EndpointConfigArn"], {TESTED_TAG: "passed"})

    def _revision_name(self, configuration: str) -> str:
        """What the configuration's tag says; its own name when somebody took the tag away."""
        return self._tags_of_configuration(configuration).get(requests.REVISION_TAG, configuration)

    def _tags_of_configuration(self, name: str) -> dict[str, str]:
        found = self._call.found("sagemaker", "DescribeEndpointConfig", EndpointConfigName=name)
        return owned.tags_of(self._call, found["EndpointConfigArn"]) if found else {}


def previous_tag(configuration: str) -> str:
    """The key of the endpoint's tag that holds what this configuration replaced."""
    return f"{PREVIOUS_TAG}{configuration.rpartition('-')[2]}"

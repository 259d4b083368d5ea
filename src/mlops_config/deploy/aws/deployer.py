"""Deploys to SageMaker: models, endpoint configurations, and blue/green updates that alarms undo."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_config.deploy.aws import owned, requests
from mlops_config.deploy.aws.calls import Calls, Clients, RefusedError, logs_hint, reason_of
from mlops_config.deploy.interface import (
    Deployer,
    DeployFailedError,
    Deployment,
    EndpointStatus,
    OnItsWayError,
    Progress,
    State,
)
from mlops_config.deploy.references import resolved
from mlops_config.deploy.rollout import ALL, Pace
from mlops_config.deploy.smoke import predictions_of, smoke_test
from mlops_config.errors import ServiceError, UsageError
from mlops_config.retrying import Retries

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import AwsDeployer

PREVIOUS_TAG = "mlops:previous:"
"""On the endpoint, with the id of a revision behind it: the configuration that one replaced."""
TESTED_TAG = "mlops:smoke-test"
"""On a configuration whose smoke test passed."""

_POLL_SECONDS = 15.0
_CREATE_SECONDS = 3600.0
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


class SageMakerDeployer(Deployer):
    """Endpoints of one account and region."""

    def __init__(
        self,
        config: "AwsDeployer",
        *,
        clients: Clients | None = None,
        pace: Pace | None = None,
        retries: Retries | None = None,
        waits: bool = True,
    ) -> None:
        self._config = config
        self._clients, self._retries = clients or Clients(config.region), retries
        self._call = Calls(self._clients, retries)
        self._pace = pace or Pace()
        self._waits = waits

    def deploy(self, deployment: Deployment, progress: Progress, *, wait: bool = True) -> EndpointStatus:
        """Creates or updates the endpoint. Traffic, waits and alarms during an update are SageMaker's."""
        if not wait and self._waits:
            hasty = SageMakerDeployer(
                self._config, clients=self._clients, pace=self._pace, retries=self._retries, waits=False
            )
            try:
                return hasty.deploy(deployment, progress)
            except OnItsWayError as moving:
                return moving.status()
        role = resolved(self._config.role, what="deployer.role")
        self._check_account()
        name, wanted = deployment.endpoint, requests.resource_name(deployment)
        found = self._settled(
            name, progress, requests.endpoint_of(deployment).rollout.timeout.total_seconds()
        )
        if found is not None and not self._waits:
            self._require_going(deployment, found)
        if found is not None and found["EndpointStatus"] == "Failed":
            # DeleteEndpoint is all that SageMaker still takes for it.
            progress(f"{name} failed before: {found.get('FailureReason', 'no reason given')}; removing it")
            self._delete_endpoint(name)
            found = None
        if found is not None and found["EndpointConfigName"] == wanted:
            if TESTED_TAG in self._tags_of_configuration(wanted):
                progress(f"{deployment.revision.name} serves already")
            else:
                # An earlier deploy ended between creating the endpoint and testing it.
                self._first_test(deployment, progress)
            return self._finished(deployment)
        self._prepare(deployment, role, progress)
        if found is None:
            self._create(deployment, progress)
        else:
            self._rehearse(deployment, progress)
            self._update(deployment, found, progress)
        return self._finished(deployment)

    def status(self, endpoint: str) -> EndpointStatus | None:
        """As ``DescribeEndpoint`` says. SageMaker does not tell the shares of a rollout under way: until it
        has ended, all traffic is shown at the revision before."""
        found = self._describe(endpoint)
        return None if found is None else self._status(found)

    def rollback(self, endpoint: str, progress: Progress) -> EndpointStatus:
        """Updates the endpoint to the configuration before; a rollout under way is waited for."""
        found = self._settled(endpoint, progress, _CREATE_SECONDS)
        if found is None:
            raise self._no_endpoint(endpoint)
        current, tags = found["EndpointConfigName"], self._tags(found)
        previous = tags.get(_previous_tag(current))
        if previous is None:
            raise UsageError(
                f"{endpoint} has no previous revision to go back to",
                hint="deploy the model version that is to serve",
            )
        self._untag(found, tags, _previous_tag(previous))
        progress(f"going back to {previous}")
        self._call("sagemaker", "UpdateEndpoint", **requests.back(endpoint, previous))
        after = self._settled(endpoint, progress, _CREATE_SECONDS)
        if after is None or after["EndpointConfigName"] != previous or after["EndpointStatus"] != "InService":
            raise DeployFailedError(
                f"{endpoint} did not go back to {previous}: {reason_of(after)}", hint=logs_hint(endpoint)
            )
        self._untag(found, tags, _previous_tag(current))
        return self._status(after)

    def predict(self, endpoint: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Asks with ``InvokeEndpoint``."""
        try:
            return self._ask(endpoint, rows)
        except ValueError as error:
            raise ServiceError(f"{endpoint}: {error}") from error
        except RefusedError as error:
            if error.is_missing:
                raise self._no_endpoint(endpoint) from error
            raise

    def delete(self, endpoint: str, progress: Progress) -> None:
        """Removes the endpoint, its scaling and alarms, and all configurations and models made for it."""
        self._stop_scaling(endpoint)
        self._settled(endpoint, progress, _CREATE_SECONDS)
        self._delete_endpoint(endpoint)
        for name in owned.named(self._call, "ListEndpoints", "Endpoints", "Endpoint", endpoint):
            self._delete_endpoint(name)
        for name in owned.named(
            self._call, "ListEndpointConfigs", "EndpointConfigs", "EndpointConfig", endpoint
        ):
            self._call.found("sagemaker", "DeleteEndpointConfig", EndpointConfigName=name)
        for name in owned.named(self._call, "ListModels", "Models", "Model", endpoint):
            self._call.found("sagemaker", "DeleteModel", ModelName=name)
        alarms = owned.alarms_of(self._call, endpoint)
        if alarms:
            self._call("cloudwatch", "DeleteAlarms", AlarmNames=alarms)
        progress(f"{endpoint} is gone")

    def _check_account(self) -> None:
        account = self._call("sts", "GetCallerIdentity")["Account"]
        if account != self._config.account_id:
            raise UsageError(
                f"the AWS credentials are of account {account}, but deployer.account_id is"
                f" {self._config.account_id}",
                hint="use the environment's own credentials, or mend the inference file",
            )

    def _prepare(self, deployment: Deployment, role: str, progress: Progress) -> None:
        """The revision's model and configuration. Their names say what is in them, so existing ones stay."""
        name = requests.resource_name(deployment)
        if self._call.found("sagemaker", "DescribeModel", ModelName=name) is None:
            progress(f"creating model {name}")
            self._call("sagemaker", "CreateModel", **requests.model(deployment, role))
        self._make_configuration(requests.configuration(deployment))

    def _make_configuration(self, request: Mapping[str, Any]) -> None:
        name = request["EndpointConfigName"]
        if self._call.found("sagemaker", "DescribeEndpointConfig", EndpointConfigName=name) is None:
            self._call("sagemaker", "CreateEndpointConfig", **request)

    def _create(self, deployment: Deployment, progress: Progress) -> None:
        name = deployment.endpoint
        progress(f"creating endpoint {name}")
        request = requests.endpoint(deployment, name, requests.resource_name(deployment))
        self._call("sagemaker", "CreateEndpoint", **request)
        try:
            self._until_started(name, progress)
        except DeployFailedError:
            self._delete_endpoint(name)
            raise
        self._first_test(deployment, progress)

    def _first_test(self, deployment: Deployment, progress: Progress) -> None:
        """Tests a new endpoint, which has nothing to go back to: one that fails is removed."""
        try:
            self._smoke_test(deployment, deployment.endpoint, progress)
        except DeployFailedError:
            self._delete_endpoint(deployment.endpoint)
            raise

    def _require_going(self, deployment: Deployment, found: Mapping[str, Any]) -> None:
        """Tells of what failed since the last look, which nobody waited for; else it would be begun anew."""
        wanted, tags = requests.resource_name(deployment), self._tags(found)
        if found["EndpointConfigName"] == wanted and found["EndpointStatus"] == "Failed":
            self._delete_endpoint(deployment.endpoint)
        elif found["EndpointConfigName"] != wanted and _previous_tag(wanted) in tags:
            self._untag(found, tags, _previous_tag(wanted))
        else:
            return
        raise DeployFailedError(
            f"{deployment.revision.name} did not take over: {reason_of(found)}",
            hint=logs_hint(deployment.endpoint),
        )

    def _until_started(self, name: str, progress: Progress) -> None:
        found = self._settled(name, progress, _CREATE_SECONDS)
        if found is None or found["EndpointStatus"] != "InService":
            raise DeployFailedError(f"{name} did not start: {reason_of(found)}", hint=logs_hint(name))

    def _smoke_test(self, deployment: Deployment, name: str, progress: Progress) -> None:
        """Asks the endpoint of this name, and marks the revision's configuration as tested."""
        progress(smoke_test(deployment, lambda rows: self._ask(name, rows), clock=self._pace.clock))
        tested = self._call(
            "sagemaker",
            "DescribeEndpointConfig",
            EndpointConfigName=requests.resource_name(deployment),
        )
        owned.add_tags(self._call, tested["EndpointConfigArn"], {TESTED_TAG: "passed"})

    def _rehearse(self, deployment: Deployment, progress: Progress) -> None:
        """Asks the revision on a small endpoint of its own: SageMaker has no way to ask a fleet that has no
        traffic yet. What interrupted deploys left is removed first."""
        name = requests.smoke_name(deployment)
        left = owned.named(self._call, "ListEndpoints", "Endpoints", "Endpoint", deployment.endpoint)
        goes_on = name in left and not self._waits
        for each in {*left, name} - ({name} if goes_on else set()):
            self._remove_rehearsal(each)
        try:
            if not goes_on:
                progress(f"starting {deployment.revision.name} for its smoke test on {name}")
                self._make_configuration(requests.smoke_configuration(deployment))
                self._call("sagemaker", "CreateEndpoint", **requests.endpoint(deployment, name, name))
            self._until_started(name, progress)
            self._smoke_test(deployment, name, progress)
        except KeyboardInterrupt:
            # SageMaker may refuse to remove it for minutes, and whoever interrupts us does not wait.
            progress(f"{name} is left behind; the next deploy, or delete, removes it")
            raise
        except OnItsWayError:
            raise
        except Exception:
            self._remove_rehearsal(name)
            raise
        self._remove_rehearsal(name)

    def _remove_rehearsal(self, name: str) -> None:
        self._delete_endpoint(name)
        self._call.found("sagemaker", "DeleteEndpointConfig", EndpointConfigName=name)

    def _update(self, deployment: Deployment, found: Mapping[str, Any], progress: Progress) -> None:
        name, wanted = deployment.endpoint, requests.resource_name(deployment)
        for alarm in requests.alarms(deployment):
            self._call("cloudwatch", "PutMetricAlarm", **alarm)
        owned.add_tags(self._call, found["EndpointArn"], {_previous_tag(wanted): found["EndpointConfigName"]})
        rollout = requests.endpoint_of(deployment).rollout
        progress(f"moving traffic to {deployment.revision.name} ({rollout.type})")
        self._call("sagemaker", "UpdateEndpoint", **requests.update(deployment))
        after = self._settled(name, progress, rollout.timeout.total_seconds() + _CREATE_SECONDS)
        if after is None or after["EndpointConfigName"] != wanted or after["EndpointStatus"] != "InService":
            self._untag(found, self._tags(found), _previous_tag(wanted))
            raise DeployFailedError(
                f"{deployment.revision.name} did not take over: {reason_of(after)}", hint=logs_hint(name)
            )

    def _finished(self, deployment: Deployment) -> EndpointStatus:
        """Scaling as configured, and no memory of what the revision before had replaced."""
        name = deployment.endpoint
        scaling = requests.scaling(deployment)
        if scaling is None:
            self._stop_scaling(name)
        else:
            self._call("application-autoscaling", "RegisterScalableTarget", **scaling[0])
            self._call("application-autoscaling", "PutScalingPolicy", **scaling[1])
        found = self._describe(name)
        if found is None:
            raise ServiceError(f"{name} was removed while it was deployed", hint="deploy again")
        tags = self._tags(found)
        kept = _previous_tag(found["EndpointConfigName"])
        stale = [key for key in tags if key.startswith(PREVIOUS_TAG) and key != kept]
        if stale:
            self._untag(found, tags, *stale)
        return self._status(found)

    def _stop_scaling(self, name: str) -> None:
        target = requests.scalable_target(name)
        found = self._call(
            "application-autoscaling",
            "DescribeScalableTargets",
            ServiceNamespace=target["ServiceNamespace"],
            ResourceIds=[target["ResourceId"]],
        )
        if found["ScalableTargets"]:
            self._call.found("application-autoscaling", "DeregisterScalableTarget", **target)

    def _ask(self, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
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

    def _describe(self, name: str) -> Any:
        return self._call.found("sagemaker", "DescribeEndpoint", EndpointName=name)

    def _settled(self, name: str, progress: Progress, limit: float) -> Any:
        """The endpoint once it does not change any more, or ``None`` when there is none."""
        said = ""

        def look() -> tuple[Any] | None:
            nonlocal said
            found = self._describe(name)
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

    def _delete_endpoint(self, name: str) -> None:
        """Removes the endpoint once that is allowed (not while it changes), and waits until it is gone."""
        if self._settled(name, lambda _line: None, _CREATE_SECONDS) is None:
            return
        self._call.found("sagemaker", "DeleteEndpoint", EndpointName=name)
        if not self._waits:
            return
        gone = self._pace.until(
            lambda: True if self._describe(name) is None else None,
            limit=_DELETE_SECONDS,
            every=_POLL_SECONDS,
        )
        if gone is None:
            raise ServiceError(f"{name} is still there after {_DELETE_SECONDS / 60:.0f} minutes")

    def _status(self, found: Mapping[str, Any]) -> EndpointStatus:
        name, configuration = found["EndpointName"], found["EndpointConfigName"]
        previous = self._tags(found).get(_previous_tag(configuration))
        return EndpointStatus(
            endpoint=name,
            state=_STATES.get(found["EndpointStatus"], State.FAILED),
            traffic={self._revision_name(configuration): ALL},
            previous=self._revision_name(previous) if previous else None,
            url=f"https://runtime.sagemaker.{self._config.region}.amazonaws.com/endpoints/{name}/invocations",
            reason=found.get("FailureReason"),
        )

    def _revision_name(self, configuration: str) -> str:
        """What the configuration's tag says; its own name when somebody took the tag away."""
        return self._tags_of_configuration(configuration).get(requests.REVISION_TAG, configuration)

    def _tags_of_configuration(self, name: str) -> dict[str, str]:
        found = self._call.found("sagemaker", "DescribeEndpointConfig", EndpointConfigName=name)
        return owned.tags_of(self._call, found["EndpointConfigArn"]) if found else {}

    def _tags(self, found: Mapping[str, Any]) -> dict[str, str]:
        return owned.tags_of(self._call, found["EndpointArn"])

    def _untag(self, found: Mapping[str, Any], tags: Mapping[str, str], *keys: str) -> None:
        there = [key for key in keys if key in tags]
        if there:
            self._call("sagemaker", "DeleteTags", ResourceArn=found["EndpointArn"], TagKeys=there)

    def _no_endpoint(self, name: str) -> UsageError:
        return UsageError(f"there is no endpoint {name} in {self._config.region}", hint="deploy it first")


def _previous_tag(configuration: str) -> str:
    return f"{PREVIOUS_TAG}{configuration.rpartition('-')[2]}"

"""Deploys to SageMaker: models, endpoint configurations, and blue/green updates that alarms undo."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_config.deploy.aws import owned, requests
from mlops_config.deploy.aws.calls import Calls, Clients, RefusedError, logs_hint, reason_of
from mlops_config.deploy.aws.endpoints import CREATE_SECONDS, PREVIOUS_TAG, Described, Endpoints, previous_tag
from mlops_config.deploy.interface import (
    Deployer,
    DeployFailedError,
    Deployment,
    EndpointStatus,
    OnItsWayError,
    Progress,
)
from mlops_config.deploy.references import resolved
from mlops_config.deploy.rollout import Pace
from mlops_config.deploy.smoke import smoke_test
from mlops_config.errors import ServiceError, UsageError
from mlops_config.retrying import Retries

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import AwsDeployer


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
        self._endpoints = Endpoints(self._call, self._pace, waits=waits)

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
        found = self._endpoints.settled(
            name, progress, requests.endpoint_of(deployment).rollout.timeout.total_seconds()
        )
        if found is not None and not self._waits:
            self._require_going(deployment, found)
        if found is not None and found["EndpointStatus"] == "Failed":
            # DeleteEndpoint is all that SageMaker still takes for it.
            progress(f"{name} failed before: {found.get('FailureReason', 'no reason given')}; removing it")
            self._endpoints.remove(name)
            found = None
        if found is not None and found["EndpointConfigName"] == wanted:
            if self._endpoints.is_tested(wanted):
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
        found = self._endpoints.find(endpoint)
        return None if found is None else self._endpoints.status(found)

    def rollback(self, endpoint: str, progress: Progress) -> EndpointStatus:
        """Updates the endpoint to the configuration before; a rollout under way is waited for."""
        found = self._endpoints.settled(endpoint, progress)
        if found is None:
            raise self._no_endpoint(endpoint)
        current, tags = found["EndpointConfigName"], self._endpoints.tags(found)
        previous = tags.get(previous_tag(current))
        if previous is None:
            raise UsageError(
                f"{endpoint} has no previous revision to go back to",
                hint="deploy the model version that is to serve",
            )
        self._endpoints.forget(found, tags, previous_tag(previous))
        progress(f"going back to {previous}")
        self._call("sagemaker", "UpdateEndpoint", **requests.back(endpoint, previous))
        after = self._endpoints.settled(endpoint, progress)
        if after is None or after["EndpointConfigName"] != previous or after["EndpointStatus"] != "InService":
            raise DeployFailedError(
                f"{endpoint} did not go back to {previous}: {reason_of(after)}", hint=logs_hint(endpoint)
            )
        self._endpoints.forget(found, tags, previous_tag(current))
        return self._endpoints.status(after)

    def predict(self, endpoint: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Asks with ``InvokeEndpoint``."""
        try:
            return self._endpoints.ask(endpoint, rows)
        except ValueError as error:
            raise ServiceError(f"{endpoint}: {error}") from error
        except RefusedError as error:
            if error.is_missing:
                raise self._no_endpoint(endpoint) from error
            raise

    def delete(self, endpoint: str, progress: Progress) -> None:
        """Removes the endpoint, its scaling and alarms, and all configurations and models made for it."""
        self._stop_scaling(endpoint)
        self._endpoints.settled(endpoint, progress)
        self._endpoints.remove(endpoint)
        for name in owned.named(self._call, "ListEndpoints", "Endpoints", "Endpoint", endpoint):
            self._endpoints.remove(name)
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
            self._endpoints.until_started(name, progress)
        except DeployFailedError:
            self._endpoints.remove(name)
            raise
        self._first_test(deployment, progress)

    def _first_test(self, deployment: Deployment, progress: Progress) -> None:
        """Tests a new endpoint, which has nothing to go back to: one that fails is removed."""
        try:
            self._smoke_test(deployment, deployment.endpoint, progress)
        except DeployFailedError:
            self._endpoints.remove(deployment.endpoint)
            raise

    def _require_going(self, deployment: Deployment, found: Described) -> None:
        """Tells of what failed since the last look, which nobody waited for; else it would be begun anew."""
        wanted, tags = requests.resource_name(deployment), self._endpoints.tags(found)
        if found["EndpointConfigName"] == wanted and found["EndpointStatus"] == "Failed":
            self._endpoints.remove(deployment.endpoint)
        elif found["EndpointConfigName"] != wanted and previous_tag(wanted) in tags:
            self._endpoints.forget(found, tags, previous_tag(wanted))
        else:
            return
        raise DeployFailedError(
            f"{deployment.revision.name} did not take over: {reason_of(found)}",
            hint=logs_hint(deployment.endpoint),
        )

    def _smoke_test(self, deployment: Deployment, name: str, progress: Progress) -> None:
        """Asks the endpoint of this name, and marks the revision's configuration as tested."""
        progress(smoke_test(deployment, lambda rows: self._endpoints.ask(name, rows), clock=self._pace.clock))
        self._endpoints.mark_tested(requests.resource_name(deployment))

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
            self._endpoints.until_started(name, progress)
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
        self._endpoints.remove(name)
        self._call.found("sagemaker", "DeleteEndpointConfig", EndpointConfigName=name)

    def _update(self, deployment: Deployment, found: Described, progress: Progress) -> None:
        name, wanted = deployment.endpoint, requests.resource_name(deployment)
        for alarm in requests.alarms(deployment):
            self._call("cloudwatch", "PutMetricAlarm", **alarm)
        self._endpoints.remember(found, previous_tag(wanted), found["EndpointConfigName"])
        rollout = requests.endpoint_of(deployment).rollout
        progress(f"moving traffic to {deployment.revision.name} ({rollout.type})")
        self._call("sagemaker", "UpdateEndpoint", **requests.update(deployment))
        after = self._endpoints.settled(name, progress, rollout.timeout.total_seconds() + CREATE_SECONDS)
        if after is None or after["EndpointConfigName"] != wanted or after["EndpointStatus"] != "InService":
            self._endpoints.forget(found, self._endpoints.tags(found), previous_tag(wanted))
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
        found = self._endpoints.find(name)
        if found is None:
            raise ServiceError(f"{name} was removed while it was deployed", hint="deploy again")
        tags = self._endpoints.tags(found)
        kept = previous_tag(found["EndpointConfigName"])
        stale = [key for key in tags if key.startswith(PREVIOUS_TAG) and key != kept]
        self._endpoints.forget(found, tags, *stale)
        return self._endpoints.status(found)

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

    def _no_endpoint(self, name: str) -> UsageError:
        return UsageError(f"there is no endpoint {name} in {self._config.region}", hint="deploy it first")

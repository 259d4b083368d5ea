"""Deploys to Vertex AI: models, an endpoint, and a traffic split that we move, since Vertex AI does not."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_config.deploy.alarms import Alarms, alarms_of_environment
from mlops_config.deploy.gcp import requests
from mlops_config.deploy.gcp.api import RefusedError, VertexApi
from mlops_config.deploy.gcp.endpoint import VertexEndpoint
from mlops_config.deploy.interface import (
    Deployer,
    Deployment,
    EndpointStatus,
    OnItsWayError,
    Progress,
    State,
)
from mlops_config.deploy.references import resolved
from mlops_config.deploy.rollout import ALL, Pace, raise_when_firing, steps
from mlops_config.deploy.smoke import predictions_in, smoke_test
from mlops_config.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import GcpDeployer

_ALARM_SECONDS = 15.0


class VertexDeployer(Deployer):
    """Endpoints of one project and location."""

    def __init__(
        self,
        config: "GcpDeployer",
        *,
        api: VertexApi | None = None,
        alarms: Alarms | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._config = config
        self._pace = pace or Pace()
        self._api = api or VertexApi(config.project, config.location, pace=self._pace)
        self._alarms = alarms or alarms_of_environment()

    def deploy(self, deployment: Deployment, progress: Progress, *, wait: bool = True) -> EndpointStatus:
        """Uploads and tests the model, deploys it without traffic, and moves the traffic in steps.

        Without ``wait`` uploads and servers that start are left to Vertex AI; the steps of the traffic are
        ours, and take as long as the rollout says.
        """
        self._api.waits = wait
        try:
            return self._deployed(deployment, progress)
        except OnItsWayError:
            return OnItsWayError(deployment.endpoint).status()
        finally:
            self._api.waits = True

    def _deployed(self, deployment: Deployment, progress: Progress) -> EndpointStatus:
        account = resolved(self._config.service_account, what="deployer.service_account")
        model, name = self._model_name(requests.model_id(deployment)), deployment.revision.name
        found = self._found(deployment.endpoint)
        if found is not None and found.serves_alone(model):
            progress(f"{name} serves already")
            return self._status(deployment.endpoint, found)
        uploaded = self._upload(deployment, progress)
        if requests.TESTED_LABEL not in uploaded["labels"]:
            self._rehearse(deployment, uploaded, account, progress)
        endpoint = self._create(requests.endpoint_id(deployment.endpoint), deployment)
        self._clear(endpoint, model, progress)
        try:
            self._take_over(endpoint, deployment, model, account, progress)
        except OnItsWayError:
            raise
        except BaseException:
            self._api.waits = True
            self._take_back(endpoint, model, progress)
            raise
        self._tidy(endpoint, model)
        return self._status(deployment.endpoint, endpoint)

    def status(self, endpoint: str) -> EndpointStatus | None:
        """The endpoint and its traffic split."""
        found = self._found(endpoint)
        return None if found is None or not found.split else self._status(endpoint, found)

    def rollback(self, endpoint: str, progress: Progress) -> EndpointStatus:
        """Deploys the previous model again when it was undeployed, and gives it all traffic."""
        found = self._existing(endpoint)
        serving = found.serving()
        if serving is None:
            raise UsageError(f"{endpoint} serves nothing yet", hint="deploy a model version")
        if len(found.with_traffic()) > 1:
            progress(f"{serving['displayName']} gets all traffic back: the other had not taken over yet")
            found.send({serving["id"]: ALL})
            self._tidy(found, serving["model"])
            return self._status(endpoint, found)
        previous = found.previous(serving["model"])
        if previous is None:
            raise UsageError(
                f"{endpoint} has no previous revision to go back to",
                hint="deploy the model version that is to serve",
            )
        model = self._model_name(f"{serving['model'].rpartition('/')[2].rpartition('-')[0]}-{previous}")
        if found.deployed(model) is None:
            name = self._revision_name(model)
            progress(f"deploying {name} again")
            found.deploy(requests.again(serving, name, model), share=False)
        back = found.deployed(model)
        assert back is not None  # noqa: S101 it was deployed above
        found.forget_previous(model)
        found.send({back["id"]: ALL})
        found.forget_previous(serving["model"])
        progress(f"{back['displayName']} has all traffic")
        self._tidy(found, model)
        return self._status(endpoint, found)

    def predict(self, endpoint: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Asks with ``endpoints.predict``."""
        try:
            return self._ask(requests.endpoint_id(endpoint), rows)
        except RefusedError as error:
            if error.is_missing:
                raise self._no_endpoint(endpoint) from error
            raise
        except ValueError as error:
            raise ServiceError(f"{endpoint}: {error}") from error

    def delete(self, endpoint: str, progress: Progress) -> None:
        """Undeploys and removes the endpoint, left rehearsals, and every model uploaded for it."""
        label = requests.endpoint_id(endpoint)
        for each in list(self._api.items("endpoints", requests.ENDPOINT_LABEL, label)):
            VertexEndpoint(self._api, each).delete()
        for each in list(self._api.items("models", requests.ENDPOINT_LABEL, label)):
            operation = self._api.send("DELETE", each["name"])
            self._api.finish(operation, f"removing {each['displayName']}")
        progress(f"{endpoint} is gone")

    def _upload(self, deployment: Deployment, progress: Progress) -> Any:
        """The model; one that is there stays: its id says what is in it."""
        request = requests.model(deployment)
        identifier = request["modelId"]
        progress(f"uploading model {identifier}")
        upload, name = f"{self._api.parent}/models:upload", self._model_name(identifier)
        return self._api.create(upload, name, request, f"uploading {identifier}")

    def _rehearse(
        self, deployment: Deployment, uploaded: Mapping[str, Any], account: str, progress: Progress
    ) -> None:
        """Asks the model on an endpoint of its own: a request cannot name the model it is for. What
        interrupted deploys left is removed first."""
        main = requests.endpoint_id(deployment.endpoint)
        for each in list(self._api.items("endpoints", requests.ENDPOINT_LABEL, main)):
            own = each["name"].rpartition("/")[2] == requests.rehearsal_id(deployment)
            if each["name"].rpartition("/")[2] != main and not (own and not self._api.waits):
                VertexEndpoint(self._api, each).delete()
        identifier = requests.rehearsal_id(deployment)
        model = uploaded["name"]
        progress(f"starting {deployment.revision.name} for its smoke test on {identifier}")
        small = self._create(identifier, deployment)
        try:
            if small.deployed(model) is None:
                if not self._api.waits:
                    # It is the revision's own, so what failed there since the last look is this.
                    self._api.require_no_failure(small.name, f"deploying {deployment.revision.name}")
                small.deploy(requests.rehearsed_model(deployment, model, account), share=True)
            progress(smoke_test(deployment, lambda rows: self._ask(identifier, rows), clock=self._pace.clock))
        except KeyboardInterrupt:
            progress(f"{identifier} is left behind; the next deploy, or delete, removes it")
            raise
        except OnItsWayError:
            raise
        except Exception:
            self._removed(small)
            raise
        labels = {**uploaded["labels"], requests.TESTED_LABEL: "passed"}
        self._api.send("PATCH", model, {"name": model, "labels": labels}, query={"updateMask": "labels"})
        self._removed(small)

    def _removed(self, endpoint: VertexEndpoint) -> None:
        """Removes a rehearsal's endpoint, waiting in any case: what is left of one costs money."""
        waits, self._api.waits = self._api.waits, True
        try:
            endpoint.delete()
        finally:
            self._api.waits = waits

    def _create(self, identifier: str, deployment: Deployment) -> VertexEndpoint:
        """The endpoint, once nothing is being done to it any more."""
        collection, request = f"{self._api.parent}/endpoints", requests.endpoint(deployment)
        name, doing = f"{collection}/{identifier}", f"creating {identifier}"
        found = VertexEndpoint(
            self._api, self._api.create(collection, name, request, doing, {"endpointId": identifier})
        )
        self._api.await_pending(name)
        found.refresh()
        return found

    def _clear(self, endpoint: VertexEndpoint, model: str, progress: Progress) -> None:
        """Takes back what an interrupted deploy of another model left."""
        serving = endpoint.serving()
        if serving is None or endpoint.deployed(model) in endpoint.with_traffic():
            return
        if len(endpoint.with_traffic()) > 1:
            progress(f"{serving['displayName']} gets all traffic back from an interrupted rollout")
            endpoint.send({serving["id"]: ALL})
        endpoint.undeploy_all_but(serving["model"], model)

    def _take_over(
        self,
        endpoint: VertexEndpoint,
        deployment: Deployment,
        model: str,
        account: str,
        progress: Progress,
    ) -> None:
        serving, name = endpoint.serving(), deployment.revision.name
        if endpoint.deployed(model) is None:
            progress(f"deploying {name}")
            endpoint.deploy(requests.deployed_model(deployment, model, account), share=serving is None)
        new = endpoint.deployed(model)
        assert new is not None  # noqa: S101 it was deployed above
        if serving is None or serving["model"] == model:
            endpoint.send({new["id"]: ALL})
            progress(f"{name} has all traffic")
            return
        endpoint.remember_previous(model, serving["model"])
        rollout = requests.endpoint_of(deployment).rollout
        look = self._watching(deployment)
        for percent in steps(rollout):
            endpoint.send({new["id"]: percent, serving["id"]: ALL - percent})
            progress(f"{name} has {percent} % of the traffic")
            self._pace.watch(rollout.wait.total_seconds(), look, every=_ALARM_SECONDS)
        self._pace.watch(rollout.termination_wait.total_seconds(), look, every=_ALARM_SECONDS)

    def _take_back(self, endpoint: VertexEndpoint, model: str, progress: Progress) -> None:
        """Gives all traffic to the model before, and undeploys the one that was taking over."""
        endpoint.refresh()
        previous = endpoint.previous(model)
        before = next((each for each in endpoint.models() if requests.short(each["model"]) == previous), None)
        if before is None:
            return
        endpoint.send({before["id"]: ALL})
        progress(f"{before['displayName']} has all traffic")
        endpoint.undeploy_all_but(before["model"])
        endpoint.forget_previous(model)

    def _tidy(self, endpoint: VertexEndpoint, model: str) -> None:
        """Undeploys what has no traffic any more, and forgets what those models had replaced."""
        endpoint.undeploy_all_but(model)
        endpoint.forget_previous_but(model)

    def _watching(self, deployment: Deployment) -> Callable[[], None]:
        return lambda: raise_when_firing(lambda: self._alarms(deployment))

    def _ask(self, identifier: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        name = f"{self._api.parent}/endpoints/{identifier}:predict"
        try:
            # A prediction changes nothing, so it may be asked for twice.
            answer = self._api.send("POST", name, {"instances": list(rows)}, repeatable=True)
        except RefusedError as error:
            if error.is_missing:
                raise
            raise ValueError(error.message) from error
        return predictions_in(answer, len(rows))

    def _status(self, name: str, endpoint: VertexEndpoint) -> EndpointStatus:
        traffic: dict[str, int] = {}
        for each in endpoint.with_traffic():
            shown = each["displayName"]
            traffic[shown] = traffic.get(shown, 0) + endpoint.split[each["id"]]
        serving = endpoint.serving()
        previous = endpoint.previous(serving["model"]) if serving else None
        shown_previous = None
        if serving is not None and previous is not None:
            prefix = serving["model"].rpartition("-")[0]
            shown_previous = self._revision_name(f"{prefix}-{previous}")
        return EndpointStatus(
            endpoint=name,
            state=State.IN_SERVICE if len(endpoint.models()) == 1 else State.UPDATING,
            traffic=traffic,
            previous=shown_previous,
            url=f"https://{self._config.location}-aiplatform.googleapis.com/v1/{endpoint.name}:predict",
        )

    def _revision_name(self, model: str) -> str:
        """What the model's label says; the end of its id when the model is gone."""
        found = self._api.get(model)
        label = found.get("labels", {}).get(requests.REVISION_LABEL) if found else None
        return str(label or requests.short(model))

    def _found(self, endpoint: str) -> VertexEndpoint | None:
        found = self._api.get(f"{self._api.parent}/endpoints/{requests.endpoint_id(endpoint)}")
        return None if found is None else VertexEndpoint(self._api, found)

    def _existing(self, endpoint: str) -> VertexEndpoint:
        found = self._found(endpoint)
        if found is None:
            raise self._no_endpoint(endpoint)
        return found

    def _model_name(self, identifier: str) -> str:
        return f"{self._api.parent}/models/{identifier}"

    def _no_endpoint(self, name: str) -> UsageError:
        return UsageError(f"there is no endpoint {name} in {self._api.parent}", hint="deploy it first")

"""One Vertex AI endpoint: what is deployed to it, who gets which share, and what each model replaced."""

from collections.abc import Mapping
from typing import Any

from mlops_config.deploy.gcp.api import VertexApi
from mlops_config.deploy.gcp.requests import PREVIOUS_LABEL, short

Deployed = Mapping[str, Any]
"""A DeployedModel in the API's JSON."""


class VertexEndpoint:
    """The endpoint as it was last read; every change reads it anew."""

    def __init__(self, api: VertexApi, resource: Mapping[str, Any]) -> None:
        self._api = api
        self._resource = resource
        self.name: str = resource["name"]

    @property
    def split(self) -> dict[str, int]:
        """Percent by the id of a deployed model."""
        return {key: int(value) for key, value in self._resource.get("trafficSplit", {}).items()}

    @property
    def labels(self) -> dict[str, str]:
        """The endpoint's labels."""
        return dict(self._resource.get("labels", {}))

    def refresh(self) -> None:
        """Reads the endpoint anew."""
        self._resource = self._api.get(self.name) or {"name": self.name}

    def models(self) -> list[Deployed]:
        """Everything deployed."""
        return list(self._resource.get("deployedModels", ()))

    def with_traffic(self) -> list[Deployed]:
        """What gets a share of the traffic."""
        return [each for each in self.models() if self.split.get(each["id"], 0) > 0]

    def deployed(self, model: str) -> Deployed | None:
        """The model as it is deployed here, if it is."""
        return next((each for each in self.models() if each["model"] == model), None)

    def serves_alone(self, model: str) -> bool:
        """Whether nothing but this model is deployed, and it has all traffic."""
        return [each["model"] for each in self.models()] == [model] and bool(self.with_traffic())

    def previous(self, model: str) -> str | None:
        """The end of the id of the model that this one replaced."""
        return self.labels.get(PREVIOUS_LABEL + short(model))

    def serving(self) -> Deployed | None:
        """What serves: of two with traffic the one that the other was replacing."""
        shares = self.with_traffic()
        known = {short(each["model"]) for each in shares}
        settled = [each for each in shares if self.previous(each["model"]) not in known]
        return max(settled or shares, key=lambda each: self.split[each["id"]], default=None)

    def deploy(self, deployed_model: Mapping[str, Any], *, share: bool) -> None:
        """Deploys a model and waits; ``share`` gives it all traffic at once, else it gets none."""
        request: dict[str, Any] = {"deployedModel": deployed_model}
        if share:
            # "0" stands for the id that the deployed model is going to get.
            request["trafficSplit"] = {"0": 100}
        operation = self._api.send("POST", f"{self.name}:deployModel", request)
        self._api.finish(operation, f"deploying {deployed_model['displayName']}")
        self.refresh()

    def send(self, split: Mapping[str, int]) -> None:
        """Shares the traffic out."""
        wanted = {key: percent for key, percent in split.items() if percent}
        if wanted != self.split:
            self._patch("trafficSplit", wanted)

    def remember_previous(self, model: str, previous: str) -> None:
        """Writes down which model this one replaces."""
        self._relabel(self.labels | {PREVIOUS_LABEL + short(model): short(previous)})

    def forget_previous(self, model: str) -> None:
        """Nothing is known any more of what this model replaced."""
        gone = PREVIOUS_LABEL + short(model)
        self._relabel({key: value for key, value in self.labels.items() if key != gone})

    def forget_previous_but(self, model: str) -> None:
        """Keeps what this model replaced, and forgets it of all others."""
        kept = PREVIOUS_LABEL + short(model)
        self._relabel(
            {
                key: value
                for key, value in self.labels.items()
                if key == kept or not key.startswith(PREVIOUS_LABEL)
            }
        )

    def undeploy_all_but(self, *models: str) -> None:
        """Undeploys every model but these, and what of these is deployed twice; none may have traffic."""
        kept: set[str] = set()
        for each in sorted(self.models(), key=lambda each: -self.split.get(each["id"], 0)):
            if each["model"] in models and each["model"] not in kept:
                kept.add(each["model"])
            else:
                self._undeploy(each)
        self.refresh()

    def delete(self) -> None:
        """Undeploys everything and removes the endpoint."""
        self._api.await_pending(self.name)
        self.refresh()
        if self.split:
            self._patch("trafficSplit", {})
        self.undeploy_all_but()
        operation = self._api.send("DELETE", self.name)
        self._api.finish(operation, f"removing {self.name.rpartition('/')[2]}")

    def _undeploy(self, deployed: Deployed) -> None:
        request = {"deployedModelId": deployed["id"]}
        operation = self._api.send("POST", f"{self.name}:undeployModel", request)
        self._api.finish(operation, f"undeploying {deployed['displayName']}")

    def _relabel(self, labels: Mapping[str, str]) -> None:
        if labels != self.labels:
            self._patch("labels", labels)

    def _patch(self, field: str, value: Mapping[str, Any]) -> None:
        """Changes one field; with the etag, so that a change by somebody else in between is not lost."""
        body = {"name": self.name, field: value}
        if "etag" in self._resource:
            body["etag"] = self._resource["etag"]
        self._api.send("PATCH", self.name, body, query={"updateMask": field})
        self.refresh()

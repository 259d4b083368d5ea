"""Which of a rollout's alarms fire, as Prometheus sees it."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mlops_config.errors import ServiceError

if TYPE_CHECKING:
    from mlops_config.deploy.interface import Deployment
    from mlops_config.http import HttpClient

PROMETHEUS_VARIABLE = "MLOPS_PROMETHEUS_URL"

Alarms = Callable[["Deployment"], tuple[str, ...]]
"""The names of the deployment's rollback alarms that fire now, sorted."""


def no_alarms(_deployment: "Deployment") -> tuple[str, ...]:
    """Nothing watches, so nothing fires."""
    return ()


def alarms_of_environment() -> Alarms:
    """Asks the Prometheus of ``MLOPS_PROMETHEUS_URL``; without the variable nothing is watched."""
    url = os.environ.get(PROMETHEUS_VARIABLE)
    return PrometheusAlarms(url) if url else no_alarms


class PrometheusAlarms:
    """Alerts of a Prometheus server: ``GET /api/v1/alerts`` (Prometheus HTTP API, "Alerts").

    An alert counts when it has the alarm's name, is firing and not just pending, and its labels ``project``,
    ``model`` and ``environment``, where it has them, are the deployment's.
    """

    def __init__(self, url: str, http: "HttpClient | None" = None) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/alerts"
        self._http = http

    def __call__(self, deployment: "Deployment") -> tuple[str, ...]:
        """Raises ServiceError when Prometheus stays away: a rollout nobody watches must not go on."""
        endpoint = deployment.inference.endpoint
        wanted = set(endpoint.rollout.rollback_alarms if endpoint else ())
        if not wanted:
            return ()
        metadata = deployment.inference.metadata
        own = {
            "project": metadata.project,
            "model": metadata.model_name,
            "environment": metadata.environment,
        }
        return tuple(sorted({name for name in self._firing(own) if name in wanted}))

    def _firing(self, own: Mapping[str, str]) -> list[str]:
        from mlops_config.http import HttpClient

        if self._http is None:
            self._http = HttpClient()
        answer = self._http.request("GET", self._url, doing=f"asking {self._url} for firing alerts")
        try:
            alerts = answer.json()["data"]["alerts"]
            return [
                alert["labels"]["alertname"]
                for alert in alerts
                if alert["state"] == "firing"
                and all(alert["labels"].get(label, value) == value for label, value in own.items())
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceError(
                f"{self._url} answered {answer.status_code} without a list of alerts",
                hint=f"{PROMETHEUS_VARIABLE} must be the address of a Prometheus server",
            ) from error

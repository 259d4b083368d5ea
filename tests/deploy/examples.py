"""Deployments and clocks for the tests of deployers."""

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from mlops_config.contract.models.inference import InferenceConfig
from mlops_config.contract.models.monitoring import MonitoringConfig
from mlops_config.contract.models.retrain import SmokeTest
from mlops_config.deploy.interface import Deployment, Revision
from mlops_config.deploy.rollout import Pace

ENDPOINT = "trip-fare-prod"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
RELEASE = "1.2.0"
IMAGE = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/runtime@sha256:" + "a" * 64
ALARM = "fare-errors"
ROWS = ({"distance_km": 2.5, "raining": False}, {"distance_km": 7.0, "raining": True})

Rollout = Mapping[str, Any]
ALL_AT_ONCE: Rollout = {"type": "all_at_once"}
CANARY: Rollout = {"type": "canary", "canary_percent": 10, "wait": "PT0S", "rollback_alarms": [ALARM]}
LINEAR: Rollout = {"type": "linear", "step_percent": 40, "wait": "PT0S"}

METADATA = {
    "project": "city-taxi",
    "model_name": "trip-fare",
    "environment": "prod",
    "owner": "fares@example.com",
    "labels": {"team": "fares", "tier": "1"},
}
MONITORING = MonitoringConfig.model_validate(
    {
        "schema_version": 1,
        "kind": "monitoring",
        "metadata": METADATA,
        "schedule": {"cron": "0 * * * *"},
        "report": {"destination_uri": "s3://acme-prod/reports/"},
        "alerts": [
            {"name": "fare-latency", "signal": "latency", "for": "PT3M", "severity": "page"},
            {"name": ALARM, "signal": "errors", "for": "PT1M"},
            {"name": "fare-availability", "signal": "availability"},
            {"name": "fare-drift", "signal": "drift"},
        ],
    }
)


def digest_of(version: int) -> str:
    """A configuration's digest."""
    return "sha256:" + hashlib.sha256(f"configuration {version}".encode()).hexdigest()


def inference_config(deployer: Mapping[str, Any], endpoint: Mapping[str, Any]) -> InferenceConfig:
    """An inference file with this deployer, and ``endpoint`` over a plain one."""
    return InferenceConfig.model_validate(
        {
            "schema_version": 1,
            "kind": "inference",
            "metadata": METADATA,
            "mode": "endpoint",
            "model": {"registered_model_name": "trip-fare-prod", "alias": "champion"},
            "deployer": dict(deployer),
            "endpoint": {"name": ENDPOINT, **endpoint},
            "signature": {
                "source": "declared",
                "inputs": [
                    {"name": "distance_km", "type": "fractional"},
                    {"name": "raining", "type": "boolean"},
                ],
                "output": {"name": "fare_eur", "type": "fractional"},
            },
            "data_capture": {
                "destination_uri": "s3://acme-prod/capture/",
                "sampling_percent": 50,
            },
            "service_level": {"p95_latency_ms": 200.0, "error_rate_max_fraction": 0.005},
        }
    )


def deployment_of(
    inference: InferenceConfig, version: int, package_uri: str, *, max_latency_ms: float = 2000.0
) -> Deployment:
    """A model version's deployment."""
    return Deployment(
        project="city-taxi",
        environment="prod",
        endpoint=ENDPOINT,
        revision=Revision("trip-fare-prod", version, digest_of(version), IMAGE, package_uri),
        inference=inference,
        smoke_test=SmokeTest(rows=2, max_latency_ms=max_latency_ms),
        smoke_rows=ROWS,
        variables={"MLOPS_COMMIT": COMMIT, "MLOPS_RELEASE": RELEASE},
        monitoring=MONITORING,
    )


class TestClock:
    """A clock that goes on by a millisecond when it is looked at, and by what is slept."""

    __test__ = False

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        self.now += 0.001
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        # What is waited for may be a real process: let it run.
        time.sleep(min(seconds, 0.005))

    def pace(self) -> Pace:
        """The clock as deployers take it."""
        return Pace(sleep=self.sleep, clock=self.clock)


def quiet(_line: str) -> None:
    """Progress that nobody sees."""

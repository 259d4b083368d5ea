"""Prints pods as the operators describe them, as a line of JSON, for ``tests/airflow/test_execution.py``."""

import json
import os
import sys
from typing import Any

from airflow.sdk import DAG

from mlops_config.airflow.operators import verify_operator
from mlops_config.airflow.operators.kubernetes import manifest
from mlops_config.orchestration.deployment import Deployment
from tests.airflow.inside.deployed import deployment, job
from tests.airflow.inside.operators.running import context_of, pin, task_of

WHERE = {
    "type": "kubernetes",
    "namespace": "fares",
    "service_account": "fares-jobs",
    "cpus": 1.5,
    "memory_gib": 0.5,
    "gpus": 1,
    "node_selector": {"accelerator": "t4"},
}


def pods() -> dict[str, Any]:
    """A pod of each sort, by name."""
    extra = {
        "environment": "dev",
        "variables": {"MLOPS_STORE": "s3://mlops"},
        "kubernetes_secrets": ["fares-secrets"],
        "image_pull_secrets": ["registry"],
    }
    os.environ["AIRFLOW_CONN_MLOPS_DEV"] = json.dumps({"conn_type": "generic", "extra": extra})
    os.environ["AIRFLOW_CONN_KUBERNETES_DEFAULT"] = json.dumps({"conn_type": "kubernetes"})
    least, most = _deployed(type="kubernetes"), _deployed(**WHERE)
    return {
        "least": _pod(task_of(least)),
        "most": _pod(task_of(most, arguments=["--manual", "$(HOME) 'x'"], part="a/b")),
        "verify": _pod(_verify(most), None),
    }


def _deployed(**where: Any) -> Deployment:
    jobs = {"monitoring": job("dev", "monitoring", execution=where, timeout_seconds=3600.0)}
    return deployment(jobs=jobs, labels={"tier": "2", "team-": "-odd_", "long": "x" * 63})


def _verify(given: Deployment) -> Any:
    with DAG("fares.trip-fare.dev.monitoring", schedule=None):
        return verify_operator(given, "monitoring")


def _pod(task: Any, the_pin: Any = ...) -> dict[str, Any]:
    return manifest(task, context_of(task, pin("/app/configs") if the_pin is ... else the_pin))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(pods()) + "\n")

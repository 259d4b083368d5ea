"""Deployments and DAG folders for tests that run inside Airflow."""

import shutil
from pathlib import Path
from typing import Any

from mlops_config.orchestration.deployment import Deployment, JobDeployment, key_of

ROOT = Path(__file__).resolve().parents[3]
DIGEST = f"sha256:{'ab' * 32}"
IMAGE = f"registry.example/fares@sha256:{'cd' * 32}"


def job(environment: str, name: str, **more: Any) -> JobDeployment:
    """A job with nothing but the name of its file."""
    return JobDeployment(config_name=f"{environment}_{name}_config.yaml", **more)


def deployment(environment: str = "dev", **more: Any) -> Deployment:
    """A release of one model, its jobs run by bash."""
    jobs = {
        "training": job(environment, "training"),
        "inference": job(environment, "inference", cron="0 6 * * *", timezone="Europe/Berlin"),
        "monitoring": job(environment, "monitoring", cron="30 2 * * *", timezone="Europe/Berlin"),
        "retraining": job(environment, "retrain"),
    }
    fields: dict[str, Any] = {
        "project": "fares",
        "model_name": "trip-fare",
        "environment": environment,
        "owner": "team@example.com",
        "labels": {},
        "release": "1.2.0",
        "commit": "f" * 40,
        "config_digest": DIGEST,
        "image": IMAGE,
        "jobs": jobs,
    }
    return Deployment(**{**fields, **more})


def write(folder: Path, given: Deployment) -> Path:
    """Puts a deployment where it belongs below the folder of all; returns its file."""
    file = folder / key_of(given.project, given.model_name, given.environment)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(given.to_json())
    return file


def dag_folder(folder: Path, *deployments: Deployment) -> Path:
    """A DAG folder with the repository's DAG files and these deployments."""
    shutil.copytree(ROOT / "dags", folder, dirs_exist_ok=True)
    for each in deployments:
        write(folder / "mlops", each)
    return folder


def serialized(dag: Any) -> dict[str, Any]:
    """The DAG as Airflow stores it; a new version of it is made whenever this changes."""
    from airflow.models.serialized_dag import SerializedDagModel

    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:  # before Airflow 3.2
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    document: dict[str, Any] = SerializedDagModel._sort_serialized_dag_dict(Serialization.to_dict(dag))["dag"]
    return document

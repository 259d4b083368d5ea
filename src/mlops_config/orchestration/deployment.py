"""What Airflow runs for one environment of one model: the file its DAGs are made of.

``mlops-config deploy`` writes ``<folder>/<project>/<model>/<environment>/deployment.json`` and, for jobs that
run on the worker itself, the bundle it names beside it; the DAG files read every one of them. So a DAG is
made of a few values of JSON, and the YAML files are read where the jobs run.

Only the standard library is imported here: Airflow's DAG processor loads this module for every DAG file.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

FILE_NAME = "deployment.json"
BUNDLES = "bundles"
"""Folder beside :data:`FILE_NAME` with a folder for each bundle, named by the hex digits of its digest."""
FOLDER_VARIABLE = "MLOPS_DEPLOYMENTS"
"""Names the folder with every deployment; by default ``mlops`` beside the DAG files."""
JOBS = ("training", "inference", "monitoring", "retraining")
SCHEMA_VERSION = 1


class JobDeployment(NamedTuple):
    """How Airflow runs one of the four jobs: the ``orchestration`` of its file, in Airflow's units."""

    config_name: str
    """Canonical name of the job's own file, such as ``dev_training_config.yaml``."""
    cron: str | None = None
    """When it runs by itself; ``None``: on request (or, for retraining, when a drift report arrives)."""
    timezone: str = "UTC"
    """IANA zone that ``cron`` is read in."""
    retries: int = 2
    retry_delay_seconds: float = 300.0
    timeout_seconds: float | None = None
    """Of each task."""
    pool: str = "default_pool"
    queue: str | None = None
    """Of the CeleryExecutor."""
    execution: Mapping[str, Any] = {"type": "bash"}
    """``orchestration.execution`` as the file has it; ``type`` is ``bash``, ``docker`` or ``kubernetes``."""


class Deployment(NamedTuple):
    """A release of one model in one environment, as Airflow is to run it."""

    project: str
    model_name: str
    environment: str
    owner: str
    labels: Mapping[str, str]
    release: str
    """Name of the release: its version, or its commit."""
    commit: str | None
    config_digest: str
    """``sha256:<64 hex>``."""
    image: str | None
    """The environment's image by digest; ``None``: jobs run on the worker itself."""
    jobs: Mapping[str, JobDeployment]
    """By the names of :data:`JOBS`; without ``inference`` where the inference file describes no batch."""
    max_parts: int = 1
    """Parts of a batch worked on at a time: ``batch.max_concurrent``. 1: the batch is one task."""
    target: str = "local"
    """Where the model serves: ``local``, ``aws`` or ``gcp``."""
    bake_seconds: float = 0.0
    """How long after a deployment alarms bring the one before back; 0: they do not."""

    @property
    def bundle_folder(self) -> str:
        """Where the bundle lies, relative to the deployment's file."""
        return f"{BUNDLES}/{self.config_digest.removeprefix('sha256:')}"

    def dag_id(self, job: str) -> str:
        """``<project>.<model>.<environment>.<job>``."""
        return f"{self.project}.{self.model_name}.{self.environment}.{job}"

    def timed_by(self, job: str) -> JobDeployment | None:
        """Whose ``cron`` a job runs by: its own or, of retraining without one, monitoring's, if any."""
        names = (job, "monitoring") if job == "retraining" else (job,)
        found = (self.jobs.get(name) for name in names)
        return next((each for each in found if each and each.cron), None)

    def to_json(self) -> bytes:
        """The file: indented UTF-8 JSON with a final newline."""
        document = {"schema_version": SCHEMA_VERSION, **self._asdict()}
        document["jobs"] = {name: job._asdict() for name, job in self.jobs.items()}
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, origin: str) -> "Deployment":
        """The deployment in a file.

        Raises:
            ValueError: it is none, or of a later version; the sentence names ``origin``.
        """
        try:
            document = json.loads(data)
            version = document.pop("schema_version")
            if version != SCHEMA_VERSION:
                raise ValueError(  # noqa: TRY301 worded with the rest
                    f"it has schema_version {version}, this package reads {SCHEMA_VERSION}"
                )
            jobs = {name: JobDeployment(**job) for name, job in document.pop("jobs").items()}
            return cls(jobs=jobs, **document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{origin} is no deployment that this package can read: {error}") from error


def key_of(project: str, model_name: str, environment: str) -> str:
    """Where a deployment lies below the folder of all."""
    return f"{project}/{model_name}/{environment}/{FILE_NAME}"


def asset_uri(environment: str, project: str, model_name: str, thing: str) -> str:
    """``x-mlops://<environment>/<project>/<model>/<thing>``: an Airflow asset.

    ``thing`` is ``baseline``, ``model``, ``drift-report`` or ``deployment``.
    """
    return f"x-mlops://{environment}/{project}/{model_name}/{thing}"


def connection_id(environment: str) -> str:
    """The Airflow Connection (or Variable) that tells an environment's jobs of their surroundings."""
    return f"mlops_{environment.replace('-', '_')}"

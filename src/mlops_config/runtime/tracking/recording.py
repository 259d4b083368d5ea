"""One training run as it is written down in MLflow: all of it, or taken back."""

import logging
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_config.errors import MlopsConfigError, UsageError, of_os_error
from mlops_config.retrying import Retries
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.model.storage import write_files
from mlops_config.runtime.tracking.connection import Connection
from mlops_config.runtime.tracking.failures import already_exists
from mlops_config.runtime.tracking.interface import Run
from mlops_config.runtime.tracking.mlflow_model import write_mlflow_model

log = logging.getLogger(__name__)

ATTEMPT = "mlops.attempt"
"""Tag of a run: finds it again when the answer to making it was lost."""
MODEL_NAME = "model"

_MOST_AT_ONCE = 100
"""Parameters or metrics in one request (MLflow's limit on parameters)."""
_CLEANING_UP = Retries(tries=2, first_wait=0.2, deadline=10.0)


@dataclass(frozen=True, slots=True)
class Recording:
    """A run that has been started."""

    connection: Connection
    run: Run
    run_id: str
    experiment_id: str
    tags: Mapping[str, str]
    """Of the run, as it was started with."""

    def log(self, *, model_id: str | None = None) -> None:
        """Writes parameters, metrics (of the model too, where there is one) and documents."""
        from mlflow.entities import Metric, Param

        moment = int(time.time() * 1000)
        parameters = [Param(key, str(value)) for key, value in self.run.parameters.items()]
        metrics = [
            Metric(key, value, moment, 0, model_id=model_id, run_id=self.run_id)
            for key, value in self.run.metrics.items()
        ]

        def once(client: Any) -> None:
            for first in range(0, max(len(parameters), len(metrics)), _MOST_AT_ONCE):
                part = slice(first, first + _MOST_AT_ONCE)
                client.log_batch(self.run_id, params=parameters[part], metrics=metrics[part])

        self.connection.call(once, doing="recording parameters and metrics in MLflow")
        if self.run.documents:
            with _scratch() as folder:
                write_files(self.run.documents, folder)
                self.connection.call(
                    lambda client: client.log_artifacts(self.run_id, str(folder)),
                    doing="storing the run's documents in MLflow",
                )

    def log_model(self, package: ModelPackage, files: Mapping[str, bytes]) -> Any:
        """Stores the package as an MLflow model of the run; ``files`` are the package's."""
        model = self.connection.call(
            lambda client: self._make_model(client, package), doing="making a model in MLflow"
        )
        with _scratch() as scratch:
            folder = scratch / "model"
            self.connection.translating(
                lambda: write_mlflow_model(
                    package, files, folder, run_id=self.run_id, model_id=model.model_id
                ),
                doing="writing the model as an MLflow model",
            )
            self.connection.call(
                lambda client: client.log_model_artifacts(model.model_id, str(folder)),
                doing="storing the model in MLflow",
            )
        self.connection.call(
            lambda client: client.finalize_logged_model(model.model_id, "READY"),
            doing="completing the model in MLflow",
        )
        self.connection.call(
            lambda client: self._link(client, model), doing="linking the run to its model in MLflow"
        )
        return model

    def finish(self) -> None:
        """Marks the run as finished."""
        self.connection.call(
            lambda client: client.set_terminated(self.run_id, "FINISHED"), doing="ending the run in MLflow"
        )

    def register(self, name: str, model: Any) -> Any:
        """A new version of the registered model, made in one step with all its tags."""
        self.connection.call(
            lambda client: _make_registered_model(client, name),
            doing=f"registering the model {name} in MLflow",
        )
        tries = 0

        def once(client: Any) -> Any:
            nonlocal tries
            tries += 1
            # When only the answer was lost, the version is there already.
            made = client.search_model_versions(f"run_id = '{self.run_id}'") if tries > 1 else ()
            if made:
                return made[0]
            return client.create_model_version(
                name, model.artifact_location, self.run_id, tags=dict(self.tags), model_id=model.model_id
            )

        return self.connection.call(once, doing=f"registering a version of {name} in MLflow")

    def _make_model(self, client: Any, package: ModelPackage) -> Any:
        found = client.search_logged_models(
            [self.experiment_id], f"source_run_id = '{self.run_id}'", max_results=1
        )
        if found:
            return found[0]
        return client.create_logged_model(
            self.experiment_id,
            name=MODEL_NAME,
            source_run_id=self.run_id,
            tags=dict(self.tags),
            params={key: str(value) for key, value in self.run.parameters.items()},
            model_type=package.schema.target.problem_type,
        )

    def _link(self, client: Any, model: Any) -> None:
        from mlflow.entities import LoggedModelOutput

        outputs = client.get_run(self.run_id).outputs
        if not outputs or not outputs.model_outputs:
            client.log_outputs(self.run_id, [LoggedModelOutput(model.model_id, step=0)])


@contextmanager
def recording(
    connection: Connection, run: Run, tags: Mapping[str, str], *, artifacts: Path | None
) -> Iterator[Recording]:
    """A run in MLflow for the block; leaving it with an exception takes back what was made.

    Then the run is marked ``FAILED``, or ``KILLED`` after an interruption, and a version it registered is
    removed, as far as MLflow can be reached.

    Args:
        connection: Where.
        run: What is recorded.
        tags: The run's.
        artifacts: Folder for the files of a new experiment; ``None``: the server knows.
    """
    experiment_id = connection.call(
        lambda client: _experiment(client, run.experiment, artifacts),
        doing=f"looking for the experiment {run.experiment} in MLflow",
    )
    attempt = uuid.uuid4().hex
    try:
        run_id = _start(connection, run, {**tags, ATTEMPT: attempt}, experiment_id, attempt)
        yield Recording(connection, run, run_id, experiment_id, tags)
    except BaseException as error:
        status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        _take_back(connection, experiment_id, attempt, status)
        raise


def _experiment(client: Any, name: str, artifacts: Path | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        location = artifacts and (artifacts.absolute() / name.replace("/", "--")).as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except Exception as error:
            if not already_exists(error):
                raise
            found = client.get_experiment_by_name(name)
    if found.lifecycle_stage == "deleted":
        raise UsageError(
            f"the MLflow experiment {name} is deleted",
            hint=f"restore it: mlflow experiments restore --experiment-id {found.experiment_id}",
        )
    return str(found.experiment_id)


def _start(
    connection: Connection, run: Run, tags: Mapping[str, str], experiment_id: str, attempt: str
) -> str:
    source = {"mlflow.source.type": "JOB", "mlflow.source.name": "mlops-config"}
    if "mlops.commit" in tags:
        source["mlflow.source.git.commit"] = tags["mlops.commit"]
    tries = 0

    def once(client: Any) -> str:
        nonlocal tries
        tries += 1
        made = _attempted(client, experiment_id, attempt) if tries > 1 else None
        if made is None:
            made = client.create_run(experiment_id, tags={**source, **tags}, run_name=run.name)
        return str(made.info.run_id)

    return connection.call(once, doing="starting a run in MLflow")


def _attempted(client: Any, experiment_id: str, attempt: str) -> Any:
    found = client.search_runs([experiment_id], f"tags.`{ATTEMPT}` = '{attempt}'", max_results=1)
    return found[0] if found else None


def _take_back(connection: Connection, experiment_id: str, attempt: str, status: str) -> None:
    """Raises nothing: what stopped the run is what is to be told."""

    def once(client: Any) -> None:
        run = _attempted(client, experiment_id, attempt)
        if run is None:
            return
        for version in client.search_model_versions(f"run_id = '{run.info.run_id}'"):
            client.delete_model_version(version.name, version.version)
        client.set_terminated(run.info.run_id, status)

    try:
        connection.call(once, doing="marking the run as failed in MLflow", retries=_CLEANING_UP)
    except MlopsConfigError as error:
        log.warning("the run may still be shown as running: %s", error.message)


def _make_registered_model(client: Any, name: str) -> None:
    try:
        client.create_registered_model(name)
    except Exception as error:
        if not already_exists(error):
            raise


@contextmanager
def _scratch() -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(prefix="mlops-config-") as folder:
            yield Path(folder)
    except OSError as error:
        raise of_os_error(error) from error

"""The story of the loop: its steps in their order, and all they need opened before and closed after."""

import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.loop import steps_drift, steps_end, steps_setup
from tools.loop.airflow_runs import AirflowRuns
from tools.loop.command import common_variables
from tools.loop.ending import shortened
from tools.loop.progress import Progress
from tools.loop.project import FIRST_ROWS, ROOT, make_project
from tools.loop.recording import Recording
from tools.loop.scene import Scene, StoryError
from tools.loop.servers import Servers, start_mlflow
from tools.loop.servers_airflow import Airflow

FOLDER = ROOT / ".cache" / "loop"
LATEST = "latest"
KEPT_RUNS = 3
"""Folders of earlier runs that stay."""

_UNHURRIED = {
    # Tests of faults want Airflow to look more often; here the jobs need the processors more.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
}

Step = Callable[[Scene], None]
WHOLE: tuple[Step, ...] = (
    steps_setup.release,
    steps_setup.servers,
    steps_setup.deploy,
    steps_setup.traffic,
    steps_drift.quiet,
    steps_drift.batch,
    steps_drift.shift,
    steps_drift.alert,
    steps_drift.retrain,
    steps_drift.green,
    steps_end.refused,
    steps_end.rollback,
    steps_end.trace,
)
LEFT_OUT = (steps_drift.batch, steps_drift.green, steps_end.refused)
"""What the short form does not tell."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the story is told."""

    short: bool = False
    folder: Path | None = None
    """Of this run; ``None``: a new one below :data:`FOLDER`."""
    airflow_port: int | None = None
    mlflow_port: int | None = None


@contextmanager
def opened(options: Options) -> Iterator[Scene]:
    """The scene with its servers starting; when the block ends, however it ends, so does every process."""
    run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = (options.folder or FOLDER / run).resolve()
    folder.mkdir(parents=True)
    if options.folder is None:
        _point_at(folder)
    recording = Recording(run, options.short)
    progress = Progress(recording)
    progress.say(
        f"The loop on this machine; a day takes seconds here. Everything lies in {shortened(folder)}"
    )
    with ExitStack() as stack:
        servers = Servers(folder / "logs", common_variables())
        stack.callback(_require_all_ended, servers)
        stack.enter_context(servers)
        stack.enter_context(warnings_in(folder / "logs" / "loop.log"))
        # They take their time to come up; meanwhile the project is made and released.
        mlflow = start_mlflow(servers, folder / "mlflow" / "mlflow.db", port=options.mlflow_port)
        airflow = Airflow(servers, folder / "airflow", port=options.airflow_port, settings=_UNHURRIED)
        airflow.start()
        variables = {**os.environ, **servers.variables}
        with progress.step("data", "trips of an invented city, and a repository") as step:
            project = make_project(folder / "project", variables)
            step.found(f"{FIRST_ROWS:,} taxi trips, and a repository with the four files of dev")
        variables |= {
            "MLFLOW_TRACKING_URI": mlflow.address,
            "MLOPS_AIRFLOW_URL": airflow.address,
            "MLOPS_DAGS_FOLDER": str(airflow.dags),
        }
        scene = Scene(
            folder=folder,
            short=options.short,
            recording=recording,
            progress=progress,
            servers=servers,
            variables=variables,
            project=project,
            mlflow=mlflow,
            airflow=airflow,
            runs=AirflowRuns(airflow.address),
        )
        stack.callback(_close, scene)
        yield scene


@contextmanager
def warnings_in(path: Path) -> Iterator[None]:
    """What the package warns of goes to a file: a request that is tried again is no news of the story."""
    log = logging.getLogger("mlops_config")
    handler = logging.FileHandler(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def tell(scene: Scene) -> None:
    """Every step, one after the other.

    Raises:
        StoryError: one did not go as it should; the recording says which.
        CommandError: nor did a command of one.
    """
    for step in WHOLE:
        if not (scene.short and step in LEFT_OUT):
            step(scene)
            scene.recording.write(scene.folder)


def _close(scene: Scene) -> None:
    """The clients end before what they ask does."""
    if scene.alerts is not None:
        scene.alerts.stop()
    if scene.traffic is not None:
        scene.traffic.stop()


def _require_all_ended(servers: Servers) -> None:
    left = servers.processes()
    if left:
        raise StoryError(f"these processes did not end: {left}")


def _point_at(folder: Path) -> None:
    """``.cache/loop/latest`` is this run, and of earlier ones only the newest stay."""
    link = folder.parent / LATEST
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    earlier = sorted(each for each in folder.parent.iterdir() if each.is_dir() and not each.is_symlink())
    for old in earlier[: -KEPT_RUNS - 1]:
        shutil.rmtree(old, ignore_errors=True)

"""Deployments on a real Airflow whose jobs are a few lines of shell, to hold, end and count them."""

import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tools.loop.servers_airflow import Airflow

from mlops_config.kinds import Kind
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_answers import DagRun, TaskInstance
from mlops_config.orchestration.deployment import Deployment, connection_id
from mlops_config.orchestration.describing import deployment_of
from mlops_config.orchestration.folder import open_folder
from mlops_config.orchestration.parsing import tags_of
from tests.orchestration.releases import Edit, adding, release
from tests.services.waiting import eventually

FAR = datetime.now(UTC) + timedelta(hours=12)
MODEL = "trip-fare"
INTERPRETER = """#!/bin/sh
case "$*" in
  *"-m mlops_config verify"*)
    echo $$ >> {folder}/verifying
    while [ -e {folder}/hold-verify ]; do sleep 0.1; done
    exec {python} "$@" ;;
esac
name=$(echo "$*" | sed -e 's/^-m mlops_config //' -e 's/_main.py.*//' -e 's/ .*//')
echo "$name $MLOPS_CONFIG_DIGEST $MLOPS_DAG_RUN $$" >> {folder}/calls
while [ -e {folder}/hold-$name ]; do sleep 0.1; done
echo "$name $MLOPS_CONFIG_DIGEST $MLOPS_DAG_RUN $$" >> {folder}/ends
cat {folder}/says-$name 2>/dev/null || echo '{{"promoted": false, "windows": []}}'
"""
SOON = adding("orchestration: {retries: 3, retry_delay: PT0S}")
"""What failed is tried again at once."""


class Call(NamedTuple):
    """A job that began, or ended well."""

    job: str
    digest: str
    dag_run: str
    pid: int


@dataclass(frozen=True)
class Place:
    """An environment of one project on an Airflow, whose Connection leads to jobs in ``folder``."""

    airflow: Airflow
    api: AirflowApi
    folder: Path
    project: str
    environment: str

    def connect(self, **extra: Any) -> None:
        """Makes the Connection; without ``python`` in it the jobs are those of shell."""
        self.folder.mkdir(parents=True, exist_ok=True)
        python = self.folder / "python"
        python.write_text(INTERPRETER.format(python=sys.executable, folder=self.folder))
        python.chmod(0o755)
        given = {"environment": self.environment, "python": str(python), "entrypoints": str(self.folder)}
        self.api.put_connection(connection_id(self.environment), given | extra)

    def write(self, name: str, edits: Mapping[Kind, Edit] | None = None) -> Deployment:
        """Puts a release into the DAG folder; its jobs are tried again at once."""
        made = release(name, edits_of(edits or {}), environment=self.environment, project=self.project)
        deployment = deployment_of(made.record, made.released.configs)
        folder = open_folder(str(self.airflow.dags))
        standing = folder.standing(self.project, MODEL, self.environment)
        folder.write(deployment, made.bundle, standing)
        return deployment

    def deploy(self, name: str, edits: Mapping[Kind, Edit] | None = None) -> Deployment:
        """The same, and waits until Airflow has its DAGs; they may run."""
        deployment = self.write(name, edits)
        for job in ("training", "monitoring", "retraining"):
            self.parsed(deployment, job)
            self.api.unpause(deployment.dag_id(job))
        return deployment

    def parsed(self, deployment: Deployment, job: str) -> None:
        """Returns once the job's DAG is of this release."""
        wanted, dag_id = tags_of(deployment), deployment.dag_id(job)
        eventually(
            lambda: (dag := self.api.dag(dag_id)) and not dag.is_stale and wanted <= dag.tags,
            lambda: [self.api.dag(dag_id), self.api.parse_errors()],
        )

    def dag_id(self, job: str) -> str:
        return f"{self.project}.{MODEL}.{self.environment}.{job}"

    def ended(self, job: str, run_id: str) -> DagRun:
        """The run, once it came to an end."""

        def finished() -> DagRun | None:
            run = self.api.run(self.dag_id(job), run_id)
            return run if run and run.is_finished else None

        return eventually(finished, lambda: self.api.task_instances(self.dag_id(job), run_id))

    def succeeded(self, job: str, run_id: str) -> None:
        """Returns once the run ended well."""
        run = self.ended(job, run_id)
        assert run.state == "success", self.story(job, run_id)

    def task(self, job: str, run_id: str, name: str) -> TaskInstance:
        """One task of a run."""
        tasks = self.api.task_instances(self.dag_id(job), run_id)
        return next(task for task in tasks if task.task_id == name)

    def story(self, job: str, run_id: str) -> str:
        """How the tasks of a run ended, with the end of each log."""
        tasks = self.api.task_instances(self.dag_id(job), run_id)
        return "\n".join("\n  ".join([f"{task.task_id} {task.state}", *self.api.log(task)]) for task in tasks)

    def hold(self, name: str) -> None:
        """Jobs of that name wait from now on."""
        (self.folder / f"hold-{name}").touch()

    def release(self, name: str) -> None:
        """Held jobs go on."""
        (self.folder / f"hold-{name}").unlink()

    def says(self, name: str, outcome: Mapping[str, Any]) -> None:
        """What jobs of that name print from now on."""
        (self.folder / f"says-{name}").write_text(json.dumps(outcome) + "\n")

    def verifying(self, times: int = 1) -> int:
        """The process of a run's first task, once it began for the so-manieth time."""
        file = self.folder / "verifying"

        def pids() -> list[int] | None:
            found = [int(line) for line in file.read_text().split()] if file.exists() else []
            return found if len(found) >= times else None

        return eventually(pids)[times - 1]

    @property
    def calls(self) -> list[Call]:
        """Jobs that began, in order."""
        return _calls(self.folder / "calls")

    @property
    def ends(self) -> list[Call]:
        """Jobs that ended well, in order."""
        return _calls(self.folder / "ends")

    def begun(self, name: str, dag_run: str, *, times: int = 1) -> Call:
        """The newest job of that name in a run, once ``times`` of them began."""

        def found() -> Call | None:
            those = [call for call in self.calls if (call.job, call.dag_run) == (name, dag_run)]
            return those[times - 1] if len(those) >= times else None

        job, _, run_id = dag_run.partition("/")
        return eventually(found, lambda: self.story(job.rpartition(".")[2], run_id))


def jobs_of(dag_run: str, word: str = "") -> list[int]:
    """Processes of a DAG run's jobs whose command has ``word`` in it."""
    found = []
    wanted = f"MLOPS_DAG_RUN={dag_run}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (
                wanted in path.joinpath("environ").read_bytes().split(b"\0")
                and word.encode() in path.joinpath("cmdline").read_bytes()
            ):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def parent_of(pid: int) -> int:
    """Its parent's id."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill(pid: int) -> None:
    """Ends a process at once."""
    os.kill(pid, signal.SIGKILL)


def edits_of(more: Mapping[Kind, Edit]) -> dict[Kind, Edit]:
    """The edits, with tries that follow each other at once and no schedule that is due during a test.

    Airflow runs what was due up to a tenth of its period ago as soon as a DAG is unpaused.
    """

    def edited(kind: Kind, text: str) -> str:
        text = not_due(text)
        return SOON(more[kind](text) if kind in more else text)

    return {kind: partial(edited, kind) for kind in Kind}


def not_due(text: str) -> str:
    """A file whose schedule is half a day away from this process' beginning."""
    return re.sub(r'cron: "[^"]*"', f'cron: "{FAR.minute} {FAR.hour} * * *"', text)


def _calls(path: Path) -> list[Call]:
    if not path.exists():
        return []
    lines = (line.split() for line in path.read_text().splitlines())
    return [Call(job, digest, dag_run, int(pid)) for job, digest, dag_run, pid in lines]

"""Airflow's DAG runs as the story needs them: started, looked at, and written down in the end."""

from collections.abc import Iterable, Mapping
from typing import Any

from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_answers import DagRun, TaskInstance
from mlops_config.orchestration.deployment import connection_id
from tools.loop.project import ENVIRONMENT, MODEL_NAME, PROJECT
from tools.loop.recording import Recording

_SHOWN_LINES = 12


class AirflowRuns:
    """The loop's four DAGs in an Airflow that lets everybody in."""

    def __init__(self, address: str) -> None:
        self._api = AirflowApi.at(address, {})

    def connect(self, variables: Mapping[str, str], *, python: str, entrypoints: str, root: str) -> None:
        """Makes the Connection in which the environment's jobs find their surroundings."""
        surroundings = {"python": python, "entrypoints": entrypoints, "root": root}
        extra = {"environment": ENVIRONMENT, "variables": dict(variables), **surroundings}
        self._api.put_connection(connection_id(ENVIRONMENT), extra)

    def trigger(self, job: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Starts a DAG run."""
        self._api.trigger(dag_id(job), run_id, conf)

    def run(self, job: str, run_id: str) -> DagRun | None:
        """A DAG run."""
        return self._api.run(dag_id(job), run_id)

    def runs(self, job: str) -> list[DagRun]:
        """A DAG's runs, the newest first."""
        return self._api.runs(dag_id(job))

    def outcome(self, job: str, run_id: str, task_id: str) -> Any:
        """The outcome of a task's job."""
        (task,) = (each for each in self._tasks(job, run_id) if each.task_id == task_id)
        return self._api.xcom(task)

    def now_doing(self, job: str, run_id: str) -> str:
        """Which tasks are at work, for a line of progress."""
        return ", ".join(each.task_id for each in self._tasks(job, run_id) if each.state == "running")

    def failure(self, job: str, run_id: str) -> str:
        """The end of the log of each task that did not end well."""
        said = []
        for task in self._tasks(job, run_id):
            if task.state not in ("success", "skipped"):
                said.append(f"task {task.task_id}: {task.state}")
                said += self._api.log(task, _SHOWN_LINES) if task.try_number else []
        return "\n".join(said)

    def record(self, recording: Recording, jobs: Iterable[str]) -> None:
        """Writes every run of these jobs down, with its tasks, the oldest first."""
        found = [self._document(recording, job, run) for job in jobs for run in self.runs(job)]
        recording.put("dag_runs", sorted(found, key=lambda run: run["start"] or 0.0))

    def _document(self, recording: Recording, job: str, run: DagRun) -> dict[str, Any]:
        return {
            "dag_id": run.dag_id,
            "job": job,
            "run_id": run.run_id,
            "run_type": run.run_type,
            "state": run.state,
            "start": recording.at_text(run.started),
            "end": recording.at_text(run.ended),
            "url": self._api.page(run.dag_id, run.run_id),
            "tasks": [
                {
                    "task_id": task.task_id,
                    "state": task.state,
                    "start": recording.at_text(task.started),
                    "end": recording.at_text(task.ended),
                    "tries": task.try_number,
                }
                for task in self._tasks(job, run.run_id)
            ],
        }

    def _tasks(self, job: str, run_id: str) -> list[TaskInstance]:
        return self._api.task_instances(dag_id(job), run_id)


def dag_id(job: str) -> str:
    """The DAG of one of the loop's jobs."""
    return f"{PROJECT}.{MODEL_NAME}.{ENVIRONMENT}.{job}"

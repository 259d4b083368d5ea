"""Whole DAG runs on this machine; the jobs' Python writes down what it was called with, and answers."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mlops_config.airflow.deployments import bundle_of
from tests.airflow.inside.conftest import HOME
from tests.airflow.inside.deployed import DIGEST, IMAGE, dag_folder, deployment

PYTHON = """#!/bin/sh
# Writes down its words and variables, and answers as the file named like its first words says.
printf '%s\\n' "$*" >> "$CALLS"
env | grep ^MLOPS_ | sort > "$CALLS.env"
case "$*" in
  *--plan*) name=plan ;;
  *--part=*) name=part ;;
  "-m mlops_config "*) name=$3 ;;
  *) name=${1%_main.py} ;;
esac
answer=$(dirname "$0")/answers/$name
cat "$answer"
if [ -f "$answer.code" ]; then echo "error: no" >&2; exit "$(cat "$answer.code")"; fi
"""
FOLDER = HOME / "dags"
DEPLOYED = deployment("dev", max_parts=2, bake_seconds=60.0)
PIN = {
    "release": "1.2.0",
    "config_digest": DIGEST,
    "config_dir": str(bundle_of(DEPLOYED, FOLDER / "mlops")),
    "image": IMAGE,
    "commit": "f" * 40,
}


@pytest.fixture(scope="module")
def folder(database: Path) -> Path:  # noqa: ARG001 runs need it
    """Airflow's own DAG folder with one deployment."""
    return dag_folder(FOLDER, DEPLOYED)


class Jobs:
    """The jobs' Python and what it was called with."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "python"
        self.calls_file = folder / "calls"
        self._answers = folder / "answers"
        self._answers.mkdir()
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    def answer(self, name: str, outcome: dict[str, Any], code: int | None = None) -> None:
        (self._answers / name).write_text(json.dumps(outcome) + "\n")
        if code is not None:
            (self._answers / f"{name}.code").write_text(str(code))

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []

    @property
    def variables(self) -> dict[str, str]:
        """Of the last call."""
        lines = Path(f"{self.calls_file}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Surroundings of dev whose interpreter is ours."""
    made = Jobs(tmp_path)
    made.answer("verify", {})
    extra = {
        "environment": "dev",
        "python": str(made.python),
        "entrypoints": str(tmp_path),
        "variables": {"CALLS": str(made.calls_file), "MLOPS_STORE": "file:///store"},
    }
    connection = {"conn_type": "generic", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MLOPS_DEV", json.dumps(connection))
    return made


def run(folder: Path, name: str, **conf: Any) -> tuple[str, dict[str, str], Any]:
    """State of a run of dev's DAG, states of its tasks, and the run."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag
    bag = DagBag(dag_folder=str(folder / f"{name}_dag.py"), safe_mode=False)
    assert not bag.import_errors
    done = bag.dags[f"fares.trip-fare.dev.{name}"].test(run_conf=conf or None)
    states = {_name(instance): str(instance.state) for instance in done.get_task_instances()}
    return str(done.state), states, done


def _name(instance: Any) -> str:
    return f"{instance.task_id}[{instance.map_index}]" if instance.map_index >= 0 else str(instance.task_id)


def test_monitoring_runs_with_the_pin(folder: Path, jobs: Jobs) -> None:
    jobs.answer("monitoring", {"windows": [], "skipped": [], "note": None})
    state, tasks, done = run(folder, "monitoring", window="2026-11-01T00:00:00Z/2026-11-02T00:00:00Z")
    assert (state, tasks) == ("success", {"verify": "success", "monitor": "success"})
    config = f"{PIN['config_dir']}/dev_monitoring_config.yaml"
    assert jobs.calls == [
        f"-m mlops_config verify --bundle {PIN['config_dir']} --digest {DIGEST}",
        f"monitoring_main.py --config {config} --format jsonl "
        "--window=2026-11-01T00:00:00Z/2026-11-02T00:00:00Z",
    ]
    assert jobs.variables["MLOPS_CONFIG_DIGEST"] == DIGEST
    assert jobs.variables["MLOPS_STORE"] == "file:///store"
    assert jobs.variables["MLOPS_DAG_RUN"] == f"fares.trip-fare.dev.monitoring/{done.run_id}"


def test_training_promotes_what_it_made(folder: Path, jobs: Jobs) -> None:
    jobs.answer("training", {"model": "trip-fare-dev", "version": 1})
    jobs.answer("promote", {"promoted": True, "version": 1})
    state, tasks, _done = run(folder, "training")
    assert (state, set(tasks.values())) == ("success", {"success"})
    assert [call.split(" --config")[0] for call in jobs.calls[1:]] == [
        "training_main.py",
        "-m mlops_config promote",
    ]
    assert jobs.calls[2].endswith(" --if-allowed")


def test_a_batch_is_scored_in_its_parts(folder: Path, jobs: Jobs) -> None:
    jobs.answer("plan", {"job_id": "a" * 16, "parts": ["part-0", "part-1", "part 2; echo"]})
    jobs.answer("part", {"rows": 1})
    jobs.answer("inference", {"rows": 3, "predicted": 3})
    state, tasks, _done = run(folder, "inference")
    assert state == "success"
    assert set(tasks) == {"verify", "plan", "score[0]", "score[1]", "score[2]", "complete"}
    config = f"inference_main.py --config {PIN['config_dir']}/dev_inference_config.yaml --format jsonl"
    assert jobs.calls[1] == f"{config} --plan"
    assert sorted(jobs.calls[2:5]) == [
        f"{config} --part=part 2; echo",
        f"{config} --part=part-0",
        f"{config} --part=part-1",
    ]
    assert jobs.calls[5] == config


def test_a_batch_without_rows_is_complete(folder: Path, jobs: Jobs) -> None:
    jobs.answer("plan", {"job_id": "a" * 16, "parts": []})
    jobs.answer("inference", {"rows": 0, "predicted": 0})
    state, tasks, _done = run(folder, "inference")
    assert (state, tasks["score"], tasks["complete"]) == ("success", "skipped", "success")


def test_a_retraining_that_changes_nothing_leaves_nothing_to_watch(folder: Path, jobs: Jobs) -> None:
    jobs.answer("retraining", {"retrain": False, "challenger": None, "promotion": None})
    state, tasks, _done = run(folder, "retraining", because="the fares rose; $(date)")
    assert state == "success"
    assert tasks == {"verify": "success", "retrain": "success", "watch": "skipped"}
    assert jobs.calls[1].endswith(" --manual=the fares rose; $(date)")


def test_a_new_deployment_is_watched_until_it_is_done(folder: Path, jobs: Jobs) -> None:
    jobs.answer("retraining", {"retrain": True, "challenger": 2, "promotion": {"version": 2}})
    jobs.answer("rollback", {"rolled_back": True, "done": True})
    state, tasks, _done = run(folder, "retraining")
    assert (state, tasks["watch"]) == ("success", "success")
    assert jobs.calls[2].startswith("-m mlops_config rollback --config ")
    assert jobs.calls[2].endswith(" --if-needed")


def test_nothing_runs_on_a_configuration_that_is_not_proven(folder: Path, jobs: Jobs) -> None:
    jobs.answer("verify", {}, code=4)
    state, tasks, _done = run(folder, "monitoring")
    assert state == "failed"
    assert (tasks["verify"], tasks["monitor"]) == ("failed", "upstream_failed")
    assert len(jobs.calls) == 1


def test_surroundings_of_another_environment_run_nothing(
    folder: Path, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_MLOPS_DEV"])
    connection["extra"]["environment"] = "prod"
    monkeypatch.setenv("AIRFLOW_CONN_MLOPS_DEV", json.dumps(connection))
    state, tasks, _done = run(folder, "monitoring")
    assert (state, tasks["verify"]) == ("failed", "failed")
    assert jobs.calls == []

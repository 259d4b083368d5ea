"""`mlops-config deploy` against a real Airflow: what runs, what the exit code says, and asking again.

The jobs' interpreter is a few lines of shell that answer as each job does; what is
proven is proven for real.
"""

import io
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from tools.loop.servers_airflow import Airflow

from mlops_config.cli import main
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Draft, Event, LedgerEntry, ModelReference
from mlops_config.ledger.ledger import Ledger
from mlops_config.orchestration.api import AirflowApi
from mlops_config.release.record import ReleaseRecord
from mlops_config.release.verification import read_record
from mlops_config.store import open_store
from tests.e2e.airflow.jobs import not_due
from tests.orchestration.releases import Edit, release, replacing
from tests.services.waiting import eventually

PROJECT, MODEL, ENVIRONMENT = "deploy-story", "trip-fare", "deploys"
DAG = f"{PROJECT}.{MODEL}.{ENVIRONMENT}"
INTERPRETER = """#!/bin/sh
case "$*" in
  *"-m mlops_config verify"*) exec {python} "$@" ;;
esac
echo "$*" >> {folder}/calls
name=$(echo "$*" | sed -e 's/^-m mlops_config //' -e 's/_main.py.*//' -e 's/ .*//')
if [ -e {folder}/no-$name ]; then echo "error: the table has no rows" >&2; exit 1; fi
echo '{{"model": "trip-fare-deploys", "version": 1, "promoted": true, "windows": []}}'
"""


def _edited(edit: Edit | None, text: str) -> str:
    """The file, with no schedule that Airflow would run as soon as the DAG is unpaused."""
    return not_due(edit(text) if edit else text)


@dataclass(frozen=True)
class Said:
    """How the command ended, and what it printed."""

    code: int
    out: str
    err: str


class Story:
    """A store with releases, jobs that answer, and the command."""

    def __init__(self, folder: Path, airflow: Airflow) -> None:
        self.folder = folder
        self.airflow = airflow
        self.store = open_store((folder / "store").as_uri())
        python = folder / "python"
        python.write_text(INTERPRETER.format(python=sys.executable, folder=folder))
        python.chmod(0o755)
        extra = {"environment": ENVIRONMENT, "python": str(python), "entrypoints": str(folder)}
        with AirflowApi.at(airflow.address, {}) as api:
            api.put_connection(f"mlops_{ENVIRONMENT}", extra)
        (folder / "mlops-config.yaml").write_text(
            f"environments: [{ENVIRONMENT}]\nrefs: []\n"
            f"airflow: {{url: '{airflow.address}', dags_folder: '{airflow.dags}'}}\n"
        )

    def publish(self, name: str, edits: Mapping[Kind, Edit] | None = None) -> ReleaseRecord:
        """A release in force."""
        given = edits or {}
        later = {kind: partial(_edited, given.get(kind)) for kind in Kind}
        made = release(name, later, environment=ENVIRONMENT, project=PROJECT)
        made.publish(self.store)
        return made.record

    def deploy(self, *words: str, code: int = 0) -> Said:
        """Runs the command; it must end with ``code``."""
        out, err = io.StringIO(), io.StringIO()
        where = ["--root", str(self.folder), "--store", self.store.uri]
        named = ["--project", PROJECT, "--model", MODEL]
        with redirect_stdout(out), redirect_stderr(err):
            ended = main(["deploy", "--environment", ENVIRONMENT, *where, *named, *words])
        assert ended == code, f"{words} ended with {ended}\n{out.getvalue()}\n{err.getvalue()}"
        return Said(ended, out.getvalue(), err.getvalue())

    @property
    def calls(self) -> list[str]:
        """The jobs that ran, without their options."""
        path = self.folder / "calls"
        return (
            [line.partition(" --config")[0] for line in path.read_text().splitlines()]
            if path.exists()
            else []
        )

    @property
    def activations(self) -> list[LedgerEntry]:
        return [entry for entry in self.ledger.entries() if entry.event is Event.ACTIVATED]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.store, PROJECT, MODEL, ENVIRONMENT)

    @property
    def record(self) -> ReleaseRecord:
        return read_record(self.folder / ".mlops-config" / ENVIRONMENT / "release.json")

    @property
    def notes(self) -> str:
        return (self.folder / ".mlops-config" / ENVIRONMENT / "notes.md").read_text()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, airflow_server: Airflow) -> Story:
    return Story(tmp_path_factory.mktemp("deploy"), airflow_server)


@pytest.fixture(scope="module")
def first(story: Story) -> Said:
    """The first release, deployed."""
    story.publish("1.0.0")
    return story.deploy("--with-dags")


@pytest.fixture(scope="module")
def second(story: Story, first: Said) -> Said:  # noqa: ARG001 the one it follows
    """A release that learns something else, from a table without rows."""
    (story.folder / "no-training").touch()
    story.publish("1.1.0", {Kind.TRAINING: replacing("random_seed: ", "random_seed: 1")})
    try:
        return story.deploy(code=1)
    finally:
        (story.folder / "no-training").unlink()


def test_the_first_deployment_trains_and_says_task_by_task_how_that_went(story: Story, first: Said) -> None:
    assert story.calls[:2] == ["training_main.py", "-m mlops_config promote"]
    for task in ("verify", "train", "promote"):
        assert f"  training.{task} success" in first.err
    assert f"{DAG}.training success {story.airflow.address}/dags/{DAG}.training/runs/" in first.out


@pytest.mark.usefixtures("first")
def test_every_dag_is_of_the_release_and_may_run(story: Story) -> None:
    with AirflowApi.at(story.airflow.address, {}) as api:
        for job in ("training", "inference", "monitoring", "retraining"):
            dag = api.dag(f"{DAG}.{job}")
            assert dag is not None
            assert not dag.is_paused
            assert any(tag.startswith("release:") for tag in dag.tags)


@pytest.mark.usefixtures("first")
def test_the_ledger_the_record_and_the_notes_say_what_runs(story: Story) -> None:
    entry = story.activations[0]
    assert (entry.release, entry.outcome) == ("1.0.0", "succeeded")
    assert entry.reasons[0].text == (
        f"{DAG}.training/deploy__{ENVIRONMENT}__1.0.0 success: this is the first deployment"
    )
    assert (
        entry.uri == (story.airflow.deployments / PROJECT / MODEL / ENVIRONMENT / "deployment.json").as_uri()
    )


@pytest.mark.usefixtures("first")
def test_asked_again_it_attaches_and_nothing_is_done_twice(story: Story) -> None:
    calls, entries = len(story.calls), len(story.activations)
    again = story.deploy("--release", "1.0.0")
    assert "1.0.0 is there, and this goes on with it" in again.err
    assert (len(story.calls), len(story.activations)) == (calls, entries)


def test_a_failing_job_is_exit_1_with_its_sentence_and_where_to_look(story: Story, second: Said) -> None:
    assert "training.train failed" in second.err
    assert "the table has no rows" in second.err
    assert (
        f"{story.airflow.address}/dags/{DAG}.training/runs/deploy__{ENVIRONMENT}__1.1.0/tasks/train"
        in second.err
    )
    assert story.activations[1].outcome == "failed"
    assert story.calls.count("-m mlops_config promote") == 1


@pytest.mark.usefixtures("second")
def test_what_failed_before_is_still_to_be_learned_by_the_next_release(story: Story) -> None:
    """It changes monitoring alone, but the training that the one before it wanted never came to an end."""
    story.publish(
        "1.2.0",
        {
            Kind.TRAINING: replacing("random_seed: ", "random_seed: 1"),
            Kind.MONITORING: replacing(
                "method: psi, threshold: 0.25, bins", "method: psi, threshold: 0.2, bins"
            ),
        },
    )
    planned = json.loads(story.deploy("--dry-run", "--format", "json").out)
    assert [run["job"] for run in planned["runs"]] == ["training"]


@pytest.mark.usefixtures("second")
def test_asked_again_after_it_was_mended_what_failed_runs_again_in_the_same_run(story: Story) -> None:
    calls = len(story.calls)
    again = story.deploy("--release", "1.1.0")
    assert f"deploy__{ENVIRONMENT}__1.1.0 failed: it goes on with train, promote" in again.err
    assert story.calls[calls:] == ["training_main.py", "-m mlops_config promote"]
    assert [(entry.release, entry.outcome) for entry in story.activations[1:]] == [
        ("1.1.0", "failed"),
        ("1.1.0", "succeeded"),
    ]


@pytest.mark.usefixtures("second")
def test_without_waiting_the_run_is_left_to_airflow(story: Story) -> None:
    record = story.publish("1.3.0", {Kind.RETRAIN: replacing("cooldown: P1D", "cooldown: P2D")})
    entries = len(story.activations)
    said = json.loads(story.deploy("--run", "monitoring", "--no-wait", "--format", "json").out)
    assert said["config_digest"] == record.config_digest
    (run,) = said["activation"]["dag_runs"]
    assert run["dag_id"] == f"{DAG}.monitoring"
    assert len(story.activations) == entries
    story.deploy("--run", "monitoring")
    assert story.activations[-1].reasons[0].text.endswith("success: it was asked for")
    assert f"[`{DAG}.monitoring`](" in story.notes
    assert story.record.as_released() == record
    assert story.record.activation is not None
    assert story.record.activation.dag_runs[0].state == "success"
    more = json.loads(story.deploy("--run", "monitoring", "--no-wait", "--format", "json").out)
    assert more["activation"]["dag_runs"][0]["run_id"] == f"deploy__{ENVIRONMENT}__1.3.0__again2"


@pytest.mark.usefixtures("second")
def test_another_endpoint_deploys_the_champion_again_and_trains_nothing(story: Story) -> None:
    champion = ModelReference(name="trip-fare-deploys", version=1)
    story.ledger.append(Draft(event=Event.PROMOTED, time=datetime.now(UTC), model=champion))
    story.publish("1.5.0", {Kind.INFERENCE: replacing("retention: P7D", "retention: P8D")})
    said = story.deploy()
    assert "training.train skipped" in said.err
    assert story.calls[-1] == "-m mlops_config promote"
    assert (story.folder / "calls").read_text().rstrip().endswith(" --redeploy")
    assert f"model     models:/{champion.name}/1\n" in said.out


@pytest.mark.usefixtures("second")
def test_what_somebody_paused_stays_so_until_a_deployment_needs_it_or_is_told_to(story: Story) -> None:
    with AirflowApi.at(story.airflow.address, {}) as api:
        names = (f"{DAG}.training", f"{DAG}.monitoring")
        for name in names:
            api._sent("PATCH", f"/dags/{name}", f"pausing {name}", body={"is_paused": True})
        said = story.deploy("--run", "monitoring")
        assert "paused    training: somebody paused its DAG" in said.out
        assert [dag.is_paused for dag in map(api.dag, names) if dag] == [True, False]
        assert "paused" not in story.deploy("--no-run", "--unpause").out
        assert [dag.is_paused for dag in map(api.dag, names) if dag] == [False, False]


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize(("release_name", "is_known"), [("1.4.0", False), ("1.4.1", True)])
def test_a_dag_that_airflow_cannot_make_is_exit_1_with_its_reason(
    story: Story, release_name: str, is_known: bool
) -> None:
    story.publish(release_name, {Kind.MONITORING: replacing("window: P1D", "window: P1D\nenabled: true")})
    broken = story.airflow.dags / "training_dag.py"
    whole = broken.read_text()
    broken.write_text(f"raise RuntimeError('no training today')\n{whole}")
    try:
        if is_known:
            with AirflowApi.at(story.airflow.address, {}) as api:
                eventually(lambda: any(error.file == broken.name for error in api.parse_errors()))
        said = story.deploy(code=1)
    finally:
        broken.write_text(whole)
    assert "no training today" in said.err
    assert "goes on from there" in said.err
    assert f"4 DAGs are of release {release_name}" in story.deploy("--no-run").err

"""A deployment from plan to ledger: what it is refused for, and what an interruption leaves behind."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.releases import VALIDATORS, Release, adding, pushed_image, release, replacing
from tests.orchestration.scripted import ALL, RELEASE, RUN_ID, TRAINING, Clock, Scripted, dag, run, task

from mlops_config.cli import main
from mlops_config.console import TerminalConsole
from mlops_config.errors import ServiceError, UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Draft, Event, ModelReference
from mlops_config.ledger.history import ledger_of
from mlops_config.orchestration.api_answers import DagRun
from mlops_config.orchestration.deploying import Deployed, Wish, deploy, plan_deployment
from mlops_config.orchestration.feedback import write_activated
from mlops_config.orchestration.folder import DagFolder, DeploymentMovedError, open_folder
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName

NAME = LedgerName("city-taxi", "trip-fare", "dev")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
QUIET = TerminalConsole(quiet=True)


class Place:
    """A store with the release 1.1.0 in force, and a DAG folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.store = open_store((folder / "store").as_uri())
        (folder / "dags").mkdir()
        self.folder: DagFolder = open_folder(str(folder / "dags"))
        RELEASE.publish(self.store)

    def wish(self, **more: Any) -> Wish:
        given = {"output": self.root / "output", "patience": Clock().patience(60)}
        return Wish(self.store, NAME, VALIDATORS, self.root, **(given | more))

    def deploy(self, api: Scripted, **more: Any) -> Deployed:
        wish = self.wish(**more)
        return deploy(plan_deployment(wish), self.folder, lambda: api, wish, QUIET)

    def was_deployed(self, each: Release) -> None:
        """The ledger says that its deployment ended well."""
        each.publish(self.store, current=False)
        write_activated(ledger_of(self.store, NAME), each.record, (), "file:///dags", each.record.created_at)

    @property
    def events(self) -> list[tuple[Event, str]]:
        return [(entry.event, entry.outcome) for entry in ledger_of(self.store, NAME).entries()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class Unreachable(Scripted):
    """Goes away in the moment the run is asked for."""

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> bool:
        super().trigger(dag_id, run_id, conf)
        raise ServiceError("no answer from airflow.example", hint="is the service up?")

    def version(self) -> str:
        return "3.3.2"


class Answering(Scripted):
    """A whole Airflow."""

    def version(self) -> str:
        return "3.3.2"


def well(**more: Any) -> Answering:
    return Answering(dags=[ALL], runs=[run("success")], tasks=[[task("train", "success")]], **more)


class Keeping(Answering):
    """Keeps the runs that it is asked for, each of which ends well at once."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"dags": [ALL], "tasks": [[task("promote", "success")]], **more})
        self.kept: dict[tuple[str, str], DagRun] = {}

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> bool:
        if (dag_id, run_id) in self.kept:
            return False
        self.kept[dag_id, run_id] = run("success", run_id)._replace(dag_id=dag_id, conf=conf or {})
        return super().trigger(dag_id, run_id, conf)

    def run(self, dag_id: str, run_id: str) -> DagRun | None:
        return self.kept.get((dag_id, run_id))

    @property
    def asked(self) -> list[str]:
        """Which runs were started, without what all of their ids have."""
        return [f"{dag.rpartition('.')[2]}{name.removeprefix(RUN_ID)}" for dag, name in self.kept]


def test_what_is_asked_for_by_name_runs_each_time(place: Place) -> None:
    api = Keeping()
    place.deploy(api)
    for _ in range(2):
        assert place.deploy(api, asked="training").failed == ()
    assert api.asked == ["training", "training__again2", "training__again3"]
    assert place.events == [(Event.ACTIVATED, "succeeded")] * 3
    place.deploy(api)
    assert len(api.kept) == 3, "what the release itself needs was done"


def test_a_run_asked_for_by_name_that_nobody_waited_for_is_gone_on_with(place: Place) -> None:
    api = Keeping()
    place.deploy(api, asked="monitoring", wait=False)
    place.deploy(api, asked="monitoring")
    assert api.asked == ["monitoring"]
    for _ in range(2):
        place.deploy(api, asked="monitoring", wait=False)
    assert api.asked == ["monitoring", "monitoring__again2", "monitoring__again3"]


def test_a_dag_that_somebody_paused_is_not_set_going_for_a_run_that_is_over(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    paused = {**ALL, "training": dag("training", is_paused=True)}
    api = Keeping(dags=[paused], going=[run("success")])
    assert place.deploy(api).paused == ()
    assert api.unpaused == [TRAINING]
    wish = place.wish()
    done = deploy(plan_deployment(wish), place.folder, lambda: api, wish, TerminalConsole())
    assert (done.paused, api.unpaused) == (("training",), [TRAINING])
    said = "somebody paused the DAG of training in Airflow, and it stays so: unpause it there, or deploy with"
    assert said in capsys.readouterr().err


def test_a_model_that_waits_is_told_of_until_somebody_lets_it_serve(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    why = "it waits for approval: mlops-config promote --environment dev"
    api = Keeping(outcome={"waits": {"model": "trip-fare-dev", "version": 3, "why": why}})

    def held() -> tuple[str, ...]:
        wish = place.wish()
        done = deploy(plan_deployment(wish), place.folder, lambda: api, wish, TerminalConsole())
        assert tuple(done.document()["held"]) == done.held
        assert all(sentence in capsys.readouterr().err for sentence in done.held)
        return done.held

    ledger = ledger_of(place.store, NAME)
    assert held() == (f"trip-fare-dev version 3 does not serve: {why}",)
    ledger.append(
        Draft(event=Event.PROMOTED, time=NOW, model=ModelReference(name="trip-fare-dev", version=2))
    )
    assert len(held()) == 1
    ledger.append(
        Draft(event=Event.PROMOTED, time=NOW, model=ModelReference(name="trip-fare-dev", version=3))
    )
    assert held() == ()


def test_dag_files_that_are_missing_are_told_of_before_the_wait_for_their_dags(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(api: Answering, **more: Any) -> str:
        wish = place.wish(run=False, **more)
        deploy(plan_deployment(wish), place.folder, lambda: api, wish, TerminalConsole())
        return next((line for line in capsys.readouterr().err.splitlines() if "_dag.py" in line), "")

    (place.root / "dags" / "training_dag.py").touch()
    missing = said(Answering(dags=[{}, {}, ALL]))
    assert missing.startswith(f"{place.folder.uri} has no inference_dag.py, monitoring_dag.py, retraining")
    assert missing.endswith("add --with-dags")
    assert said(Answering(dags=[ALL])) == "", "other files make them"
    assert "has no" not in said(Answering(dags=[{}, {}, ALL]), with_dags=True)


def test_airflow_that_goes_away_mid_way_says_to_ask_again_and_that_goes_on(place: Place) -> None:
    with pytest.raises(ServiceError, match="no answer") as caught:
        place.deploy(Unreachable(dags=[ALL]))
    assert caught.value.hint == "is the service up? Then run the same command again: it goes on from there"
    assert place.events == []
    api = well(is_new=False)
    done = place.deploy(api)
    assert [run_id for _, run_id, _ in api.triggered] == [RUN_ID]
    assert done.failed == ()
    assert place.events == [(Event.ACTIVATED, "succeeded")]


def test_a_run_that_failed_is_in_the_ledger_and_the_notes_before_anybody_is_told(place: Place) -> None:
    done = place.deploy(Answering(dags=[ALL], runs=[run("failed")], tasks=[[task("train", "failed")]]))
    assert "error: the table has no rows" in done.failed[1]
    assert place.events == [(Event.ACTIVATED, "failed")]
    assert "`failed`" in (place.root / "output" / "dev" / "notes.md").read_text()


def test_of_two_deployments_in_one_moment_the_slower_one_ends_with_exit_code_3(place: Place) -> None:
    class Slow(Answering):
        def parse_errors(self) -> list[Any]:
            """Takes so long that somebody else deploys meanwhile."""
            other = release("2.0.0", {Kind.MONITORING: adding("# another")})
            other.publish(place.store)
            wish = place.wish(run=False)
            deploy(plan_deployment(wish), place.folder, None, wish, QUIET)
            return []

    with pytest.raises(DeploymentMovedError, match=r"was given release 2\.0\.0 by someone else") as caught:
        place.deploy(Slow(dags=[ALL]))
    assert caught.value.exit_code == 3
    standing = place.folder.standing("city-taxi", "trip-fare", "dev").deployment
    assert standing is not None
    assert standing.release == "2.0.0"


def test_nothing_to_run_is_a_deployment_all_the_same(place: Place) -> None:
    before = release("1.0.0")
    place.was_deployed(before)
    ledger = ledger_of(place.store, NAME)
    promoted = ledger.entries()[-1].model_copy(update={"event": Event.PROMOTED})
    ledger.append(promoted)
    api = well()
    done = place.deploy(api)
    assert api.triggered == []
    assert done.ended == ()
    assert place.events[-1] == (Event.ACTIVATED, "succeeded")


def test_what_was_not_waited_for_is_not_in_the_ledger(place: Place) -> None:
    done = place.deploy(well(), wait=False)
    assert done.record.activation is not None
    assert [each.state for each in done.record.activation.dag_runs] == ["queued"]
    assert place.events == []


def test_a_release_whose_record_is_gone_cannot_be_compared_with_and_so_trains(place: Place) -> None:
    place.was_deployed(release("1.0.0"))
    ledger = ledger_of(place.store, NAME)
    ledger.append(ledger.entries()[-1].model_copy(update={"event": Event.PROMOTED}))
    for path in (place.root / "store").rglob("1.0.0.json"):
        path.unlink()
    (planned,) = plan_deployment(place.wish()).runs
    assert planned.because == "the files of release 1.0.0 cannot be compared"


def test_another_image_alone_is_deployed_again_on_a_cloud(place: Place) -> None:
    cloud = {
        Kind.INFERENCE: replacing(
            "deployer: {target: local, port: 8080}",
            'deployer: {target: aws, region: eu-central-1, account_id: "111122223333", role: "secret://role"}',
        )
    }
    place.was_deployed(release("1.0.0", cloud, image=pushed_image()))
    ledger = ledger_of(place.store, NAME)
    ledger.append(ledger.entries()[-1].model_copy(update={"event": Event.PROMOTED}))
    other = pushed_image().model_copy(update={"digest": f"sha256:{'c' * 64}"})
    release("1.2.0", cloud, image=other).publish(place.store)
    (planned,) = plan_deployment(place.wish()).runs
    assert (planned.because, planned.only) == ("the model server's image is another", "redeploy")


def test_the_release_of_another_model_is_not_deployed_under_this_name(place: Place) -> None:
    wish = place.wish()
    other = Wish(
        wish.store, LedgerName("city-taxi", "tips", "dev"), VALIDATORS, place.root, output=place.root
    )
    with pytest.raises(UsageError, match="is of the model trip-fare, not tips"):
        plan_deployment(other)


def test_a_job_that_the_release_does_not_have_is_not_run(place: Place) -> None:
    edit = replacing("mode: both", "mode: endpoint")
    text = next(file.data.decode() for file in RELEASE.bundle.files if file.kind is Kind.INFERENCE)
    start, end = text.index("batch:"), text.index("data_capture:")
    release("1.3.0", {Kind.INFERENCE: lambda old: edit(old).replace(text[start:end], "")}).publish(
        place.store
    )
    with pytest.raises(UsageError, match="has no job 'inference'") as caught:
        plan_deployment(place.wish(asked="inference"))
    assert caught.value.hint == "its jobs are training, monitoring, retraining"


def test_whoever_interrupts_the_wait_is_told_one_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_: Wish) -> None:
        raise KeyboardInterrupt("interrupted; training goes on in Airflow: http://airflow.example")

    monkeypatch.setattr("mlops_config.orchestration.deploying.plan_deployment", stopped)
    where = ["--root", str(tmp_path), "--project", "city-taxi", "--model", "trip-fare"]
    assert main(["deploy", "--environment", "dev", "--dry-run", *where]) == 130
    assert capsys.readouterr().err.splitlines() == [
        "error: interrupted; training goes on in Airflow: http://airflow.example",
        " hint: run the same command again",
    ]

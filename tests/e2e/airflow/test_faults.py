"""What goes wrong under a real Airflow: runs end right all the same, on their own files, nothing twice."""

import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from tools.loop.servers import free_port
from tools.loop.servers_airflow import Airflow

from mlops_config.cli import main
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.ledger.ledger import Ledger
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.deployment import asset_uri
from mlops_config.store import open_store
from tests.e2e.airflow.jobs import Place, edits_of, jobs_of, kill, parent_of
from tests.orchestration.releases import release, replacing
from tests.runtime.projects import ROOT, write_trips
from tests.services.airflow import asset_events, dag_versions, report_asset_event
from tests.services.waiting import eventually

PROJECT, MODEL = "faults", "trip-fare"
NUMBERS = count()
FLEET = """
from mlops_config.airflow import fleet
fleet._POKE_SECONDS = 1
dag = fleet.fleet("fleet", __file__)
"""
OTHER_SEED = {Kind.TRAINING: replacing("random_seed: ", "random_seed: 1")}


@pytest.fixture(scope="module")
def api(airflow_server: Airflow) -> Iterator[AirflowApi]:
    with AirflowApi.at(airflow_server.address, {}) as api:
        yield api


@pytest.fixture
def place_of(airflow_server: Airflow, api: AirflowApi) -> Iterator[Callable[..., Place]]:
    """Makes an environment with its Connection; its DAGs are gone after the test, and cost no time."""
    made: list[Place] = []

    def make(environment: str, folder: Path, project: str = PROJECT) -> Place:
        place = Place(airflow_server, api, folder, project, environment)
        place.connect()
        made.append(place)
        return place

    yield make
    for place in made:
        deployed = airflow_server.deployments / place.project / MODEL / place.environment
        shutil.rmtree(deployed, ignore_errors=True)


@pytest.fixture
def place(place_of: Callable[[str, Path], Place], tmp_path: Path) -> Place:
    """An environment of the test's own."""
    return place_of(f"faults{next(NUMBERS)}", tmp_path)


def test_a_run_keeps_the_files_it_began_with_when_a_release_is_deployed_meanwhile(place: Place) -> None:
    old = place.deploy("1.0.0")
    place.hold("training")
    place.api.trigger(place.dag_id("training"), "first")
    place.begun("training", f"{place.dag_id('training')}/first")
    new = place.deploy("1.1.0", OTHER_SEED)
    place.api.trigger(place.dag_id("training"), "second")
    waiting = place.api.run(place.dag_id("training"), "second")
    assert waiting is not None
    assert waiting.state == "queued", "one run at a time: it waits behind the one before"
    place.release("training")
    place.succeeded("training", "first")
    place.succeeded("training", "second")
    ran = [(call.job, call.digest, call.dag_run.rpartition("/")[2]) for call in place.calls]
    assert ran == [
        ("training", old.config_digest, "first"),
        ("promote", old.config_digest, "first"),
        ("training", new.config_digest, "second"),
        ("promote", new.config_digest, "second"),
    ]
    versions = dag_versions(place.api, place.dag_id("training"))
    assert versions == [1, 2], "each release is one version of the DAG"


def test_a_run_that_was_asked_for_with_a_release_that_is_gone_by_then_runs_nothing(place: Place) -> None:
    old = place.deploy("1.0.0")
    place.deploy("1.1.0", OTHER_SEED)
    asked = {"release": old.release, "config_digest": old.config_digest}
    place.api.trigger(place.dag_id("training"), "late", asked)
    assert place.ended("training", "late").state == "failed"
    verify = place.task("training", "late", "verify")
    assert verify.try_number == 1
    said = "\n".join(place.api.log(verify))
    assert f"was asked for with release 1.0.0 ({old.config_digest})" in said
    assert place.calls == []


def test_a_run_whose_files_were_changed_on_the_disk_stops_and_is_not_tried_again(place: Place) -> None:
    deployment = place.deploy("1.0.0")
    file = (
        place.airflow.deployments / PROJECT / MODEL / place.environment / deployment.bundle_folder
    ) / deployment.jobs["training"].config_name
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b"# tuned by hand\n")
    place.api.trigger(place.dag_id("training"), "changed")
    assert place.ended("training", "changed").state == "failed"
    verify = place.task("training", "changed", "verify")
    assert (verify.state, verify.try_number) == ("failed", 1), "another try changes nothing"
    log = "\n".join(place.api.log(verify))
    assert "ended with exit code 4" in log
    assert deployment.jobs["training"].config_name in log
    assert place.calls == []


def test_a_scheduler_that_is_killed_with_its_workers_loses_no_run(place: Place) -> None:
    place.deploy("1.0.0")
    place.hold("training")
    run = f"{place.dag_id('training')}/killed"
    place.api.trigger(place.dag_id("training"), "killed")
    place.begun("training", run)
    place.airflow.kill("scheduler")
    eventually(lambda: not jobs_of(run), lambda: jobs_of(run))
    place.release("training")
    place.airflow.restart("scheduler")
    place.succeeded("training", "killed")
    assert [call.job for call in place.ends] == ["training", "promote"]


def test_a_scheduler_that_is_killed_alone_has_no_job_run_beside_itself(place: Place) -> None:
    """Its orphans go on; the next scheduler starts their tasks anew and Airflow ends the orphans."""
    place.deploy("1.0.0")
    place.hold("training")
    run = f"{place.dag_id('training')}/orphaned"
    place.api.trigger(place.dag_id("training"), "orphaned")
    first = place.begun("training", run)
    place.airflow.kill_alone("scheduler")
    place.airflow.restart("scheduler")
    place.begun("training", run, times=2)
    eventually(lambda: first.pid not in jobs_of(run), lambda: jobs_of(run))
    place.release("training")
    place.succeeded("training", "orphaned")
    assert [call.job for call in place.ends] == ["training", "promote"]


@pytest.mark.parametrize("victim", ["job", "task"])
def test_each_task_whose_process_is_killed_is_tried_again(place: Place, victim: str) -> None:
    place.deploy("1.0.0")
    run = f"{place.dag_id('training')}/{victim}"
    for name in ("training", "promote"):
        place.hold(name)
    place.api.trigger(place.dag_id("training"), victim)
    for name in ("training", "promote"):
        pid = place.begun(name, run).pid
        kill(pid if victim == "job" else parent_of(pid))
        place.begun(name, run, times=2)
        eventually(lambda pid=pid: pid not in jobs_of(run), lambda: jobs_of(run))
        place.release(name)
    place.succeeded("training", victim)
    assert [call.job for call in place.ends] == ["training", "promote"]
    assert place.task("training", victim, "train").try_number == 2


@pytest.mark.parametrize("job", ["monitoring", "retraining"])
def test_each_task_of_the_feedback_that_is_killed_is_tried_again(place: Place, job: str) -> None:
    place.deploy("1.0.0")
    run = f"{place.dag_id(job)}/killed"
    place.hold("verify")
    place.hold(job)
    place.api.trigger(place.dag_id(job), "killed")
    kill(place.verifying())
    place.verifying(times=2)
    place.release("verify")
    kill(place.begun(job, run).pid)
    place.begun(job, run, times=2)
    place.release(job)
    place.succeeded(job, "killed")
    assert [call.job for call in place.ends] == [job]


def test_a_fleet_runs_each_member_and_its_task_once_more_that_members_whole_run(
    place_of: Callable[..., Place], api: AirflowApi, tmp_path: Path
) -> None:
    members = [place_of("fleet", tmp_path, project) for project in (PROJECT, f"{PROJECT}2")]
    for each in members:
        each.deploy("1.0.0")
    first, second = (f"{each.dag_id('monitoring')}/fleet__all" for each in members)
    file, fleet = members[0].airflow.dags / "fleet_dag.py", "fleet.fleet.monitoring"
    file.write_text(FLEET)
    try:
        eventually(lambda: api.dag(fleet), api.parse_errors)
        api.unpause(fleet)
        api.trigger(fleet, "all")
        for expected in ([first, second], [first, second, second]):
            eventually(
                lambda expected=expected: (
                    sorted(call.dag_run for call in members[0].ends) == expected
                    and (run := api.run(fleet, "all"))
                    and run.state == "success"
                ),
                lambda: [*api.task_instances(fleet, "all"), *members[0].calls],
            )
            of_second = [task for task in api.task_instances(fleet, "all") if task.map_index == 1]
            if len(expected) == len(members):
                api.clear(fleet, "all", of_second)
    finally:
        file.unlink()


def test_reports_that_come_twice_or_together_wake_one_retraining_after_the_other(place: Place) -> None:
    """Events only wake it: what it decides, it decides by the reports themselves."""
    place.deploy("1.0.0")
    report = asset_uri(place.environment, PROJECT, MODEL, "drift-report")
    place.hold("retraining")
    report_asset_event(place.api.address, report, {"environment": place.environment})
    retraining = place.dag_id("retraining")
    first = eventually(lambda: place.api.runs(retraining), lambda: asset_events(place.api))[0]
    place.begun("retraining", f"{retraining}/{first.run_id}")
    for _ in range(3):
        report_asset_event(place.api.address, report, {"environment": place.environment})
    place.release("retraining")
    place.succeeded("retraining", first.run_id)
    eventually(
        lambda: len(runs := place.api.runs(retraining)) > 1 and all(run.is_finished for run in runs),
        lambda: place.api.runs(retraining),
    )
    runs = place.api.runs(retraining)
    assert {run.state for run in runs} == {"success"}
    begun, ended = place.calls, place.ends
    assert len(begun) == len(ended) == len(runs)
    assert [call.dag_run for call in begun] == [call.dag_run for call in ended], "never two at a time"


def test_a_dev_report_starts_nothing_in_prod(
    place_of: Callable[[str, Path], Place], api: AirflowApi, tmp_path: Path
) -> None:
    dev = place_of("walldev", tmp_path / "dev")
    prod = place_of("wallprod", tmp_path / "prod")
    dev.deploy("1.0.0")
    prod.deploy("1.0.0")
    dev.says("monitoring", {"windows": [{"window_id": "w", "report": "file:///r", "confirmed": ["drift"]}]})
    api.trigger(dev.dag_id("monitoring"), "report")
    dev.succeeded("monitoring", "report")
    (woken,) = eventually(lambda: api.runs(dev.dag_id("retraining")), lambda: asset_events(api))
    dev.succeeded("retraining", woken.run_id)
    assert woken.run_type == "asset_triggered"
    (event,) = asset_events(api, dev.dag_id("monitoring"))
    assert event.uri == asset_uri("walldev", PROJECT, MODEL, "drift-report")
    assert event.extra["environment"] == "walldev"
    assert event.created == ((dev.dag_id("retraining"), woken.run_id),)
    assert api.runs(prod.dag_id("retraining")) == []


def test_what_another_environment_reports_in_prods_name_is_refused_before_anything_runs(
    place_of: Callable[[str, Path], Place], api: AirflowApi, tmp_path: Path
) -> None:
    prod = place_of("wallforged", tmp_path)
    prod.deploy("1.0.0")
    report = asset_uri("wallforged", PROJECT, MODEL, "drift-report")
    report_asset_event(api.address, report, {"environment": "dev"})
    (run,) = eventually(lambda: api.runs(prod.dag_id("retraining")), lambda: asset_events(api))
    assert prod.ended("retraining", run.run_id).state == "failed"
    log = "\n".join(api.log(prod.task("retraining", run.run_id, "verify")))
    assert "in environment 'dev', and this DAG is wallforged's" in log
    assert prod.calls == []


def test_a_connection_of_another_environment_ends_the_run_before_anything_runs(place: Place) -> None:
    place.connect(environment="somewhere-else")
    place.deploy("1.0.0")
    place.api.trigger(place.dag_id("training"), "lost")
    assert place.ended("training", "lost").state == "failed"
    verify = place.task("training", "lost", "verify")
    assert verify.try_number == 1
    assert "is of the environment 'somewhere-else'" in "\n".join(place.api.log(verify))
    assert place.calls == []


def test_an_api_that_is_down_while_a_release_is_deployed_ends_with_3_and_asked_again_it_goes_on(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store((place.folder / "store").as_uri())
    release("1.0.0", edits_of({}), environment=place.environment, project=PROJECT).publish(store)
    (place.folder / "mlops-config.yaml").write_text(f"environments: [{place.environment}]\nrefs: []\n")
    command = [
        "deploy",
        "--environment",
        place.environment,
        "--root",
        str(place.folder),
        "--store",
        store.uri,
    ]
    command += ["--project", PROJECT, "--model", MODEL, "--airflow", place.airflow.address]
    command += ["--dags-folder", str(place.airflow.dags)]
    place.airflow.kill("api-server")
    assert main(command) == 3
    assert "no answer from 127.0.0.1" in capsys.readouterr().err
    place.airflow.restart("api-server")
    place.airflow.until_healthy()
    assert main(command) == 0
    run_id = f"deploy__{place.environment}__1.0.0"
    assert [call.dag_run for call in place.ends] == [f"{place.dag_id('training')}/{run_id}"] * 2


class Reality:
    """A place whose jobs are the real ones, with a small table, an MLflow, a ledger and an endpoint."""

    def __init__(self, place: Place, tables: Path) -> None:
        self.place = place
        folder = place.folder
        self.database = folder / "mlflow.db"
        shutil.copyfile(tables, self.database)
        self.store = open_store((folder / "store").as_uri())
        self.port = free_port()
        self.trips(2000, start="2026-01-01")
        place.connect(
            python=sys.executable,
            entrypoints=str(ROOT / "docker"),
            root=str(folder),
            variables={
                "MLFLOW_TRACKING_URI": f"sqlite:///{self.database}",
                "MLOPS_STORE": self.store.uri,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "OMP_NUM_THREADS": "1",
            },
        )

    def deploy(self) -> None:
        """The example's files, with guards that let it retrain at once."""
        self.place.deploy(
            "1.0.0",
            {
                Kind.INFERENCE: replacing("port: 8080", f"port: {self.port}"),
                Kind.RETRAIN: replacing("cooldown: P1D", "cooldown: PT1S"),
            },
        )

    def trips(self, rows: int, *, start: str, seed: int = 261) -> None:
        """More rows at the end of the table."""
        table = self.place.folder / "data" / "trips.csv"
        more = write_trips(self.place.folder / f"{seed}.csv", rows=rows, start=start, seed=seed)
        text = more.read_text()
        table.parent.mkdir(exist_ok=True)
        with table.open("a") as file:
            file.write(text.partition("\n")[2] if table.stat().st_size else text)

    def count(self, what: str) -> int:
        """Rows of a table of MLflow's, with a condition."""
        with closing(sqlite3.connect(self.database, timeout=60)) as connection:
            found: int = connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0]  # noqa: S608 the tests say what
        return found

    def entries(self, *wanted: Event) -> list[LedgerEntry]:
        """What the ledger says of these events, oldest first."""
        ledger = Ledger(self.store, PROJECT, MODEL, self.place.environment)
        return [entry for entry in ledger.entries() if entry.event in wanted]

    def events(self, *wanted: Event) -> list[Event]:
        """Which of these events the ledger has, oldest first."""
        return [entry.event for entry in self.entries(*wanted)]


def kill_all(processes: Iterable[int]) -> None:
    """Ends processes at once, if they have not ended by themselves."""
    for pid in processes:
        with suppress(ProcessLookupError):
            kill(pid)


@pytest.fixture
def reality(
    place_of: Callable[[str, Path], Place], api: AirflowApi, tmp_path: Path, mlflow_tables: Path
) -> Iterator[Reality]:
    """In dev: the example's files name its places, and no other environment may use those."""
    place = place_of("dev", tmp_path)
    yield Reality(place, mlflow_tables)
    for job in ("training", "retraining"):
        for run in api.runs(place.dag_id(job)):
            kill_all(jobs_of(f"{place.dag_id(job)}/{run.run_id}"))


def test_real_jobs_that_are_killed_at_their_worst_moments_converge(reality: Reality) -> None:
    """A model registered and not written down, one that serves and is not promoted, a retraining begun."""
    place = reality.place
    reality.deploy()
    run = f"{place.dag_id('training')}/real"
    place.api.trigger(place.dag_id("training"), "real")
    tell = partial(place.story, "training", "real")
    eventually(lambda: reality.count("model_versions") > 0, tell)
    kill_all(jobs_of(run, "training_main.py"))
    eventually(lambda: reality.events(Event.DEPLOYED), tell)
    kill_all(jobs_of(run, "promote"))
    place.succeeded("training", "real")
    assert reality.count("model_versions") == 1
    once = (Event.TRAINED, Event.DEPLOYED, Event.PROMOTED)
    assert reality.events(*once) == list(once)

    reality.trips(1000, start="2026-03-01", seed=262)
    place.api.trigger(place.dag_id("retraining"), "again", {"because": "rows of March"})
    eventually(lambda: reality.events(Event.RETRAIN_STARTED), lambda: place.story("retraining", "again"))
    place.airflow.kill("scheduler")
    place.airflow.restart("scheduler")
    place.succeeded("retraining", "again")
    assert reality.count("model_versions") == 2
    ended = reality.entries(Event.RETRAIN_ENDED)
    # A job that had the time to say how it ended did; the next try is the same retraining, and made a model.
    assert [entry.model.version for entry in ended if entry.model] == [2]
    assert len({entry.job_id for entry in ended}) == 1
    both = [Event.RETRAIN_STARTED, Event.RETRAIN_ENDED]
    assert reality.events(*both) == both * len(ended)

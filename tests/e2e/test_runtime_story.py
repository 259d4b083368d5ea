"""The whole loop as a person runs it: release, train, promote, predict, watch, retrain, replace, trace.

Each fixture is a step and needs the one before, so any test can be run alone. Only the endpoint's router and
servers are processes of their own: the command runs in this one, where MLflow is loaded once.
"""

import csv
import io
import json
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mlops_config.bundle.bundle import sha256_of
from mlops_config.cli import main
from mlops_config.deploy.local.deployer import LocalDeployer
from tests.cli.conftest import NO_ENGINE
from tests.repositories import Repository
from tests.runtime.projects import write_trips
from tests.services.processes import free_port

ENDPOINT, MODEL = "trip-fare-dev", "trip-fare-dev"
TRIP = {
    "distance_km": 3.2,
    "expected_minutes": 8.0,
    "pickup_hour": 9,
    "weekday": 2,
    "passengers": 1,
    "pickup_zone": "centre",
    "raining": False,
}


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What ``--format json`` printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Project:
    """A repository with the dev environment, its data, and the port of its endpoint."""

    repository: Repository
    port: int

    @property
    def folder(self) -> Path:
        return self.repository.folder

    def __call__(self, *words: str, code: int = 0) -> Said:
        """Runs ``mlops-config`` here; it must end with ``code``."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            ended = main([*words, "--root", str(self.folder)])
        said = Said(ended, out.getvalue(), err.getvalue())
        assert said.code == code, f"{words} ended with {ended}\n{said.out}\n{said.err}"
        return said

    def trips(self, name: str, **planted: Any) -> Path:
        """Two thousand trips in a file of ``data/``."""
        return write_trips(self.folder / "data" / name, rows=2000, **planted)

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> tuple[int, dict[str, Any]]:
        """Asks the endpoint as a client does: status and answer."""
        return self.ask("POST", "/predict", json.dumps({"rows": rows}))

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        """One request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def ledger(self, *words: str) -> list[dict[str, Any]]:
        """The ledger's entries, oldest first."""
        said = self("log", "--environment", "dev", "--limit", "0", "--format", "jsonl", *words)
        return [json.loads(line) for line in said.out.splitlines()]

    def metrics(self, job: str) -> str:
        """The series that a job left for Prometheus."""
        return (self.folder / ".mlops-config/metrics" / f"city-taxi_trip-fare_dev_{job}.prom").read_text()


def whole_second() -> datetime:
    """The next whole second, once it is here: windows begin and end on one."""
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    while datetime.now(UTC) < moment:
        time.sleep(0.01)
    return moment


def between(start: datetime, end: datetime) -> str:
    """A window as ``--window`` takes it."""
    return f"{start.isoformat()}/{end.isoformat()}"


@contextmanager
def left_without_endpoint(project: Project) -> Iterator[None]:
    """The block runs the command without an engine; the project's endpoint is gone after it."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in NO_ENGINE.items():
            patch.setenv(name, value)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
            LocalDeployer(project.folder).delete(ENDPOINT, print)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh checkout; its endpoint is removed in the end, whatever happened."""
    project = Project(Repository(tmp_path_factory.mktemp("city") / "fares"), free_port())
    repository = project.repository
    repository.edit(repository.config("dev", "inference"), "port: 8080", f"port: {project.port}")
    repository.edit(
        repository.config("dev", "inference"),
        "input_uri: file://./data/trips.csv",
        "input_uri: file://./data/today.csv",
    )
    (project.folder / ".gitignore").write_text("build/\ndata/\n")
    repository.commit("Score the trips of the day")
    project.trips("trips.csv")
    with left_without_endpoint(project):
        yield project
    with pytest.raises(ConnectionRefusedError):
        project.ask("GET", "/healthz")


@pytest.fixture(scope="module")
def released(project: Project) -> dict[str, Any]:
    """The release record of 0.1.0."""
    project("release", "--environment", "dev", "--version", "0.1.0")
    record: dict[str, Any] = json.loads((project.folder / ".mlops-config/dev/release.json").read_text())
    return record


@pytest.fixture(scope="module")
def trained(project: Project, released: dict[str, Any]) -> Said:
    """A first model waits."""
    assert released["version"] == "0.1.0"
    return project("run", "training", "--environment", "dev")


@pytest.fixture(scope="module")
def serving(project: Project, trained: Said) -> Said:
    """Version 1 is promoted, and the endpoint serves it."""
    assert "version 1 is the challenger" in trained.out
    return project("promote", "--environment", "dev", "--because", "the first model")


@dataclass
class Days:
    """Three batches, a window for each, and the report on it."""

    edges: list[datetime] = field(default_factory=lambda: [whole_second()])
    batches: list[Said] = field(default_factory=list)
    watched: list[Said] = field(default_factory=list)

    def live(self, project: Project, **planted: Any) -> None:
        """One day: its trips are scored, and then its window is judged."""
        project.trips("today.csv", start=f"2026-02-0{len(self.edges)}", seed=500 + len(self.edges), **planted)
        self.batches.append(project("run", "inference", "--environment", "dev", "--format", "json"))
        self.edges.append(whole_second())
        self.judge(project)

    def judge(self, project: Project, *words: str, code: int = 0) -> Said:
        """Judges the newest window."""
        window = between(*self.edges[-2:])
        judged = project(
            "run", "monitoring", "-e", "dev", "--window", window, "--format", "json", *words, code=code
        )
        self.watched.append(judged)
        return judged


@pytest.fixture(scope="module")
def quiet(project: Project, serving: Said) -> Days:
    """A day like all days before."""
    assert "version 1 is the champion" in serving.out
    days = Days()
    days.live(project)
    return days


@pytest.fixture(scope="module")
def drifting(project: Project, quiet: Days) -> Days:
    """And two of a city that has grown."""
    for _ in range(2):
        quiet.live(project, shift=1.0)
    return quiet


@pytest.fixture(scope="module")
def retrained(project: Project, drifting: Days) -> Said:
    """What those trips did cost has become known, and the retraining job has run."""
    assert len(drifting.watched) >= 3
    trips = project.folder / "data" / "trips.csv"
    newer = project.trips("newer.csv", shift=1.0, start="2026-02-01", seed=99)
    trips.write_text(trips.read_text() + newer.read_text().partition("\n")[2])
    newer.unlink()
    return project("run", "retraining", "--environment", "dev", "--format", "json")


class Client(threading.Thread):
    """Asks the endpoint, one request after the other, until it is told to stop."""

    def __init__(self, project: Project) -> None:
        super().__init__(name="client", daemon=True)
        self._project = project
        self._enough = threading.Event()
        self.versions: list[int] = []
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._enough.is_set():
            try:
                status, answer = self._project.predict([TRIP])
            except OSError as error:
                self.failures.append(repr(error))
                continue
            if status == 200:
                self.versions.append(answer["model_version"])
            else:
                self.failures.append(f"{status}: {answer}")

    def stop(self) -> None:
        self._enough.set()
        self.join(timeout=60)

    def until_answered_by(self, version: int) -> None:
        """Returns once that version has answered; fails when it does not within a minute."""
        limit = time.monotonic() + 60
        while version not in self.versions[-1:]:
            assert time.monotonic() < limit, (self.versions[-3:], self.failures[-3:])
            time.sleep(0.01)


@contextmanager
def asking(project: Project) -> Iterator[Client]:
    client = Client(project)
    client.start()
    try:
        yield client
    finally:
        client.stop()


@pytest.fixture(scope="module")
def replaced(project: Project, retrained: Said) -> tuple[Said, Client]:
    """Version 2 is promoted while a client goes on asking."""
    assert retrained.document["accepted"]
    with asking(project) as client:
        client.until_answered_by(1)
        promoted = project("promote", "--environment", "dev", "--because", "approved by the fares team")
        client.until_answered_by(2)
    return promoted, client


def test_a_training_run_leaves_a_challenger_that_says_what_it_was_made_of(
    project: Project, released: dict[str, Any], trained: Said
) -> None:
    from mlflow import MlflowClient

    assert f"{MODEL} version 1 is the challenger: rmse " in trained.out
    address = f"sqlite:///{project.folder}/.mlops-config/mlflow.db"
    registry = MlflowClient(address, address)
    version = registry.get_model_version_by_alias(MODEL, "challenger")
    tags = version.tags
    assert tags["mlops.config_digest"] == released["config_digest"]
    assert tags["mlops.commit"] == released["source"]["commit"] == project.repository.git("rev-parse", "HEAD")
    assert tags["mlops.release"] == "0.1.0"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", tags["mlops.data_fingerprint"])
    for kind in ("training", "inference", "monitoring", "retrain"):
        data = project.repository.config("dev", kind).read_bytes()
        assert tags[f"mlops.{kind}_sha256"] == sha256_of(data)


def test_the_promoted_version_answers_at_the_endpoint(
    project: Project, released: dict[str, Any], serving: Said
) -> None:
    assert f"{MODEL} version 1 is the champion" in serving.out
    assert f"http://127.0.0.1:{project.port}" in serving.out
    status, answer = project.predict([TRIP, TRIP | {"distance_km": 30.0}])
    assert (status, answer["model_version"]) == (200, 1)
    assert answer["config_digest"] == released["config_digest"]
    near, far = answer["predictions"]
    assert 5 < near["prediction"] < 25 < far["prediction"]
    assert re.fullmatch(r"[0-9a-f]{16}-\d+", near["prediction_id"])
    assert near["prediction_id"] != far["prediction_id"]


@pytest.mark.usefixtures("serving")
def test_the_endpoint_describes_itself_and_refuses_what_it_does_not_know(project: Project) -> None:
    status, description = project.ask("GET", "/openapi.json")
    assert status == 200
    assert "/predict" in description["paths"]
    status, refusal = project.predict([TRIP | {"pickup_zone": "moon"}])
    assert status == 422
    assert "pickup_zone" in json.dumps(refusal)


def test_a_batch_is_scored_once_and_every_row_says_by_what(
    project: Project, released: dict[str, Any], quiet: Days
) -> None:
    batch = quiet.batches[0].document
    assert (batch["rows"], batch["predicted"], batch["model_version"]) == (2000, 2000, 1)
    (part,) = (project.folder / batch["uri"].removeprefix("file://./")).glob("part-*.csv")
    with part.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["prediction_id"] for row in rows] == [f"{batch['job_id']}-{n}" for n in range(1, 2001)]
    assert {row["config_digest"] for row in rows} == {released["config_digest"]}
    assert all(row["trip_id"] and row["event_time"] and float(row["fare_eur"]) > 0 for row in rows)


def test_a_day_like_the_others_is_no_drift(project: Project, quiet: Days) -> None:
    (window,) = quiet.watched[0].document["windows"]
    assert (window["state"], window["confirmed"]) == ("judged", [])
    assert window["rows"] >= 2000
    assert not any(signal["violated"] for signal in window["signals"])
    folder = project.folder / "build/dev/reports" / window["window_id"]
    assert json.loads((folder / "report.json").read_text())["window_id"] == window["window_id"]
    assert "distance_km" in (folder / "report.html").read_text()


def test_two_bad_windows_of_three_confirm_drift_and_prometheus_is_told(
    project: Project, drifting: Days
) -> None:
    first, second = (said.document["windows"][0] for said in drifting.watched[1:3])
    drift = {signal["signal"]: signal for signal in first["signals"]}["drift"]
    assert (drift["violated"], drift["confirmed"], first["confirmed"]) == (True, False, [])
    assert "drift" in second["confirmed"]
    assert re.search(
        r'^mlops_signal_confirmed\{.*signal="drift"\} 1(\.0)?$', project.metrics("monitoring"), re.MULTILINE
    )
    with_alarm = drifting.judge(project, "--fail-on-violation", code=1)
    assert with_alarm.document["windows"][0]["state"] == "already_judged"


def test_confirmed_drift_retrains_and_the_challenger_beats_the_champion_on_the_same_rows(
    project: Project, retrained: Said
) -> None:
    outcome = retrained.document
    assert outcome["retrain"]
    assert [reason["code"] for reason in outcome["triggered"]] == ["drift"]
    assert "distance_km" in outcome["triggered"][0]["text"]
    assert (outcome["accepted"], outcome["challenger"]) == (True, 2)
    assert outcome["metrics"]["rmse"] < outcome["champion_metrics"]["rmse"]
    assert outcome["note"].endswith("mlops-config promote --environment dev")
    assert project.ledger("--event", "retrain_ended")[-1]["champion"]["version"] == 1


def test_the_endpoint_changes_versions_without_a_failed_request(replaced: tuple[Said, Client]) -> None:
    promoted, client = replaced
    assert f"{MODEL} version 2 is the champion, in place of version 1" in promoted.out
    assert client.failures == []
    assert set(client.versions) == {1, 2}
    assert all(before <= after for before, after in pairwise(client.versions))


@pytest.mark.usefixtures("replaced")
def test_the_next_retraining_is_held_by_the_cooldown(project: Project) -> None:
    nothing_new = project("run", "retraining", "--environment", "dev")
    assert "no window was judged since the last retraining" in nothing_new.out
    asked = project("run", "retraining", "-e", "dev", "--manual", "once more", "--format", "json").document
    assert not asked["retrain"]
    assert [reason["code"] for reason in asked["triggered"]] == ["manual"]
    assert "cooldown" in [reason["code"] for reason in asked["held"]]
    last = project.ledger()[-1]
    assert (last["event"], last["outcome"]) == ("retrain_decided", "refused")


@pytest.mark.usefixtures("replaced")
def test_a_prediction_leads_to_the_commit_and_the_commit_to_the_prediction(
    project: Project, released: dict[str, Any], drifting: Days
) -> None:
    _, answer = project.predict([TRIP])
    assert answer["model_version"] == 2
    prediction = answer["predictions"][0]["prediction_id"]
    commit = released["source"]["commit"]
    up = project("trace", prediction, "--format", "json").document
    kinds = {node["kind"]: node["name"] for node in up["nodes"]}
    assert (kinds["release"], kinds["commit"], kinds["model"]) == ("dev/0.1.0", commit, f"{MODEL}:2")
    events = [node["details"]["event"] for node in up["nodes"] if node["kind"] == "entry"]
    assert events == ["served", "retrain_ended"]
    assert "data" in kinds, "which data the retraining learned from"

    down = project("trace", commit[:10], "--format", "json").document
    jobs = {node["details"].get("job_id") for node in down["nodes"] if node["kind"] == "entry"}
    assert prediction.partition("-")[0] in jobs
    assert {batch.document["job_id"] for batch in drifting.batches} <= jobs
    assert commit in project("trace", f"{drifting.batches[0].document['job_id']}-17").out


@pytest.mark.usefixtures("replaced")
def test_the_ledger_tells_it_all_in_order_and_its_chain_is_whole(project: Project) -> None:
    events = [entry["event"] for entry in project.ledger()]
    first = ["released", "trained", "served", "deployed", "promoted"]
    days = ["scored", "monitored"] * 3
    second = ["retrain_started", "retrain_ended", "served", "deployed", "promoted"]
    assert [each for each in events if each != "retrain_decided"] == [*first, *days, *second]
    assert f"{len(events)} entries" in project("log", "--verify", "--environment", "dev").out


@pytest.mark.usefixtures("quiet")
def test_a_changed_file_stops_the_job_before_it_does_anything(
    project: Project, released: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.repository.config("dev", "monitoring")
    intact, entries = path.read_text(), project.ledger()
    reports = sorted((project.folder / "build/dev/reports").rglob("*"))
    project.repository.edit(path, "retention: P30D", "retention: P29D")
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", released["config_digest"])
    try:
        refused = project("run", "monitoring", "--environment", "dev", code=4)
    finally:
        path.write_text(intact)
    assert released["config_digest"] in refused.err
    assert sorted((project.folder / "build/dev/reports").rglob("*")) == reports
    failed = r"^mlops_config_integrity_failed\{.*\} 1(\.0)?$"
    assert re.search(failed, project.metrics("monitoring-run"), re.MULTILINE)
    events = [entry["event"] for entry in project.ledger()[len(entries) :]]
    assert events in ([], ["integrity_failed"])


@pytest.mark.usefixtures("replaced")
def test_the_endpoint_goes_when_it_is_told_to(project: Project) -> None:
    assert project("undeploy", "--environment", "dev").out == f"{ENDPOINT} is removed\n"
    with pytest.raises(ConnectionRefusedError):
        project.ask("GET", "/healthz")
    assert project("undeploy", "--environment", "dev").out == f"there is no endpoint {ENDPOINT}\n"
    assert "undeployed" in project("log", "--environment", "dev").out

"""Going back as a person does it: two releases, two models, requests all the while.

Each fixture is a step and needs the one before. Only the endpoint's router and servers are processes of their
own: the command runs in this one, where MLflow is loaded once.
"""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mlops_config.bundle.bundle import sha256_of
from mlops_config.release.change_words import MINUS
from mlops_config.runtime.rollback import running
from tests.e2e.test_runtime_story import (
    MODEL,
    TRIP,
    Client,
    Project,
    Said,
    asking,
    left_without_endpoint,
)
from tests.repositories import Repository
from tests.services.processes import free_port

ALARM = "fare-errors"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh checkout with a small model; its endpoint is removed in the end, whatever happened."""
    project = Project(Repository(tmp_path_factory.mktemp("city") / "fares"), free_port())
    repository = project.repository
    config = repository.config
    repository.edit(config("dev", "inference"), "port: 8080", f"port: {project.port}")
    repository.edit(config("dev", "training"), "max_iter: 100 ", "max_iter: 20 ")
    repository.edit(config("dev", "training"), "rmse: {threshold: 5.0}", "rmse: {threshold: 15.0}")
    repository.edit(config("dev", "retrain"), "rmse: {threshold: 5.0}", "rmse: {threshold: 15.0}")
    (project.folder / ".gitignore").write_text("build/\ndata/\n")
    repository.commit("Make it small")
    project.trips("trips.csv")
    with left_without_endpoint(project):
        yield project


def release(project: Project, version: str) -> None:
    """Releases what the checkout holds, trains, and lets it serve."""
    project.repository.commit(f"Prepare {version}")
    project("release", "--environment", "dev", "--version", version)
    project("run", "training", "--environment", "dev")
    project("promote", "--environment", "dev")


@pytest.fixture(scope="module")
def two(project: Project) -> Project:
    """Two releases served, each with a model of its own; the second names an alarm of its rollout."""
    release(project, "0.1.0")
    edit, config = project.repository.edit, project.repository.config
    edit(config("dev", "training"), "max_iter: 20 ", "max_iter: 30 ")
    edit(config("dev", "inference"), "retention: P7D", "retention: P14D")
    alarm = f"rollout: {{type: all_at_once, rollback_alarms: [{ALARM}]}}"
    edit(config("dev", "inference"), "rollout: {type: all_at_once}", alarm)
    monitoring = config("dev", "monitoring")
    monitoring.write_text(with_alert(monitoring.read_text()))
    release(project, "0.2.0")
    return project


def with_alert(text: str) -> str:
    """The monitoring file with an alert on errors, beside those it has."""
    assert text.count("\nalerts:\n") == 1
    return text.replace(
        "\nalerts:\n", f"\nalerts:\n  - {{name: {ALARM}, signal: errors, severity: ticket}}\n"
    )


def serving(project: Project) -> tuple[int, str]:
    """Version and configuration that answer."""
    status, answer = project.predict([TRIP])
    assert status == 200, answer
    return answer["model_version"], answer["config_digest"]


def registry(project: Project) -> Any:
    """The project's MLflow."""
    from mlflow import MlflowClient

    address = f"sqlite:///{project.folder}/.mlops-config/mlflow.db"
    return MlflowClient(address, address)


def in_force(project: Project) -> str:
    """The release that the environment points at."""
    pointer = project.folder / ".mlops-config/store/city-taxi/environments/dev/current.json"
    found: str = json.loads(pointer.read_text())["release"]
    return found


def record(project: Project, version: str) -> dict[str, Any]:
    path = project.folder / f".mlops-config/store/city-taxi/releases/dev/{version}.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def entries(project: Project) -> list[dict[str, Any]]:
    """The ledger, of a checkout that does not say any more whose it is."""
    return project.ledger("--project", "city-taxi", "--model", "trip-fare")


@pytest.fixture(scope="module")
def planned(two: Project) -> Said:
    """What going back would mean."""
    return two("rollback", "--environment", "dev", "--dry-run")


def test_the_dry_run_shows_what_going_back_means_and_changes_nothing(two: Project, planned: Said) -> None:
    lines = [" ".join(line.split()) for line in planned.out.splitlines()]
    assert lines[0] == "dev goes back from release 0.2.0 to 0.1.0"
    assert f"model {MODEL} version 2 {MODEL} version 1" in lines
    assert f"estimator.hyperparameters.max_iter 30 → 20 {MINUS}33.3 %" in lines
    assert "data_capture.retention P14D → P7D" in lines
    assert any(line.startswith("input: fits; all 7 columns") for line in lines)
    assert serving(two) == (2, record(two, "0.2.0")["config_digest"])
    assert in_force(two) == "0.2.0"
    assert "rollback_started" not in {entry["event"] for entry in entries(two)}


@pytest.fixture
def prometheus(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the alerts that fire, as Prometheus tells of them."""
    firing: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            alerts = [{"labels": {"alertname": name}, "state": "firing"} for name in firing]
            body = json.dumps({"status": "success", "data": {"alerts": alerts}}).encode()
            self.send_response(200 if self.path == "/api/v1/alerts" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("MLOPS_PROMETHEUS_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            yield firing
        finally:
            server.shutdown()
            thread.join()


def if_needed(project: Project) -> dict[str, Any]:
    """What ``--if-needed`` says, on one line as Airflow reads it."""
    said = project("rollback", "--environment", "dev", "--if-needed", "--format", "jsonl")
    found: dict[str, Any] = json.loads(said.out.splitlines()[-1])
    return found


def test_without_an_alarm_nothing_is_taken_back(two: Project, prometheus: list[str]) -> None:
    prometheus.append("somebody-elses")
    found = if_needed(two)
    assert (found["rolled_back"], found["done"]) == (False, False)
    assert serving(two)[0] == 2


@pytest.fixture(scope="module")
def broken(two: Project) -> Project:
    """The checkout is broken, so nothing of it can help; and somebody wants version 2 promoted once more."""
    registry(two).set_registered_model_alias(MODEL, "challenger", "2")
    two.repository.config("dev", "training").write_text("metadata: {project: [\n")
    return two


@pytest.fixture(scope="module")
def stopped(broken: Project, planned: Said) -> tuple[str, Client]:
    """A rollback that is stopped behind its first step, while a client goes on asking."""
    assert "nothing was changed" in planned.out
    with pytest.MonkeyPatch.context() as patch, asking(broken) as client:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        client.until_answered_by(2)
        patch.setattr(running, "_set_champion", stop)
        said = broken("rollback", "-e", "dev", "--because", "INC-2071", code=130)
        client.until_answered_by(1)
    return said.err, client


def test_the_endpoint_goes_back_first_and_no_request_fails(
    broken: Project, stopped: tuple[str, Client]
) -> None:
    said, client = stopped
    assert "run the same command again" in said
    assert client.failures == []
    assert set(client.versions) == {1, 2}
    assert all(before >= after for before, after in pairwise(client.versions))
    assert serving(broken) == (1, record(broken, "0.1.0")["config_digest"])
    assert in_force(broken) == "0.2.0"
    assert entries(broken)[-2]["event"] == "rollback_started"


@pytest.fixture(scope="module")
def back(stopped: tuple[str, Client], broken: Project) -> Said:
    """Asked again, it goes on."""
    assert stopped[1].versions
    return broken("rollback", "--environment", "dev", "--format", "json")


def test_asked_again_it_goes_on_and_all_of_the_unit_is_back(broken: Project, back: Said) -> None:
    outcome = back.document
    assert outcome["rolled_back"]
    assert outcome["plan"]["resumed"]
    assert (outcome["plan"]["from"]["release"], outcome["plan"]["to"]["release"]) == ("0.2.0", "0.1.0")
    assert in_force(broken) == "0.1.0"
    assert serving(broken) == (1, record(broken, "0.1.0")["config_digest"])
    aliases = registry(broken).get_registered_model(MODEL).aliases
    assert {name: int(version) for name, version in aliases.items()} == {"champion": 1}
    last = entries(broken)[-1]
    assert (last["event"], last["outcome"], last["release"]) == ("rolled_back", "succeeded", "0.1.0")
    assert (last["model"]["version"], last["champion"]["version"]) == (1, 2)
    assert [reason["text"] for reason in last["reasons"]] == ["INC-2071"]
    assert [entry["event"] for entry in entries(broken)].count("rollback_started") == 1


@pytest.mark.usefixtures("back")
def test_there_is_nothing_further_to_go_back_to(broken: Project) -> None:
    assert "nothing to go back to" in broken("rollback", "-e", "dev", code=2).err
    assert "is what runs already" in broken("rollback", "-e", "dev", "--to", "0.1.0", code=2).err


@pytest.mark.usefixtures("back")
def test_what_went_back_is_not_taken_back_again_by_an_alarm(broken: Project, prometheus: list[str]) -> None:
    prometheus.append(ALARM)
    found = if_needed(broken)
    assert (found["rolled_back"], found["done"]) == (True, True)
    assert serving(broken)[0] == 1


@pytest.fixture(scope="module")
def forward(broken: Project, back: Said) -> Said:
    """The later release again, by the beginning of its digest: that is a rollback like any other."""
    assert back.code == 0
    digest = record(broken, "0.2.0")["config_digest"].removeprefix("sha256:")
    return broken("rollback", "--environment", "dev", "--to", digest[:12])


def test_an_alarm_takes_a_deployment_back_that_bakes(
    broken: Project, forward: Said, prometheus: list[str]
) -> None:
    assert "release 0.2.0 with" in forward.out
    assert serving(broken)[0] == 2
    note_deployment(broken)
    assert not if_needed(broken)["rolled_back"]
    prometheus.append(ALARM)
    found = if_needed(broken)
    assert (found["rolled_back"], found["done"]) == (True, True)
    assert [reason["code"] for reason in found["reasons"]] == ["alarm"]
    assert serving(broken)[0] == 1
    assert in_force(broken) == "0.1.0"


def note_deployment(project: Project) -> None:
    """Somebody deploys the second release on purpose, now: its bake begins."""
    from mlops_config.ledger.entries import Draft, Event, ModelReference
    from mlops_config.ledger.ledger import Ledger
    from mlops_config.store import open_store

    found = record(project, "0.2.0")
    store = (project.folder / ".mlops-config/store").as_uri()
    Ledger(open_store(store), "city-taxi", "trip-fare", "dev").append(
        Draft(
            event=Event.PROMOTED,
            time=datetime.now(UTC) - timedelta(seconds=1),
            config_digest=found["config_digest"],
            release="0.2.0",
            model=ModelReference(name=MODEL, version=2),
        )
    )


@pytest.mark.usefixtures("forward")
def test_a_bundle_that_was_changed_is_no_way_back(broken: Project, tmp_path: Path) -> None:
    digest = record(broken, "0.2.0")["config_digest"].removeprefix("sha256:")
    folder = broken.folder / ".mlops-config/store/city-taxi/bundles/sha256" / digest
    file = folder / "dev_retrain_config.yaml"
    kept = tmp_path / "kept"
    kept.write_bytes(file.read_bytes())
    before, events = serving(broken), len(entries(broken))
    file.chmod(0o644)
    try:
        file.write_bytes(kept.read_bytes() + b"\n")
        said = broken("rollback", "-e", "dev", "--to", "0.2.0", code=4)
    finally:
        file.write_bytes(kept.read_bytes())
    assert sha256_of(kept.read_bytes()) in said.err
    assert (serving(broken), len(entries(broken))) == (before, events)


@pytest.fixture(scope="module")
def narrower(broken: Project, forward: Said) -> Project:
    """A third release whose model does without a column; clients need not send it any more."""
    assert forward.code == 0
    broken.repository.git("checkout", "--", "configs")
    training = broken.repository.config("dev", "training")
    broken.repository.edit(training, "    - {name: raining, type: boolean}\n", "")
    release(broken, "0.3.0")
    return broken


def test_a_model_that_needs_a_column_nobody_sends_is_no_way_back(narrower: Project) -> None:
    before, events = serving(narrower), len(entries(narrower))
    planned = narrower("rollback", "-e", "dev", "--dry-run", code=1)
    assert "✗ the model needs the column raining (boolean), which is not sent now" in planned.out
    said = narrower("rollback", "-e", "dev", "--format", "jsonl", code=1)
    assert "raining" in said.err
    refused = json.loads(said.out.splitlines()[-1])
    assert (refused["rolled_back"], [each["code"] for each in refused["reasons"]]) == (
        False,
        ["schema.missing"],
    )
    assert (serving(narrower), len(entries(narrower)), in_force(narrower)) == (before, events, "0.3.0")

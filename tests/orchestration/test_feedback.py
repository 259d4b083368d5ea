"""What a deployment leaves behind: one entry of the ledger, the model that serves, record and notes."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.releases import VALIDATORS, release
from tests.services.processes import free_port

from mlops_config.console import TerminalConsole
from mlops_config.ledger.entries import Draft, Event, ModelReference
from mlops_config.ledger.ledger import Ledger
from mlops_config.orchestration.feedback import serving_model, write_activated, write_feedback
from mlops_config.release.record import ActivationRecord, BundleLocation, DagRunRecord
from mlops_config.release.verification import read_record
from mlops_config.store import open_store

FIRST = release("1.0.0")
DIGEST = FIRST.bundle.digest
OTHER_DIGEST = f"sha256:{'b' * 64}"
MODEL = "trip-fare-dev"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
QUIET = TerminalConsole(quiet=True)


def dag_run(state: str) -> DagRunRecord:
    return DagRunRecord(
        job="training", dag_id="d.training", run_id="deploy__dev__1.0.0", state=state, because="new"
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(open_store(tmp_path.as_uri()), "city-taxi", "trip-fare", "dev")


def told(ledger: Ledger) -> list[tuple[str, str]]:
    return [(entry.outcome, entry.reasons[0].text) for entry in ledger.entries()]


def test_how_a_deployment_ended_is_written_down_once(ledger: Ledger) -> None:
    for _ in range(2):
        write_activated(ledger, FIRST.record, [dag_run("success")], "file:///dags/deployment.json", NOW)
    assert told(ledger) == [("succeeded", "d.training/deploy__dev__1.0.0 success: new")]
    (entry,) = ledger.entries()
    assert (entry.release, entry.config_digest, entry.commit) == ("1.0.0", DIGEST, FIRST.record.source.commit)


def test_a_failed_run_that_was_cleared_and_ended_well_is_written_down_as_well(ledger: Ledger) -> None:
    for state in ("failed", "failed", "success"):
        write_activated(ledger, FIRST.record, [dag_run(state)], "file:///dags/deployment.json", NOW)
    assert [outcome for outcome, _ in told(ledger)] == ["failed", "succeeded"]


def model(version: int) -> ModelReference:
    return ModelReference(name=MODEL, version=version)


def test_without_mlflow_the_ledger_says_which_model_serves_and_what_it_was_trained_with(
    ledger: Ledger, tmp_path: Path
) -> None:
    assert serving_model(FIRST.released, ledger.entries(), tmp_path, QUIET) is None
    ledger.append(Draft(event=Event.TRAINED, time=NOW, model=model(1), config_digest=OTHER_DIGEST))
    ledger.append(Draft(event=Event.PROMOTED, time=NOW, model=model(1), config_digest=DIGEST))
    ledger.append(Draft(event=Event.PROMOTED, time=NOW, model=model(2), outcome="failed"))
    found = serving_model(FIRST.released, ledger.entries(), tmp_path, QUIET)
    assert found is not None
    assert (found.uri, found.config_digest, found.registry) == ("models:/trip-fare-dev/1", OTHER_DIGEST, None)


def test_after_a_rollback_the_ledger_says_that_the_model_of_before_serves(
    ledger: Ledger, tmp_path: Path
) -> None:
    for event, version in ((Event.PROMOTED, 1), (Event.PROMOTED, 2), (Event.ROLLED_BACK, 1)):
        ledger.append(Draft(event=event, time=NOW, model=model(version), config_digest=DIGEST))
    found = serving_model(FIRST.released, ledger.entries(), tmp_path, QUIET)
    assert found is not None
    assert found.version == 1


def test_mlflow_says_which_model_serves_where_its_address_is_known(
    mlflow_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_config.runtime.tracking import registry_from_environment

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_database)
    registry = registry_from_environment(tmp_path)
    assert serving_model(FIRST.released, (), tmp_path, QUIET) is None
    call: Callable[..., Any] = registry._mlflow.call  # type: ignore[attr-defined] # a version without a run
    call(lambda client: client.create_registered_model(MODEL), doing="")
    call(
        lambda client: client.create_model_version(MODEL, "file:///x", tags={"mlops.config_digest": DIGEST}),
        doing="",
    )
    registry.set_alias(MODEL, "champion", 1)
    found = serving_model(FIRST.released, (), tmp_path, QUIET)
    assert found is not None
    assert (found.uri, found.config_digest) == ("models:/trip-fare-dev/1", DIGEST)
    assert found.registry == mlflow_database


def test_an_mlflow_that_cannot_be_asked_is_said_and_fails_nothing(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"ftp://127.0.0.1:{free_port()}")
    ledger.append(Draft(event=Event.PROMOTED, time=NOW, model=model(4)))
    found = serving_model(FIRST.released, ledger.entries(), tmp_path, TerminalConsole())
    assert found is not None
    assert found.version == 4
    assert "MLflow was not asked for the model that serves: the address" in capsys.readouterr().err


ACTIVATION = ActivationRecord(activated_at=NOW, airflow="http://airflow.example", dags_folder="s3://dags")


def write(tmp_path: Path, name: str, **record: Any) -> tuple[Path, ...]:
    each = release(name, **record)
    store = open_store((tmp_path / "store").as_uri())
    deployed = each.record.model_copy(update={"activation": ACTIVATION})
    return write_feedback(
        deployed, each.released, store, VALIDATORS, tmp_path / "output", "https://github.com"
    )


PUBLISHED = (BundleLocation(store="file:///store", uri="file:///store/bundle"),)


def test_record_and_notes_are_of_the_release_that_was_deployed_last(tmp_path: Path) -> None:
    for name in ("1.0.0", "1.1.0"):
        record, notes = write(tmp_path, name, bundles=PUBLISHED)
        assert read_record(record).name == name
        assert "### Running" in notes.read_text()
    assert (tmp_path / "output" / ".gitignore").read_text() == "*\n"


def test_the_record_that_publish_is_to_take_stays(tmp_path: Path) -> None:
    path = tmp_path / "output" / "dev" / "release.json"
    path.parent.mkdir(parents=True)
    built = release("1.2.0").record.to_json()
    path.write_bytes(built)
    assert write(tmp_path, "1.1.0", bundles=PUBLISHED) == ()
    assert path.read_bytes() == built


def test_a_broken_record_from_before_does_not_fail_a_deployment_that_is_done(tmp_path: Path) -> None:
    path = tmp_path / "output" / "dev" / "release.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")
    write(tmp_path, "1.1.0", bundles=PUBLISHED)
    assert read_record(path).name == "1.1.0"

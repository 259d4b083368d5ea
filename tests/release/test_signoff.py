"""What the ledger is told of releases, and what rule E06 asks it before a release to production."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.example_history import FIRST_COMMIT, release
from tests.repositories import Repository
from tests.store.examples import example_bundle

from mlops_config import cli
from mlops_config.console import TerminalConsole
from mlops_config.contract.validation import validate
from mlops_config.errors import FindingsError, ServiceError
from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.ledger.ledger import Ledger
from mlops_config.pipeline import Options, Stage, run
from mlops_config.release.publishing import Standing, publish
from mlops_config.release.record import ReleaseRecord
from mlops_config.release.signoff import require_verified, verified_before, write_verified
from mlops_config.settings import Settings, Waiver, load_settings
from mlops_config.store import open_store
from mlops_config.store.interface import Current, Store
from mlops_config.store.local import LocalStore

TODAY = date(2026, 3, 10)
STRICT = Settings(severity={"E06": "error"})


class Silent:
    def progress(self, line: str) -> None: ...

    def done(self, summary: str) -> None: ...


def record_of(environment: str, version: str | None, **image: Any) -> ReleaseRecord:
    record = release(example_bundle(environment), version or "0.0.0", FIRST_COMMIT, "1a")
    assert record.image
    changed = record.image.model_copy(update=image)
    return record.model_copy(update={"version": version, "image": changed})


PROD, STAGING = record_of("prod", "1.2.0"), record_of("staging", "1.2.0-rc.1")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri())


def published(store: Store, record: ReleaseRecord) -> None:
    standing = Standing.read([store], record.project, record.environment)
    publish(record, example_bundle(record.environment), standing, Silent())


def ledger_of(store: Store, environment: str = "prod") -> tuple[LedgerEntry, ...]:
    return Ledger(store, "fares", "fare-amount", environment).entries()


def test_publishing_writes_down_what_was_released(store: Store) -> None:
    published(store, PROD)
    (entry,) = ledger_of(store)
    assert (entry.event, entry.release, entry.commit) == (Event.RELEASED, "1.2.0", FIRST_COMMIT)
    assert (entry.time, entry.config_digest) == (PROD.created_at, PROD.config_digest)
    assert PROD.image
    assert (entry.image_digest, entry.base_digest) == (PROD.image.digest, PROD.image.base_digest)


def test_a_run_that_goes_on_after_an_interruption_writes_it_down_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Current:
        raise ServiceError("the store went away")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set_current", interrupted)
        with pytest.raises(ServiceError):
            published(store, PROD)
    assert len(ledger_of(store)) == 1
    published(store, PROD)
    assert len(ledger_of(store)) == 1


def test_verifying_writes_down_what_was_proven(store: Store) -> None:
    write_verified(store, STAGING, ["the bundle", "the image"])
    (entry,) = ledger_of(store, "staging")
    assert (entry.event, entry.release, entry.outcome) == (Event.VERIFIED, "1.2.0-rc.1", "succeeded")
    assert [reason.text for reason in entry.reasons] == ["the bundle", "the image"]


def test_a_version_whose_runtime_image_was_verified_before_may_be_released(store: Store) -> None:
    write_verified(store, STAGING, [])
    said = require_verified(PROD, STRICT, [store], TODAY)
    assert said
    assert said.startswith("E06: staging release 1.2.0-rc.1 was verified on ")


def test_a_version_that_was_not_rehearsed_is_refused(store: Store) -> None:
    published(store, STAGING)
    with pytest.raises(FindingsError, match=r"E06: prod release 1\.2\.0 was not rehearsed") as refused:
        require_verified(PROD, STRICT, [store], TODAY)
    assert "runtime image sha256:baba" in refused.value.message
    assert refused.value.exit_code == 1
    assert refused.value.hint
    assert "mlops-config verify --environment staging --to-ledger" in refused.value.hint


def test_what_was_verified_with_another_runtime_image_does_not_count(store: Store) -> None:
    write_verified(store, record_of("staging", "1.2.0-rc.1", base_digest="sha256:" + "0" * 64), [])
    with pytest.raises(FindingsError):
        require_verified(PROD, STRICT, [store], TODAY)


def test_an_image_without_code_is_compared_by_its_commit(store: Store) -> None:
    bare = {"base": "scratch", "base_digest": None}
    write_verified(store, record_of("staging", "1.2.0-rc.1", **bare), [])
    assert require_verified(record_of("prod", "1.2.0", **bare), STRICT, [store], TODAY)
    elsewhere = record_of("prod", "1.2.0", **bare)
    elsewhere = elsewhere.model_copy(
        update={"source": elsewhere.source.model_copy(update={"commit": "f" * 40})}
    )
    with pytest.raises(FindingsError, match="same commit ffffffffffff"):
        require_verified(elsewhere, STRICT, [store], TODAY)


def test_without_commit_or_base_nothing_is_the_same() -> None:
    nowhere = record_of("prod", "1.2.0", base_digest=None)
    nowhere = nowhere.model_copy(update={"source": nowhere.source.model_copy(update={"commit": None})})
    entry = LedgerEntry(
        event=Event.VERIFIED,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        sequence=1,
        previous=None,
        project="fares",
        model_name="fare-amount",
        environment="staging",
    )
    assert verified_before(nowhere, [entry]) is None


def test_any_of_the_stores_may_hold_the_entry(store: Store, tmp_path: Path) -> None:
    write_verified(store, STAGING, [])
    empty = open_store((tmp_path / "empty").as_uri())
    assert require_verified(PROD, STRICT, [empty, store], TODAY)


@pytest.mark.parametrize(
    ("record", "settings"),
    [
        (PROD, Settings()),
        (PROD, Settings(severity={"E06": "off"})),
        (record_of("prod", None), STRICT),
        (STAGING, STRICT),
        (PROD, Settings(severity={"E06": "error"}, environments=("prod",))),
    ],
)
def test_nothing_is_asked_unless_the_rule_is_on_and_a_version_goes_to_the_last_environment(
    record: ReleaseRecord, settings: Settings
) -> None:
    assert require_verified(record, settings, [], TODAY) is None


def test_as_a_warning_it_is_said_and_the_release_goes_on(store: Store) -> None:
    said = require_verified(PROD, Settings(severity={"E06": "warning"}), [store], TODAY)
    assert said
    assert said.startswith("warning E06: prod release 1.2.0 was not rehearsed")


@pytest.mark.parametrize(
    ("waiver", "holds"),
    [
        (Waiver("E06", "a fix that cannot wait", TODAY), True),
        (Waiver("E06", "a fix that cannot wait", TODAY, environment="prod"), True),
        (Waiver("E06", "a fix that cannot wait", date(2026, 3, 9)), False),
        (Waiver("E06", "a fix that cannot wait", TODAY, environment="staging"), False),
        (Waiver("E05", "a fix that cannot wait", TODAY), False),
    ],
)
def test_a_waiver_lets_it_through_until_its_day(store: Store, waiver: Waiver, holds: bool) -> None:
    settings = STRICT._replace(waivers=(waiver,))
    if holds:
        said = require_verified(PROD, settings, [store], TODAY)
        assert said
        assert "waived until 2026-03-10: a fix that cannot wait" in said
    else:
        with pytest.raises(FindingsError):
            require_verified(PROD, settings, [store], TODAY)


SETTINGS = """\
severity: {E06: error}
waivers:
  - {rule: E06, reason: only until staging is back, expires: 2999-01-01, environment: dev}
"""


def test_the_settings_may_name_the_rule(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    (repository.folder / "mlops-config.yaml").write_text(SETTINGS)
    validation = validate(repository.folder, load_settings(repository.folder))
    assert not [each for each in validation.findings if each.code.startswith("W0")]


def test_a_release_to_production_waits_until_staging_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = Repository(tmp_path / "repository")
    (repository.folder / "mlops-config.yaml").write_text(SETTINGS)
    repository.git("add", ".")
    repository.git("commit", "--message", "Ask for a rehearsal")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.chdir(repository.folder)
    settings = load_settings(repository.folder)
    prod = Options(repository.folder, environment="prod", version="1.2.0", stages=frozenset(Stage))
    with pytest.raises(FindingsError, match="was not rehearsed"):
        run(prod, settings, TerminalConsole(quiet=True))
    store = open_store((repository.folder / ".mlops-config/store").as_uri())
    assert list(store.release_names("city-taxi", "prod")) == []
    staging = replace(prod, environment="staging", version="1.2.0-rc.1")
    released = run(staging, settings, TerminalConsole(quiet=True)).record
    assert released
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert cli.main(["verify", "--environment", "staging", "--to-ledger"]) == 0
    assert "verified, entry 2 of the ledger of staging" in capsys.readouterr().out
    assert run(prod, settings, TerminalConsole(quiet=True)).changed
    assert cli.main(["log", "--format", "jsonl"]) == 0
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert sorted(events) == ["released", "released", "verified"]


def test_only_a_release_can_be_written_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert cli.main(["verify", "--bundle", "x", "--to-ledger"]) == 2
    assert "--environment or --record" in capsys.readouterr().err

"""The verbs ``log`` and ``trace`` as people call them."""

import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlops_config import cli
from mlops_config.ledger.entries import Draft, Event, Reason
from mlops_config.ledger.ledger import Ledger
from mlops_config.store import open_store
from tests.ledger.example_history import (
    FIRST_BATCH,
    FIRST_COMMIT,
    MODEL,
    PROJECT,
    Life,
    live,
)

ROOT = Path(__file__).parents[2]


class Said(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Life]:
    """A store's URI, and what happened in it."""
    uri = tmp_path_factory.mktemp("store").as_uri()
    return uri, live(open_store(uri))


@pytest.fixture
def command(
    life: tuple[str, Life],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Command:
    """Runs the command outside any checkout; unless given other names, on the example's ledgers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: str, names: bool = True, store: str | None = life[0]) -> Said:
        given = ["--project", PROJECT, "--model", MODEL] if names else []
        given += ["--store", store] if store else []
        code = cli.main([arguments[0], *given, *arguments[1:]])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


def events(said: Said) -> list[str]:
    return [json.loads(line)["event"] for line in said.out.splitlines()]


def test_the_log_is_a_table_with_the_newest_entry_last(command: Command) -> None:
    said = command("log")
    header, *rows = said.out.splitlines()
    assert header.split() == ["TIME", "(UTC)", "EVENT", "OUTCOME", "MODEL", "RELEASE", "CONFIG", "WHY"]
    assert [row.split()[2] for row in rows] == [
        *("trained", "promoted", "deployed", "served", "scored", "scored", "retrain_ended")
    ]
    assert rows[1] == (
        "2026-03-04 07:06:07  promoted       succeeded  fare-amount-prod:7  1.2.0    8e37d25b8049"
        "  rmse 2.41 is better than the champion's 2.63"
    )


def test_the_limit_keeps_the_newest(command: Command) -> None:
    assert events(command("log", "--limit", "2", "--format", "jsonl")) == ["scored", "retrain_ended"]
    assert len(events(command("log", "--limit", "0", "--format", "jsonl"))) == 7


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--event", "scored"], ["scored", "scored"]),
        (["--event", "promoted", "--event", "deployed"], ["promoted", "deployed"]),
        (["--since", "2026-03-12"], ["scored", "retrain_ended"]),
        (["--since", "2026-03-12T05:06:07Z", "--until", "2026-03-13T06:06:07+01:00"], ["scored"]),
        (["--until", "2026-03-04T07:06:07"], ["trained"]),
        (["--event", "scored", "--limit", "1", "--since", "2026-03-01"], ["scored"]),
        (["--environment", "staging"], []),
        (["--since", "1m"], []),
    ],
)
def test_filters_choose(command: Command, filters: list[str], expected: list[str]) -> None:
    assert events(command("log", "--format", "jsonl", *filters)) == expected


def test_spans_reach_back_from_now(command: Command, tmp_path: Path) -> None:
    uri = (tmp_path / "new").as_uri()
    ledger = Ledger(open_store(uri), PROJECT, MODEL, "prod")
    for days in (20, 3, 0):
        ledger.append(Draft(event=Event.MONITORED, time=datetime.now(UTC) - timedelta(days=days)))
    counts = [
        len(events(command("log", "--since", ago, "--format", "jsonl", store=uri)))
        for ago in ("90m", "24h", "5d", "4w")
    ]
    assert counts == [1, 1, 2, 3]


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01", "5y", ""])
def test_a_moment_that_is_none_is_told(
    command: Command, capsys: pytest.CaptureFixture[str], moment: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command("log", "--since", moment)
    assert ended.value.code == 2
    assert "is no date, time or span such as 24h" in capsys.readouterr().err


def test_the_log_as_json_has_every_field_and_each_entrys_digest(
    command: Command, life: tuple[str, Life]
) -> None:
    document = json.loads(command("log", "--format", "json").out)
    assert (document["schema_version"], document["store"]) == (1, life[0])
    written = life[1].entries["promoted"]
    found = document["entries"][1]
    assert found.pop("digest") == written.digest == document["entries"][2]["previous"]
    assert found == json.loads(written.to_json())


def test_entries_of_several_environments_are_told_apart(command: Command, tmp_path: Path) -> None:
    uri = (tmp_path / "two").as_uri()
    for number, environment in enumerate(("prod", "dev", "prod")):
        when = datetime(2026, 1, 1, number, tzinfo=UTC)
        Ledger(open_store(uri), PROJECT, MODEL, environment).append(Draft(event=Event.MONITORED, time=when))
    rows = command("log", store=uri).out.splitlines()[1:]
    assert [row.split()[2] for row in rows] == [f"{name}/{MODEL}" for name in ("prod", "dev", "prod")]


def test_an_empty_ledger_says_so(command: Command, tmp_path: Path) -> None:
    uri = (tmp_path / "empty").as_uri()
    said = command("log", "--environment", "dev", store=uri)
    assert (said.code, said.out, said.err) == (0, "", f"no entries in {uri} for dev\n")


def test_text_in_the_table_cannot_steer_a_terminal(command: Command, tmp_path: Path) -> None:
    uri = (tmp_path / "hostile").as_uri()
    reason = Reason(code="x", text="fine\r\x1b[1A\u202eevil")
    Ledger(open_store(uri), PROJECT, MODEL, "prod").append(
        Draft(event=Event.PROMOTED, time=datetime(2026, 1, 1, tzinfo=UTC), reasons=(reason,))
    )
    out = command("log", store=uri).out
    assert "fine\\r\\x1b[1A\\u202eevil" in out


def test_verifying_says_where_each_chain_ends(command: Command, life: tuple[str, Life]) -> None:
    head = life[1].entries["refused"].digest
    said = command("log", "--verify")
    assert said.out.splitlines() == [
        f"ok  {PROJECT}/{MODEL} in dev: 0 entries",
        f"ok  {PROJECT}/{MODEL} in staging: 0 entries",
        f"ok  {PROJECT}/{MODEL} in prod: 7 entries, each names the one before; the last is {head}",
    ]
    ledgers = json.loads(command("log", "--verify", "--format", "json").out)["ledgers"]
    assert [(each["environment"], each["entries"], each["head"]) for each in ledgers] == [
        ("dev", 0, None),
        ("staging", 0, None),
        ("prod", 7, head),
    ]


def copied(uri: str, folder: Path) -> Path:
    """The ledger's files in a store of its own that may be harmed."""
    import shutil

    source = Path(uri.removeprefix("file://")) / PROJECT / "ledger" / MODEL / "prod"
    target = folder / "harmed" / PROJECT / "ledger" / MODEL / "prod"
    shutil.copytree(source, target)
    return target


def test_a_changed_entry_is_exit_code_4(command: Command, life: tuple[str, Life], tmp_path: Path) -> None:
    ledger = copied(life[0], tmp_path)
    entry = ledger / "000000003.json"
    entry.chmod(0o644)
    entry.write_bytes(entry.read_bytes().replace(b"8080", b"8081"))
    said = command("log", "--verify", store=(tmp_path / "harmed").as_uri())
    assert said.code == 4
    assert "entry 4 of the ledger of fares/fare-amount in prod" in said.err


def test_an_entry_noted_earlier_is_missed_when_the_end_was_cut_off(
    command: Command, life: tuple[str, Life], tmp_path: Path
) -> None:
    noted = life[1].entries["refused"].digest
    assert command("log", "--verify", "--holds", noted).code == 0
    (copied(life[0], tmp_path) / "000000007.json").unlink()
    harmed = (tmp_path / "harmed").as_uri()
    assert command("log", "--verify", store=harmed).code == 0
    said = command("log", "--verify", "--holds", noted, store=harmed)
    assert said.code == 4
    assert "its end was cut off" in said.err


def test_holds_needs_verify(command: Command) -> None:
    assert command("log", "--holds", "sha256:" + "0" * 64).code == 2


def test_a_trace_is_two_trees(command: Command) -> None:
    said = command("trace", f"{FIRST_BATCH}-42")
    lines = said.out.splitlines()
    assert lines[0] == "scored 2026-03-05 05:06Z, prod ledger, entry 5"
    assert lines.index("came from") < lines.index("what came of it")
    assert f"  │     │  ├─ commit {FIRST_COMMIT} of acme/fares" in lines


def test_a_trace_as_json_is_a_graph(command: Command) -> None:
    document = json.loads(command("trace", f"{FIRST_BATCH}-42", "--format", "json").out)
    assert sorted(document) == [
        *("downstream", "edges", "found", "nodes", "query", "schema_version", "upstream")
    ]
    nodes = {node["id"]: node for node in document["nodes"]}
    assert set(document["found"] + document["upstream"] + document["downstream"]) == set(nodes)
    assert {edge[end] for edge in document["edges"] for end in ("from", "to")} <= set(nodes)
    release: dict[str, Any] = nodes["release:prod/1.2.0"]["details"]
    assert (release["commit"], release["actor"]) == (FIRST_COMMIT, "ada")
    assert {"from": f"commit:{FIRST_COMMIT}", "to": "release:prod/1.2.0"} in document["edges"]


def test_the_path_of_a_file_stands_for_its_bytes(
    command: Command, life: tuple[str, Life], tmp_path: Path
) -> None:
    file = life[1].bundles["prod-1"].files[0]
    (tmp_path / "my.yaml").write_bytes(file.data)
    assert command("trace", "my.yaml").out.startswith(f"file {file.name} {file.sha256}\n")


def test_a_file_that_no_release_holds_is_named_as_it_was_given(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("changed: since\n")
    said = command("trace", "mine.yaml")
    assert said.code == 1
    assert "no release holds mine.yaml as it is now" in said.err


def test_what_is_not_known_is_exit_code_1_and_what_is_ambiguous_2(command: Command) -> None:
    assert command("trace", "beefbeef").code == 1
    assert command("trace", "0123456").code == 2


def test_project_and_model_come_from_the_files_here(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    header = yaml.safe_load((ROOT / "configs/dev/dev_training_config.yaml").read_text())["metadata"]
    uri = (tmp_path / "here").as_uri()
    ledger = Ledger(open_store(uri), header["project"], header["model_name"], "dev")
    ledger.append(Draft(event=Event.TRAINED, time=datetime(2026, 1, 1, tzinfo=UTC)))
    monkeypatch.setenv("MLOPS_STORE", uri)
    said = command("log", "--root", str(ROOT), "--format", "jsonl", names=False, store=None)
    assert events(said) == ["trained"]


def test_without_files_or_names_the_error_says_what_to_give(command: Command) -> None:
    said = command("log", names=False)
    assert said.code == 2
    assert "--project and --model" in said.err


def test_an_environment_that_is_none_is_told(command: Command) -> None:
    said = command("trace", "--environment", "moon", "v1.2.0")
    assert said.code == 2
    assert "environments are dev, staging, prod" in said.err

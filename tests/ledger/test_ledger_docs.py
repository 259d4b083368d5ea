"""What the page about the ledger says is what it does."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mlops_config import cli
from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.ledger.tracing import NodeKind
from mlops_config.store import open_store
from tests.ledger.example_history import FIRST_BATCH, MODEL, PROJECT, live

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a ledger with seven entries, in the default store of the folder we are in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    live(open_store((tmp_path / ".mlops-config" / "store").as_uri()))
    return tmp_path / ".mlops-config" / "store" / PROJECT / "ledger" / MODEL / "prod"


def by_hand(folder: Path) -> "subprocess.CompletedProcess[str]":
    (script,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_chain_can_be_proven_by_hand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = by_hand(folder)
    assert said.returncode == 0, said.stderr
    names = ["--project", PROJECT, "--model", MODEL, "--environment", "prod"]
    assert cli.main(["log", "--verify", *names]) == 0
    digest = capsys.readouterr().out.split()[-1]
    assert said.stdout == f"whole; the last entry is {digest}\n"


def test_by_hand_a_changed_entry_is_found_too(folder: Path) -> None:
    entry = folder / "000000003.json"
    entry.chmod(0o644)
    entry.write_bytes(entry.read_bytes().replace(b"8080", b"8081"))
    said = by_hand(folder)
    assert (said.returncode, said.stdout) == (4, "000000004.json does not follow the entry before it\n")


def test_every_field_and_event_is_told() -> None:
    section = PAGE.partition("## What an entry holds")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", section))
    assert set(LedgerEntry.model_fields) | set(Event) <= told


def test_every_key_of_a_trace_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.is_dir()
    section = PAGE.partition("### As JSON")[2].partition("\n## ")[0]
    assert cli.main(["trace", FIRST_BATCH, "--project", PROJECT, "--model", MODEL, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(document)
    told = set(re.findall(r"`(\w+)`", section))
    assert {key for part in ("nodes", "edges") for each in document[part] for key in each} <= told
    assert set(NodeKind) <= told

"""What programs get of a job: a document on one line, and the same in the file they name."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.projects import Project, write_trips

from mlops_config.cli import main
from mlops_config.cli.outcomes import tell
from mlops_config.errors import JobRefusedError
from mlops_config.kinds import Kind


@dataclass
class Outcome:
    """Something that came of a job."""

    values: dict[str, Any] = field(default_factory=dict)
    summary: str = "version 3 is the champion"
    exit_code: int = 0

    def document(self) -> dict[str, Any]:
        return self.values


@pytest.fixture
def outcome_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a program asks for, in a folder that is not there yet."""
    path = tmp_path / "xcom" / "return.json"
    monkeypatch.setenv("MLOPS_OUTCOME_FILE", str(path))
    return path


@pytest.mark.parametrize("chosen", ["text", "json", "jsonl"])
def test_the_file_holds_the_document_whatever_is_printed(
    chosen: str, outcome_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(chosen, lambda: Outcome({"version": 3})) == 0
    assert json.loads(outcome_file.read_text()) == {"version": 3}
    assert [path.name for path in outcome_file.parent.iterdir()] == ["return.json"]
    printed = capsys.readouterr().out
    assert (printed if chosen == "text" else json.loads(printed)) in (
        "version 3 is the champion\n",
        {"version": 3},
    )


@pytest.mark.usefixtures("outcome_file")
def test_a_line_stays_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "reason": "two\nlines and\u2028one \u0085more",
        "rmse": float("nan"),
        "all": [float("inf"), 1.5],
    }
    tell("jsonl", lambda: Outcome(document))
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {**document, "rmse": None, "all": [None, 1.5]}


def test_a_later_outcome_replaces_the_earlier(outcome_file: Path) -> None:
    for version in (3, 4):
        tell("text", lambda version=version: Outcome({"version": version}))  # type: ignore[misc]  # mypy infers no type here
    assert json.loads(outcome_file.read_text()) == {"version": 4}


def test_an_outcome_that_asks_for_an_exit_code_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("jsonl", lambda: Outcome({"confirmed": ["drift"]}, exit_code=1)) == 1
    assert json.loads(capsys.readouterr().out) == {"confirmed": ["drift"]}


def test_a_refusal_tells_programs_why_and_is_still_one(
    outcome_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> Outcome:
        raise JobRefusedError("the model was refused", document={"reasons": [{"code": "rmse"}]})

    with pytest.raises(JobRefusedError, match="the model was refused"):
        tell("jsonl", refused)
    expected = {"error": "the model was refused", "reasons": [{"code": "rmse"}]}
    assert json.loads(capsys.readouterr().out) == json.loads(outcome_file.read_text()) == expected


def test_a_failure_writes_no_outcome(outcome_file: Path) -> None:
    def failed() -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell("jsonl", failed)
    assert not outcome_file.exists()


def test_a_refused_training_ends_with_1_and_its_last_line_names_the_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mlflow_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_database)
    project = Project(tmp_path / "project", write_trips(tmp_path / "trips.csv", rows=400))
    project.edit(Kind.TRAINING, "max_iter: 100 ", "max_iter: 5 ")
    project.edit(Kind.TRAINING, "rmse: {threshold: 5.0}", "rmse: {threshold: 0.001}")
    project.edit(Kind.RETRAIN, "  rmse: {threshold: 5.0}", "  rmse: {threshold: 0.001}")
    words = ["run", "training", "--environment", "dev", "--root", str(project.folder), "--format", "jsonl"]
    assert main(words) == 1
    said = capsys.readouterr()
    document = json.loads(said.out.splitlines()[-1])
    assert "rmse.threshold" in [reason["code"] for reason in document["reasons"]]
    assert document["version"] is None
    assert document["error"] in said.err

"""`make loop` in its short form: every step as the recording tells it, and nothing left behind by Ctrl-C."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services import unavailable
from tests.services.airflow import python_with

ROOT = Path(__file__).resolve().parents[2]
STEPS = ["data", "release", "servers", "deploy", "traffic", "quiet", "shift", "alert", "retrain"]
LAST_STEPS = ["rollback", "trace"]
_LIMIT_SECONDS = 1800.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found through /proc")


@dataclass(frozen=True)
class Told:
    """A story that has ended."""

    folder: Path
    code: int
    err: str

    @property
    def recording(self) -> dict[str, Any]:
        """``loop.json``."""
        document: dict[str, Any] = json.loads((self.folder / "loop.json").read_text())
        return document


def command(folder: Path) -> list[str]:
    """The short form, in a folder of its own."""
    return [sys.executable, "-m", "tools.loop", "--short", "--folder", str(folder)]


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    """Ends a test where the story cannot be told."""
    python_with("3.3")
    if shutil.which("prometheus") is None:
        unavailable("no prometheus on PATH (Debian: apt-get install prometheus)")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The whole of the short form."""
    folder = tmp_path_factory.mktemp("loop") / "run"
    finished = subprocess.run(
        command(folder), cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return Told(folder, finished.returncode, finished.stderr)


@pytest.fixture(scope="module")
def recording(told: Told) -> dict[str, Any]:
    """What it wrote down."""
    return told.recording


def test_every_step_went_as_it_should_and_is_shown(told: Told, recording: dict[str, Any]) -> None:
    assert recording["outcome"] == "succeeded"
    assert [step["key"] for step in recording["steps"]] == [*STEPS, *LAST_STEPS]
    for step in recording["steps"]:
        assert step["outcome"] == "succeeded"
        assert step["start"] <= step["end"]
        assert f"✓ {step['key']}" in told.err
        assert step["found"] in told.err
    assert "\x1b" not in told.err
    assert str(told.folder / "report.html") in told.err
    assert "<svg" in (told.folder / "report.html").read_text()


def test_airflow_trained_and_deployed_the_first_model(recording: dict[str, Any]) -> None:
    (run,) = (run for run in recording["dag_runs"] if run["job"] == "training")
    assert (run["run_id"], run["state"]) == ("deploy__dev__0.1.0", "success")
    assert [task["task_id"] for task in run["tasks"]] == ["verify", "train", "promote"]
    assert {task["state"] for task in run["tasks"]} == {"success"}


def test_a_day_like_the_others_is_no_drift_and_the_shift_is(recording: dict[str, Any]) -> None:
    quiet, first, second = recording["windows"]
    assert quiet["rows"] >= 1000
    assert not signal_of(quiet, "drift")["violated"]
    assert signal_of(first, "drift") | {"confirmed": False} == signal_of(first, "drift")
    assert signal_of(second, "drift")["confirmed"]
    (distance,) = (each for each in second["features"] if each["name"] == "distance_km")
    assert distance["drifted"]
    assert distance["value"] > distance["threshold"]


def test_the_configurations_own_alert_fired_after_the_drift_was_found(recording: dict[str, Any]) -> None:
    drift = [each["state"] for each in recording["alerts"] if each["name"] == "fare-drift"]
    assert drift[0] == "firing"
    fired = next(each["at"] for each in recording["alerts"] if each["name"] == "fare-drift")
    assert fired > recording["windows"][1]["end"]
    assert not [each for each in recording["alerts"] if each["name"] == "fare-errors"]


def test_airflow_retrained_by_itself_and_the_better_model_took_over(recording: dict[str, Any]) -> None:
    runs = [run for run in recording["dag_runs"] if run["job"] == "retraining"]
    assert {run["run_type"] for run in runs} == {"asset_triggered"}
    (contest,) = recording["contests"]
    assert contest["accepted"]
    assert contest["challenger"] == 2
    assert contest["metrics"]["rmse"] < contest["champion_metrics"]["rmse"]
    assert [reason["code"] for reason in contest["triggered"]] == ["drift"]
    headline = recording["headline"]
    assert headline["drift_found_at"] < headline["redeployed_at"]


def test_no_request_failed_and_both_models_answered(recording: dict[str, Any]) -> None:
    requests = recording["requests"]
    assert requests["failed"] == 0
    assert requests["total"] == sum(second["requests"] for second in requests["seconds"]) > 100
    seen = [set(second["versions"]) for second in requests["seconds"]]
    assert {"1", "2"} in seen, "the canary shared the traffic"
    assert seen[0] == seen[-1] == {"1"}, "the first model answered first, and again after the rollback"


def test_the_rollback_was_shown_before_it_was_done(recording: dict[str, Any]) -> None:
    assert "version 1" in recording["rollback"]["dry_run"]
    (entry,) = (entry for entry in recording["ledger"] if entry["event"] == "rolled_back")
    assert (entry["outcome"], entry["model"]["version"]) == ("succeeded", 1)


def test_a_prediction_of_the_new_model_leads_to_the_commit(told: Told, recording: dict[str, Any]) -> None:
    head = subprocess.run(
        ["git", "-C", told.folder / "project", "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    names = [node["name"] for node in recording["trace"]["document"]["nodes"]]
    assert {head, "trip-fare-dev:2", "dev/0.1.0"} <= set(names)


def test_nothing_listened_beyond_loopback_and_nothing_is_left(told: Told, recording: dict[str, Any]) -> None:
    listening = recording["listening"]
    assert listening["ports"] >= 4
    assert listening["beyond_loopback"] == []
    assert belonging_to(told.folder) == []


def test_ctrl_c_in_the_middle_leaves_no_process_and_no_listener(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with subprocess.Popen(command(folder), cwd=ROOT, stderr=subprocess.PIPE, text=True) as story:
        assert story.stderr is not None
        said = []
        for line in story.stderr:
            said.append(line)
            if line.startswith(("✓ servers", "✗")):
                break
        # The first DAG run is on its way: a task's job runs in a session of its own.
        until(lambda: any("training_main.py" in words for words in map(words_of, belonging_to(folder))))
        ports = [int(line.rpartition(":")[2]) for line in said if "http://127.0.0.1" in line]
        story.send_signal(signal.SIGINT)
        said += story.stderr.readlines()
    assert story.returncode == 130, "".join(said)
    assert belonging_to(folder) == []
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    steps = json.loads((folder / "loop.json").read_text())["steps"]
    assert (steps[-1]["key"], steps[-1]["outcome"]) == ("deploy", "interrupted")


def signal_of(window: dict[str, Any], name: str) -> dict[str, Any]:
    """What a window's report says of a signal."""
    (found,) = (each for each in window["signals"] if each["signal"] == name)
    result: dict[str, Any] = found
    return result


def belonging_to(folder: Path) -> list[int]:
    """Processes whose environment or command line names the folder: all of the story's do."""
    wanted, found = os.fsencode(folder), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            data = entry.joinpath("environ").read_bytes() + entry.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if wanted in data:
            found.append(int(entry.name))
    return found


def words_of(pid: int) -> str:
    """A process's command line; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def until(reached: Any) -> None:
    """Returns once ``reached()`` is true."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while not reached():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)

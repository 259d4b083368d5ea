"""What Terraform says while it works is told in lines, and nothing gets lost when we die."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_config.infrastructure.progress import Events
from tests.infrastructure.test_failures import until


class Log:
    """Keeps what a stage was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def progress(self, line: str) -> None:
        self.lines.append(line)

    def done(self, summary: str) -> None:
        self.lines.append(summary)


def told(*events: dict[str, object] | str) -> tuple[Events, list[str], list[str]]:
    """What was kept, what was shown for as long as nothing newer was, and what for good."""
    log, said = Log(), []
    found = Events(log, lambda line: said.append(line))
    for event in events:
        found.heard(event if isinstance(event, str) else json.dumps({"@level": "info", **event}))
    return found, log.lines, said


def hook(kind: str, address: str, action: str, seconds: int = 0) -> dict[str, object]:
    """An event about a resource, as Terraform 1.11.4 writes it."""
    return {
        "@message": f"{address}: …",
        "type": kind,
        "hook": {"resource": {"addr": address}, "action": action, "elapsed_seconds": seconds},
    }


def test_each_thing_that_is_done_is_a_line_and_the_one_under_way_is_shown_with_its_seconds() -> None:
    found, shown, said = told(
        hook("apply_start", "aws_mwaa_environment.this", "create"),
        hook("apply_start", "aws_s3_bucket.store", "create"),
        hook("apply_complete", "aws_s3_bucket.store", "create", 2),
        hook("apply_progress", "aws_mwaa_environment.this", "create", 10),
        hook("apply_progress", "aws_mwaa_environment.this", "create", 60),
        hook("apply_errored", "aws_mwaa_environment.this", "create", 61),
    )
    assert shown[-2] == "1 done; creating aws_mwaa_environment.this, 10 s"
    assert said == [
        "  + aws_s3_bucket.store created (2 s)",
        "    still creating aws_mwaa_environment.this (60 s)",
        "  + aws_mwaa_environment.this create failed (61 s)",
    ]
    assert [(each.address, each.state) for each in found.steps] == [
        ("aws_mwaa_environment.this", "failed"),
        ("aws_s3_bucket.store", "done"),
    ]


def test_a_replacement_is_two_steps() -> None:
    found, _, said = told(
        hook("apply_complete", "aws_x.y", "delete"), hook("apply_complete", "aws_x.y", "create")
    )
    assert [each.action for each in found.steps] == ["delete", "create"]
    assert said == ["  - aws_x.y deleted", "  + aws_x.y created"]


def test_what_is_only_read_is_no_step() -> None:
    found, _, said = told(
        hook("apply_start", "data.aws_region.this", "read"),
        hook("apply_complete", "data.aws_region.this", "read"),
    )
    assert (found.steps, said) == ((), [])


def test_lines_that_are_no_events_are_kept_for_the_worst_case() -> None:
    found, _, _ = told("There are some problems with the CLI configuration:", "", "[1, 2]", '"text"')
    assert found.noise == ["There are some problems with the CLI configuration:", "[1, 2]", '"text"']


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_what_was_begun_goes_on_to_its_end_when_we_are_killed(tmp_path: Path) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    child = (
        "import pathlib, time\nprint('begun', flush=True)\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
        f"for n in range(1000): print('x' * 1000, flush=True)\npathlib.Path({str(done)!r}).touch()"
    )
    parent = (
        "import pathlib, sys\nfrom mlops_config.infrastructure.running import follow\n"
        f"heard = lambda line: pathlib.Path({str(tmp_path / 'heard')!r}).touch()\n"
        f"follow([sys.executable, '-c', {child!r}], pathlib.Path({str(tmp_path)!r}), heard, print)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=tmp_path, env={**os.environ})
    until((tmp_path / "heard").exists)
    process.kill()
    process.wait(timeout=60)
    go.touch()
    until(done.exists)
    assert done.exists()

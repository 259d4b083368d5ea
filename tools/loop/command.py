"""Runs ``mlops-config`` as a person does: a process in the project's folder, watched while it works."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any

_STRANGERS = ("MLOPS_", "MLFLOW_", "AIRFLOW", "COV", "GITHUB_", "GIT_", "PYTHON", "VIRTUAL_ENV")
_STOP_SECONDS = 30.0
_SHOWN_LINES = 15


class CommandError(Exception):
    """A command ended otherwise than it should have."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What ``--format json`` printed."""
        return json.loads(self.out)


def forget_strangers() -> None:
    """Takes out of this process's environment what would change the story: a CI's commit, an MLflow."""
    for name in [name for name in os.environ if name.startswith(_STRANGERS)]:
        del os.environ[name]


def common_variables() -> dict[str, str]:
    """What every process of the loop gets.

    No Docker engine is asked, so the image is an OCI layout in a folder: quicker, and nothing is left behind.
    """
    return {
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
        "GIT_AUTHOR_NAME": "make loop",
        "GIT_AUTHOR_EMAIL": "loop@example.com",
        "GIT_COMMITTER_NAME": "make loop",
        "GIT_COMMITTER_EMAIL": "loop@example.com",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Threads of many processes that wait for each other by spinning leave two cores no time for work.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def run(
    *words: str,
    folder: Path,
    variables: Mapping[str, str],
    codes: Sequence[int] = (0,),
    on_line: Callable[[str], None] = lambda _line: None,
) -> Said:
    """``mlops-config`` with ``words``, once it has ended; ``on_line`` gets each line of its progress.

    Interrupted, it ends the command first.

    Raises:
        CommandError: it ended with none of ``codes``.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_config", *words],
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out: list[str] = []
    err: list[str] = []
    readers = [
        Thread(target=_read, args=(process.stdout, out, lambda _line: None), daemon=True),
        Thread(target=_read, args=(process.stderr, err, on_line), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        process.wait()
    finally:
        _stop(process)
    for reader in readers:
        # What the command left running may have its output open still, and is not waited for.
        reader.join(timeout=5)
    said = Said(process.returncode, "".join(out), "".join(err))
    if said.code not in codes:
        end = "\n".join((said.out + said.err).strip().splitlines()[-_SHOWN_LINES:])
        raise CommandError(f"`mlops-config {' '.join(words)}` ended with {said.code}:\n{end}")
    return said


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read(stream: IO[str], lines: list[str], on_line: Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            lines.append(line)
            on_line(line.rstrip("\n"))

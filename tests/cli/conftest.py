"""The command as a process, and a repository to run it in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.repositories import Repository

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


class Command:
    """Runs ``mlops-config`` in a repository and keeps what it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The finished process; whatever went wrong, it never prints a traceback."""
        finished = subprocess.run(
            self.line(*arguments),
            cwd=self.folder,
            env=os.environ | NO_ENGINE | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in finished.stderr, finished.stderr
        return finished

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """The running process, to be signalled."""
        return subprocess.Popen(
            self.line(*arguments),
            cwd=self.folder,
            env=os.environ | NO_ENGINE | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def line(*arguments: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "mlops_config", *arguments]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A clean repository with the example configuration."""
    return Repository(tmp_path / "a repository")


@pytest.fixture
def command(repository: Repository) -> Command:
    """The command, run at the repository's root."""
    return Command(repository.folder)

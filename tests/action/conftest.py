"""A runner with the example repository as its workspace, and the action run in it."""

import os
import signal
from dataclasses import dataclass

import pytest
from tests.action.runner import Command, Runner, commands_in
from tests.repositories import Repository

from mlops_config.github.action import main


@dataclass(frozen=True)
class Ran:
    """How a step ended."""

    exit_code: int
    printed: str

    @property
    def commands(self) -> list[Command]:
        """What the runner was told, but for groups of lines and masks."""
        return [
            each for each in commands_in(self.printed) if each.name not in ("group", "endgroup", "add-mask")
        ]


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "fares")


@pytest.fixture
def runner(tmp_path, repository):
    return Runner(tmp_path / "runner", repository.folder)


@pytest.fixture
def run(runner, monkeypatch, capsys, tmp_path):
    """Runs a job of the action as a step with these inputs; no Docker engine answers."""
    before = signal.getsignal(signal.SIGTERM)

    def run_step(job="action", **inputs):
        with monkeypatch.context() as patch:
            patch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
            for name, value in runner.environment(**inputs).items():
                patch.setenv(name, value)
            patch.chdir(runner.workspace)
            capsys.readouterr()
            code = main([job])
            assert not [name for name in os.environ if name.startswith("MLOPS_INPUT_")]
        return Ran(code, capsys.readouterr().out)

    yield run_step
    signal.signal(signal.SIGTERM, before)

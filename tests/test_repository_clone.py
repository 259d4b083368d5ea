"""A fresh clone does the main job by itself, in a folder with a space in its name, and survives a move."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.console_blocks import Command, mismatch, steps

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "a clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


def make(folder: Path, *targets: str) -> str:
    """What make and all it called printed; fails the test when it failed."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    # With an engine the image would get the name of the one `make run` builds in the checkout under test.
    environment["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    done = subprocess.run(
        ["make", *targets],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_fresh_clone_does_what_the_readme_shows_and_survives_a_move(clone: Path) -> None:
    shown = [step for step in steps(ROOT / "README.md") if isinstance(step, Command)]
    assert [command.text for command in shown] == ["make run", "make run"]
    for command in shown:
        printed = make(clone, "run")
        assert mismatch(command, printed) is None, printed
    assert (clone / ".mlops-config" / "store").is_dir()

    moved = clone.rename(clone.with_name("moved"))
    assert "making .venv" in make(moved, "setup")
    assert make(moved, "setup") == ""
    program = moved / ".venv" / "bin" / "mlops-config"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("mlops-config ")

    left = subprocess.run(
        ["git", "status", "--porcelain"], cwd=moved, capture_output=True, text=True, check=True
    )
    assert left.stdout == "", "git ignores what make makes"

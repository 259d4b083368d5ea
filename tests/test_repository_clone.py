"""A fresh clone does the main job by itself, in a folder with a space in its name, and survives a move."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "a clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


def make(folder: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    """What make said; fails the test when it failed."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    done = subprocess.run(
        ["make", *targets], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_fresh_clone_releases_then_finds_nothing_changed_then_survives_a_move(clone: Path) -> None:
    first = make(clone, "run")
    assert "installing" in first.stderr
    assert (clone / ".mlops-config" / "store").is_dir()

    again = make(clone, "run")
    assert "installing" not in again.stderr
    assert "nothing" in again.stdout + again.stderr

    moved = clone.rename(clone.with_name("moved"))
    mended = make(moved, "setup")
    assert "making .venv" in mended.stderr
    assert make(moved, "setup").stderr == ""
    version = subprocess.run(
        [moved / ".venv/bin/mlops-config", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("mlops-config ")

    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=moved, capture_output=True, text=True, check=True
    )
    assert status.stdout == "", "what make makes is ignored by git"

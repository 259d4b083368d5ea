"""What the set-up scripts say on a machine that lacks something."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS_OF_A_SHELL = ("sh", "cat", "cksum", "date", "dirname", "env", "grep", "head", "rm")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing but what set-up reads."""
    folder = tmp_path / "a checkout"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup.sh", folder / "tools")
    shutil.copy(ROOT / "tools" / "services.py", folder / "tools")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    return folder


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder of programs that has a shell and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in TOOLS_OF_A_SHELL:
        found = shutil.which(program)
        assert found, program
        (folder / program).symlink_to(found)
    return folder


def set_up(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What setup.sh said and how it ended."""
    return subprocess.run(
        [checkout / "tools" / "setup.sh", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_without_python_is_told_what_to_install(checkout: Path, bare_path: Path) -> None:
    done = set_up(checkout, "run", PATH=str(bare_path))
    assert done.returncode == 2
    assert "no Python 3.11 to 3.14 found" in done.stderr
    assert "python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_named_but_unfit_is_refused_rather_than_replaced(checkout: Path) -> None:
    done = set_up(checkout, "run", PYTHON="false")
    assert done.returncode == 2
    assert "PYTHON=false is not a Python 3.11 to 3.14" in done.stderr


def test_a_python_without_venv_is_told_which_package_has_it(
    checkout: Path, bare_path: Path, tmp_path: Path
) -> None:
    hidden = tmp_path / "hidden" / "ensurepip"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError\n")
    python = bare_path / "python3"
    # -I would keep PYTHONPATH out, so the stand-in drops it and does without ensurepip.
    python.write_text(f'#!/bin/sh\nshift\nPYTHONPATH="{hidden.parent}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    done = set_up(checkout, "run", PATH=str(bare_path))
    assert done.returncode == 2
    assert "apt-get install python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_set_that_is_not_there_is_named(checkout: Path) -> None:
    done = set_up(checkout, "everything")
    assert done.returncode == 2
    assert "requirements/everything.txt" in done.stderr


def test_services_are_not_installed_where_that_is_forbidden(checkout: Path, bare_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, checkout / "tools" / "services.py", "up"],
        env={"PATH": str(bare_path), "MLOPS_INSTALL": "0", "DOCKER_HOST": "unix:///nowhere.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "no docker-registry: tests of pushes to a registry are skipped" in done.stderr or shutil.which(
        "docker-registry", path="/usr/local/sbin:/usr/sbin:/sbin"
    )
    assert "installing" not in done.stderr
    assert "no Docker engine answers" in done.stderr

"""Linters for what is not Python: shell scripts and Dockerfiles."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services import unavailable

ROOT = Path(__file__).resolve().parent.parent


def scripts() -> list[Path]:
    """Every shell script: by its name, or by its first line."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [Path(name) for name in sorted(set(listed.stdout.decode().split("\0"))) if name]
    return [path for path in paths if (ROOT / path).is_file() and is_shell(ROOT / path)]


def is_shell(path: Path) -> bool:
    """Whether a shell runs the file."""
    if path.suffix:
        return path.suffix in {".sh", ".bash"}
    with path.open("rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and first.rstrip().endswith((b"sh", b"bash"))


def dockerfiles() -> list[Path]:
    """Every Dockerfile."""
    found = [*ROOT.glob("**/*Dockerfile"), *ROOT.glob("**/Dockerfile.*")]
    hidden = {".venv", ".cache", ".git", "node_modules"}
    return sorted(p.relative_to(ROOT) for p in found if not hidden & {*p.relative_to(ROOT).parts})


def lint(program: str, *arguments: str | Path) -> None:
    """Fails with what the linter says."""
    found = shutil.which(program) or shutil.which(program, path=str(ROOT / ".venv" / "bin"))
    if found is None:
        unavailable(f"{program} is not installed")
    done = subprocess.run([found, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", scripts(), ids=str)
def test_a_shell_script_passes_shellcheck(script: Path) -> None:
    lint("shellcheck", "--severity=style", script)


@pytest.mark.parametrize("dockerfile", dockerfiles(), ids=str)
def test_a_dockerfile_passes_hadolint(dockerfile: Path) -> None:
    lint("hadolint", "--no-color", dockerfile)

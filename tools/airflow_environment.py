"""Makes an environment with Airflow, hash-locked, beside .venv: jobs and Airflow do not go together.

    python tools/airflow_environment.py 3.3     .cache/airflow/3.3, from requirements/airflow-3.3.txt

A second call with nothing changed takes milliseconds. This package is in it as it lies here.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".cache" / "airflow"
VERSIONS = ("3.3", "3.1")
"""The newest and the oldest Airflow that the DAGs are for."""
NEWEST_PYTHON = {"3.3": (3, 14), "3.1": (3, 13)}
"""As their packages say in Requires-Python."""
UV = ROOT / ".venv" / "bin" / "uv"


def python_of(version: str) -> Path:
    """The environment's interpreter, there or not."""
    return ENVIRONMENTS / version / "bin" / "python"


def lock_of(version: str) -> Path:
    """What is installed into it."""
    return ROOT / "requirements" / f"airflow-{version}.txt"


def runs_here(version: str) -> bool:
    """Whether this Airflow is for the Python that runs this."""
    return sys.version_info[:2] <= NEWEST_PYTHON[version]


def ensure(version: str) -> Path:
    """Makes the environment if it is not there or not current; returns its interpreter.

    Raises:
        subprocess.CalledProcessError: a package could not be installed; what was there is gone.
    """
    python, stamp = python_of(version), ENVIRONMENTS / version / ".installed"
    wanted = _state(version)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    started = time.monotonic()
    folder = ENVIRONMENTS / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    _run(environment, UV, "venv", "--quiet", "--no-project", "--python", sys.executable, folder)
    hashed = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", lock_of(version))
    _run(environment, UV, "pip", "install", "--quiet", "--python", python, *hashed)
    # A path file does what an editable installation does, and needs no build backend here.
    (source,) = folder.glob("lib/python*/site-packages")
    (source / "mlops_config.pth").write_text(f"{ROOT / 'src'}\n")
    stamp.write_text(wanted)
    print(f"airflow: {version} ready ({time.monotonic() - started:.0f} s)", file=sys.stderr)
    return python


def _state(version: str) -> str:
    lock = hashlib.sha256(lock_of(version).read_bytes()).hexdigest()
    return f"{lock} {sys.version.split()[0]} {ROOT}\n"


def _run(environment: dict[str, str], *command: str | Path) -> None:
    subprocess.run(command, env=environment, check=True, cwd=ROOT)


def main() -> int:
    """Makes the environments that are named; all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("versions", nargs="*", default=VERSIONS, metavar="VERSION", help="3.3, 3.1")
    for version in parser.parse_args().versions:
        if not lock_of(version).exists():
            print(
                f"airflow: there is no {lock_of(version)}; known are {', '.join(VERSIONS)}", file=sys.stderr
            )
            return 2
        if not runs_here(version):
            print(f"airflow: {version} is not for Python {sys.version.split()[0]}", file=sys.stderr)
            continue
        try:
            ensure(version)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"airflow: {version} could not be installed: {error}", file=sys.stderr)
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

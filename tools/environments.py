"""Makes the environments beside .venv whose packages do not go together with ours, each hash-locked.

    tools/environments.py airflow-3.3       .cache/airflow/3.3, from requirements/airflow-3.3.txt
    tools/environments.py                   all of them

A second call with nothing changed takes milliseconds.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"
AIRFLOW = ROOT / ".cache" / "airflow"
AIRFLOW_VERSIONS = ("3.3", "3.1")
"""The newest and the oldest Airflow that the DAGs are for."""


class Environment(NamedTuple):
    """One environment: where it lies and what is in it."""

    name: str
    folder: Path
    newest_python: tuple[int, int]
    """As its packages say in Requires-Python, and have wheels for."""
    has_source: bool = False
    """Whether this package is in it, as it lies here."""

    @property
    def lock(self) -> Path:
        """What is installed into it."""
        return ROOT / "requirements" / f"{self.name}.txt"

    @property
    def python(self) -> Path:
        """Its interpreter, there or not."""
        return self.folder / "bin" / "python"

    @property
    def runs_here(self) -> bool:
        """Whether it is for the Python that runs this."""
        return sys.version_info[:2] <= self.newest_python

    def ensure(self) -> None:
        """Makes it if it is not there or not current.

        Raises:
            subprocess.CalledProcessError: a package could not be installed; what was there is gone.
        """
        stamp, wanted = self.folder / ".installed", self._state()
        if self.python.exists() and stamp.exists() and stamp.read_text() == wanted:
            return
        started = time.monotonic()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        _run(UV, "venv", "--quiet", "--no-project", "--python", sys.executable, self.folder)
        hashed = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", self.lock)
        _run(UV, "pip", "install", "--quiet", "--python", self.python, *hashed)
        if self.has_source:
            # A path file does what an editable installation does, and needs no build backend here.
            (packages,) = self.folder.glob("lib/python*/site-packages")
            (packages / "mlops_config.pth").write_text(f"{ROOT / 'src'}\n")
        stamp.write_text(wanted)
        print(f"environments: {self.name} ready ({time.monotonic() - started:.0f} s)", file=sys.stderr)

    def _state(self) -> str:
        lock = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        return f"{lock} {sys.version.split()[0]} {ROOT}\n"


ALL = {
    each.name: each
    for each in (
        Environment("airflow-3.3", AIRFLOW / "3.3", (3, 14), has_source=True),
        Environment("airflow-3.1", AIRFLOW / "3.1", (3, 13), has_source=True),
        # Terraform's plug-in protocol in Python is of protobuf 5.
        Environment("provider", ROOT / ".cache" / "provider", (3, 14)),
        Environment("checkov", ROOT / ".cache" / "checkov", (3, 14)),
    )
}


def airflow(version: str) -> Environment:
    """The environment with an Airflow, such as ``3.3``."""
    return ALL[f"airflow-{version}"]


def _run(*command: str | Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(command, env=environment, check=True, cwd=ROOT)


def main() -> int:
    """Makes the environments that are named; all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ALL))
    names = parser.parse_args().names or list(ALL)
    if unknown := [name for name in names if name not in ALL]:
        print(f"environments: there is no {unknown[0]}; known are {', '.join(ALL)}", file=sys.stderr)
        return 2
    failed = 0
    for environment in (ALL[name] for name in names):
        if not environment.runs_here:
            print(
                f"environments: {environment.name} is not for Python {sys.version.split()[0]}",
                file=sys.stderr,
            )
            continue
        try:
            environment.ensure()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"environments: {environment.name} could not be installed: {error}", file=sys.stderr)
            failed = 3
    return failed


if __name__ == "__main__":
    sys.exit(main())

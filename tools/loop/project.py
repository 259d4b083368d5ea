"""The loop's own project: a fresh git repository with the configuration of ``examples/loop``, and data."""

import csv
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.make_dataset import COLUMNS, trips

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "loop"
ENVIRONMENT = "dev"
PROJECT, MODEL_NAME = "city-taxi", "trip-fare"
REGISTERED_MODEL = "trip-fare-dev"
ENDPOINT = "trip-fare-dev"

FIRST_ROWS = 4000
NEWER_ROWS = 6000
LATER_ROWS = 1500
"""About half an hour passes between two trips, so 4,000 of them are five weeks."""


@dataclass(frozen=True)
class Project:
    """A repository, and the port its endpoint will have."""

    folder: Path
    port: int
    today: datetime
    """Midnight, UTC, of the day the loop runs."""

    @property
    def trips_file(self) -> Path:
        """What is learned from."""
        return self.folder / "data" / "trips.csv"

    def day(self, before: int) -> datetime:
        """So many days before today."""
        return self.today - timedelta(days=before)

    def git(self, environment: Mapping[str, str], *words: str) -> str:
        """What git prints."""
        return subprocess.run(
            ["git", "-C", str(self.folder), *words],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def git_bytes(self, environment: Mapping[str, str], *words: str) -> bytes:
        """What git prints, to the byte."""
        command = ["git", "-C", str(self.folder), *words]
        return subprocess.run(command, env=dict(environment), capture_output=True, check=True).stdout

    def commit(self, environment: Mapping[str, str], message: str) -> str:
        """Commits every change; the commit."""
        self.git(environment, "add", "--all")
        self.git(environment, "commit", "--quiet", "--message", message)
        return self.git(environment, "rev-parse", "HEAD")

    def edit(self, kind: str, old: str, new: str) -> None:
        """Replaces ``old``, which has to be there once, in one of the four files."""
        path = self.folder / "configs" / ENVIRONMENT / f"{ENVIRONMENT}_{kind}_config.yaml"
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{old!r} is in {path.name} {text.count(old)} times, not once")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def write_trips(self, path: Path, rows: int, *, seed: int, start: datetime, shift: float = 0.0) -> None:
        """A file of trips; appended to when it is there already."""
        is_new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(COLUMNS)
            writer.writerows(trips(rows, seed=seed, start=start, shift=shift))


def make_project(folder: Path, environment: Mapping[str, str]) -> Project:
    """The project in a new folder, with its first commit and its first data.

    Its endpoint gets a free port, and its schedules a time half a day away: nothing runs but what the story
    starts, and what follows from that.
    """
    now = datetime.now(UTC)
    project = Project(folder, free_port(), now.replace(hour=0, minute=0, second=0, microsecond=0))
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("README.md"))
    (folder / ".gitignore").write_text(".mlops-config/\nbuild/\ndata/\n", encoding="utf-8")
    later = now + timedelta(hours=12)
    project.edit("inference", "port: 8080", f"port: {project.port}")
    project.edit("inference", 'cron: "0 6 * * *"', f'cron: "{later.minute} {later.hour} * * *"')
    project.edit("monitoring", 'cron: "30 6 * * *"', f'cron: "{later.minute} {later.hour} * * *"')
    project.write_trips(project.trips_file, FIRST_ROWS, seed=261, start=project.day(150))
    project.git(environment, "init", "--quiet", "--initial-branch=main")
    project.commit(environment, "Configure the fare model")
    return project


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

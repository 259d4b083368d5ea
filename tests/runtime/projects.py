"""The example project in a folder of its own, with fewer rows, for jobs to run in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mlops_config.kinds import Kind, canonical_name

ROOT = Path(__file__).resolve().parents[2]


def write_trips(
    path: Path, *, rows: int, shift: float = 0.0, start: str = "2026-01-01", seed: int = 261
) -> Path:
    """Trips as the example's data set has them; ``shift`` plants drift."""
    command = [
        sys.executable,
        str(ROOT / "tools" / "make_dataset.py"),
        "--rows",
        str(rows),
        "--seed",
        str(seed),
    ]
    command += ["--shift", str(shift), "--start", start, "--output", str(path)]
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, check=True, capture_output=True)
    return path


class Project:
    """A folder with the dev configuration and its data."""

    def __init__(self, folder: Path, trips: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "configs", folder / "configs")
        (folder / "data").mkdir()
        os.link(trips, folder / "data" / "trips.csv")

    def file(self, kind: Kind) -> Path:
        """One of the four files."""
        return self.folder / "configs" / "dev" / canonical_name("dev", kind)

    def edit(self, kind: Kind, old: str, new: str) -> None:
        """Replaces ``old``, which must be there once."""
        path = self.file(kind)
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} is in {path.name} {text.count(old)} times"
        path.write_text(text.replace(old, new), "utf-8")

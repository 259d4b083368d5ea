"""The workflow and action files of this repository, read once for every test in this folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OWN = "org/mlops-config-action"

WORKFLOWS = tuple(sorted((ROOT / ".github" / "workflows").glob("*.yml")))
EXAMPLES = tuple(sorted((ROOT / "examples").glob("*.yml")))
ACTIONS = (ROOT / "action.yml", *sorted(ROOT.glob("action/**/action.yml")))


def name_of(path: Path) -> str:
    """The path in the repository, with ``/``."""
    return path.relative_to(ROOT).as_posix()


def load(path: Path) -> dict[str, Any]:
    """The file's data; the key ``on`` stays what it is."""
    data: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 makes only strings
    return data


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    """The jobs of a workflow."""
    found: dict[str, dict[str, Any]] = load(path)["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Every step of a workflow's jobs, or of a composite action."""
    data = load(path)
    for part in [*data.get("jobs", {}).values(), data.get("runs", {})]:
        yield from part.get("steps", [])


def uses(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each reference to an action or reusable workflow, with what it is given."""
    data = load(path)
    for part in [*data.get("jobs", {}).values(), *steps(path)]:
        if "uses" in part:
            yield part["uses"], part.get("with", {})


def own_file(reference: str) -> Path | None:
    """The file in this repository that a reference leads to, or ``None`` if it leads elsewhere."""
    # publish.yml checks a published version of this repository out into that folder.
    place = reference.partition("@")[0].replace("./published", "./")
    for prefix in ("$/", "./", f"{OWN}/", OWN):
        if place.startswith(prefix):
            path = ROOT / place.removeprefix(prefix)
            return path if path.suffix == ".yml" else path / "action.yml"
    return None


def declared_inputs(path: Path) -> dict[str, dict[str, str]]:
    """The inputs that an action or reusable workflow declares."""
    data = load(path)
    # BaseLoader reads a key without a value as an empty string.
    declaring = data["on"]["workflow_call"] if "on" in data else data
    return (declaring or {}).get("inputs") or {}

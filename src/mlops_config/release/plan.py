"""What merging would change: the configuration here against the one at another commit, file by file."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from mlops_config.bundle.bundle import sha256_of
from mlops_config.bundle.semantic import meaning
from mlops_config.contract.meaning import model_of
from mlops_config.contract.validation import ConfigFile, Validation, validate
from mlops_config.kinds import Kind
from mlops_config.release.changes import Change, FileChange, changes, file_change
from mlops_config.release.source import extract_at_commit
from mlops_config.settings import Settings


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """What happens to one file of one environment."""

    environment: str
    kind: Kind
    path: str
    """In the repository: where it lies now, or lay before."""
    change: FileChange
    changes: tuple[Change, ...]
    """Value by value; empty where the meaning stays, or the file is new or gone."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One file on one side of the comparison, with both hashes."""

    path: str
    sha256: str
    semantic_sha256: str
    meaning: Any


def plan_against(
    root: Path, settings: Settings, validation: Validation, commit: str
) -> tuple[PlannedFile, ...]:
    """A row for each environment and file that is there now or was at ``commit``, in order of promotion.

    A file that is not valid is compared as it is written, without defaults.

    Raises:
        UsageError: ``commit`` is not in this clone.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-config-") as folder:
        extract_at_commit(root, commit, settings.config_dir, Path(folder))
        (Path(folder) / settings.config_dir).mkdir(parents=True, exist_ok=True)
        before = validate(Path(folder), settings)
    rows = []
    for environment in validation.environments:
        old, new = _sides(before, environment), _sides(validation, environment)
        rows += [
            _planned(environment, kind, old.get(kind), new.get(kind)) for kind in Kind if kind in old | new
        ]
    return tuple(rows)


def _planned(environment: str, kind: Kind, old: _Side | None, new: _Side | None) -> PlannedFile:
    differences = changes({kind: old.meaning}, {kind: new.meaning}) if old and new else ()
    path = new.path if new else old.path if old else ""
    return PlannedFile(environment, kind, path, file_change(old, new), differences)


def _sides(validation: Validation, environment: str) -> Mapping[Kind, _Side]:
    configs = validation.environments.get(environment)
    return {kind: _side(file) for kind, file in configs.files.items()} if configs else {}


def _side(file: ConfigFile) -> _Side:
    if file.model is not None:
        meant: Any = meaning(model_of(file))
        return _Side(file.path, sha256_of(file.data), sha256_of(rfc8785.dumps(meant)), meant)
    as_written = file.document.data if isinstance(file.document.data, dict) else {}
    return _Side(file.path, sha256_of(file.data), sha256_of(file.data), as_written)

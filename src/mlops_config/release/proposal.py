"""What merging would change: the configuration here against the one at another commit, file by file."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from mlops_config.bundle.bundle import sha256_of
from mlops_config.bundle.semantic import meaning
from mlops_config.contract.validation import ConfigFile, Validation, validate
from mlops_config.findings import Severity
from mlops_config.kinds import Kind
from mlops_config.release.changes import changes, file_change
from mlops_config.release.plan import PlanRow
from mlops_config.release.source import extract_at_commit
from mlops_config.settings import Settings


@dataclass(frozen=True, slots=True)
class _Side:
    """One file on one side of the comparison, with both hashes."""

    path: str
    sha256: str
    semantic_sha256: str
    meaning: Any


def proposed_changes(
    root: Path, settings: Settings, validation: Validation, commit: str
) -> tuple[PlanRow, ...]:
    """A row for each environment and file that is there now or was at ``commit``, in order of promotion.

    A file that is not valid is compared as it is written, without defaults.

    Raises:
        UsageError: ``commit`` is not in this clone.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-config-") as folder:
        (Path(folder) / settings.config_dir).mkdir(parents=True)
        extract_at_commit(root, commit, settings.config_dir, Path(folder))
        before = validate(Path(folder), settings)
    rows = []
    for environment in validation.environments:
        old, new = _sides(before, environment), _sides(validation, environment)
        present = [kind for kind in Kind if kind in old or kind in new]
        rows += [_row(environment, kind, old.get(kind), new.get(kind), validation) for kind in present]
    return tuple(rows)


def _row(
    environment: str, kind: Kind, old: _Side | None, new: _Side | None, validation: Validation
) -> PlanRow:
    path = new.path if new else old.path if old else ""
    own = [each.severity for each in validation.findings if each.place and each.place.file == path]
    return PlanRow(
        environment,
        kind,
        path,
        file_change(old, new),
        changes({kind: old.meaning}, {kind: new.meaning}) if old and new else (),
        own.count(Severity.ERROR),
        own.count(Severity.WARNING),
    )


def _sides(validation: Validation, environment: str) -> Mapping[Kind, _Side]:
    configs = validation.environments.get(environment)
    return {kind: _side(file) for kind, file in configs.files.items()} if configs else {}


def _side(file: ConfigFile) -> _Side:
    if file.model is not None:
        meant: Any = meaning(file.model)
        return _Side(file.path, sha256_of(file.data), sha256_of(rfc8785.dumps(meant)), meant)
    as_written = file.document.data if isinstance(file.document.data, dict) else {}
    return _Side(file.path, sha256_of(file.data), sha256_of(file.data), as_written)

"""A model package as files: ``model.skops``, ``profile.json``, and ``package.json`` with their digests.

The digest of a package is that of its ``package.json``, so it names every byte of the others. Equal packages
have equal files, whenever and wherever they are written. Nothing is pickled.
"""

import hashlib
import json
import logging
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_config.contract.models.tables import TableSchema
from mlops_config.errors import IntegrityError, MlopsConfigError, UsageError, of_os_error
from mlops_config.files import write_atomically
from mlops_config.release.record import Digest
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.model.skops_file import from_skops, to_skops
from mlops_config.runtime.profile.profile import Profile

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

MODEL = "model.skops"
PROFILE = "profile.json"
DESCRIPTION = "package.json"
FORMAT = 1

_ALWAYS = ("scikit-learn", "numpy", "skops")
_BOOSTERS = {"lightgbm": ("lightgbm",), "xgboost": ("xgboost", "xgboost-cpu")}
"""The distributions either of which brings the package."""
_DECIDING = frozenset({"scikit-learn", "lightgbm", "xgboost", "xgboost-cpu"})
"""Distributions whose next minor version may read a stored model differently."""
_NULLABLE: Mapping[str, Any] = {"integral": "Int64", "boolean": "boolean"}
_TOLERANCE = 1e-6


class _Description(BaseModel):
    """What ``package.json`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    files: dict[str, Digest]
    versions: dict[str, str]
    """Of Python and of the libraries that made the model."""
    table: TableSchema
    tags: dict[str, str]
    example: dict[str, list[Any]]
    expected: list[Any]
    """What the model predicts for the example: shows whether another version of a library still agrees."""


def package_files(package: ModelPackage) -> dict[str, bytes]:
    """The package's files by name, ``package.json`` last.

    Raises:
        UsageError: the model cannot be stored without pickle, or not predict its own example.
    """
    files = {
        MODEL: to_skops(package.pipeline),
        PROFILE: package.profile.to_json(),
    }
    description = _Description(
        format=FORMAT,
        files={name: _digest(data) for name, data in files.items()},
        versions=_versions(files[MODEL]),
        table=package.schema,
        tags=dict(sorted(package.tags.items())),
        example={name: [_plain(value) for value in values] for name, values in package.example.items()},
        expected=_predictions(package),
    )
    return {**files, DESCRIPTION: _json(description.model_dump(mode="json"))}


def write_package(package: ModelPackage, folder: Path) -> str:
    """Writes the package's files into ``folder``, made as needed, and returns the package's digest.

    Each file appears whole and ``package.json`` last, so a package that was cut short does not pass for one.

    Raises:
        UsageError: the model cannot be stored.
        ServiceError: the disk is full or refuses.
    """
    files = package_files(package)
    write_files(files, folder)
    return _digest(files[DESCRIPTION])


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes a package's files in their order, each whole.

    Raises:
        ServiceError: the disk is full or refuses.
    """
    try:
        for name, data in files.items():
            write_atomically(folder / name, data)
    except OSError as error:
        raise of_os_error(error) from error


def copy_package(source: Path, folder: Path) -> None:
    """Copies a package's files, unchecked, out of a folder that may hold others too.

    Raises:
        IntegrityError: a file is missing.
        ServiceError: a file cannot be read or written.
    """
    write_files({name: _read(source, name) for name in (MODEL, PROFILE, DESCRIPTION)}, folder)


def read_package(folder: Path, *, digest: str | None = None) -> ModelPackage:
    """The package in ``folder``, every file checked against ``package.json``; other files are not looked at.

    Args:
        folder: Where the files are.
        digest: What the digest of the package has to be, where that is known from elsewhere.

    Raises:
        IntegrityError: a file is missing or other than its digest says, the model holds an untrusted type, or
            the installed libraries make other predictions of it than those that stored it.
        UsageError: the package was written by a newer version, or needs a library that is not installed.
        ServiceError: the files cannot be read.
    """
    found = _read(folder, DESCRIPTION)
    if digest is not None and _digest(found) != digest:
        raise IntegrityError(f"{folder} holds the package {_digest(found)}, expected was {digest}")
    description = _description(found, folder / DESCRIPTION)
    contents = {name: _checked(folder, name, description.files) for name in (MODEL, PROFILE)}
    package = ModelPackage(
        pipeline=from_skops(contents[MODEL], origin=str(folder / MODEL)),
        schema=description.table,
        profile=_profile(contents[PROFILE], folder / PROFILE),
        tags=description.tags,
        example=_example(description),
    )
    _compare_versions(package, description, folder)
    return package


def package_digest(folder: Path) -> str:
    """``sha256:<64 hex>`` of the package in ``folder``; the files are not checked.

    Raises:
        IntegrityError: there is no package.
        ServiceError: it cannot be read.
    """
    return _digest(_read(folder, DESCRIPTION))


def digest_of(files: Mapping[str, bytes]) -> str:
    """The digest of the package that consists of these files."""
    return _digest(files[DESCRIPTION])


def example_frame(package: ModelPackage) -> "pandas.DataFrame":
    """The package's example as the frame its pipeline takes.

    Timestamps are UTC; whole numbers and booleans with gaps have pandas' nullable types.
    """
    import pandas as pd

    frame = pd.DataFrame(dict(package.example))
    for feature in package.schema.features:
        if feature.name not in frame:
            continue
        column = frame[feature.name]
        if feature.type == "timestamp":
            frame[feature.name] = pd.to_datetime(column, utc=True)
        elif feature.type in _NULLABLE and column.isna().any():
            frame[feature.name] = column.astype(_NULLABLE[feature.type])
    return frame


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _plain(value: Any) -> Any:
    """The value as JSON has it: numpy's scalars as Python's, a moment as ISO 8601, no value as null."""
    import pandas as pd

    value = value.item() if hasattr(value, "item") else value
    if pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value


def _example(description: _Description) -> dict[str, list[Any]]:
    example = dict(description.example)
    for feature in description.table.features:
        if feature.type == "timestamp" and feature.name in example:
            example[feature.name] = [_moment(value) for value in example[feature.name]]
    return example


def _moment(value: str | None) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _predictions(package: ModelPackage) -> list[Any]:
    frame = example_frame(package)
    if frame.empty:
        return []
    try:
        return [_plain(value) for value in package.pipeline.predict(frame)]
    except Exception as error:  # estimators raise what they like
        raise UsageError(f"the model cannot predict its own example: {error}") from error


def _versions(model: bytes) -> dict[str, str]:
    """The versions of Python and of what the model needs to be loaded."""
    boosters = (names for package, names in _BOOSTERS.items() if f'"{package}.'.encode() in model)
    needed = [*_ALWAYS, *(name for names in boosters for name in names)]
    found = {name: _installed(name) for name in needed}
    return {"python": platform.python_version(), **{name: here for name, here in found.items() if here}}


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise IntegrityError(
            f"{folder} holds no model package: {name} is missing",
            hint="a package is a folder with model.skops, profile.json and package.json",
        ) from error
    except OSError as error:
        raise of_os_error(error) from error


def _checked(folder: Path, name: str, digests: Mapping[str, str]) -> bytes:
    data = _read(folder, name)
    if _digest(data) != digests.get(name):
        raise IntegrityError(
            f"{folder / name} is {_digest(data)}, but {DESCRIPTION} says {digests.get(name)}",
            hint="the file was changed after the training job wrote it, or is incomplete: fetch it again",
        )
    return data


def _description(data: bytes, path: Path) -> _Description:
    try:
        document = json.loads(data)
        newer = isinstance(document, dict) and document.get("format", 0) > FORMAT
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{path} is no description of a package: {error}") from error
    if newer:
        raise UsageError(
            f"{path} has format {document['format']}, and this version reads {FORMAT}",
            hint="read it with the version of mlops-config-action that trained the model, or a newer one",
        )
    try:
        return _Description.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise IntegrityError(f"{path} is no description of a package: {where}: {first['msg']}") from error


def _profile(data: bytes, path: Path) -> Profile:
    try:
        return Profile.from_json(data)
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error.message}") from error


def _compare_versions(package: ModelPackage, description: _Description, folder: Path) -> None:
    """Where a library's version changed, the example has to be predicted as before.

    scikit-learn promises nothing for a model that another version stored, though most work (its user guide,
    "Model persistence"): a difference in predictions is refused, and a difference in versions alone is told.
    """
    changed = [
        f"{name} {stored}, and {here} is installed here"
        for name, stored in description.versions.items()
        if name in _DECIDING and (here := _installed(name)) is not None and _minor(stored) != _minor(here)
    ]
    if not changed:
        return
    told = f"the model in {folder} was stored by {' and '.join(changed)}"
    hint = "run it with the versions of the image that trained it, or train it again"
    try:
        same = _close(_predictions(package), description.expected)
    except MlopsConfigError as error:
        raise IntegrityError(f"{told}: {error.message}", hint=hint) from error
    if not same:
        raise IntegrityError(f"{told}: it predicts its example differently now", hint=hint)
    agree = "it predicts its example as before" if description.expected else "it has no example to compare"
    log.warning("%s: %s", told, agree)


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _minor(version_: str) -> list[str]:
    return version_.split(".")[:2]


def _close(found: list[Any], expected: list[Any]) -> bool:
    import math

    return len(found) == len(expected) and all(
        math.isclose(one, other, rel_tol=_TOLERANCE)
        if isinstance(one, float) and isinstance(other, float)
        else one == other
        for one, other in zip(found, expected, strict=True)
    )

"""The example files as plain data, and ways to change one value of them."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlops_config.contract.models.by_kind import MODELS, Header
from mlops_config.contract.reading.yaml_reader import read_document
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind, canonical_name

ROOT = Path(__file__).resolve().parent.parent.parent
COMPLETE = ROOT / "configs"
MINIMAL = ROOT / "examples" / "minimal" / "configs"
ENVIRONMENTS = ("dev", "staging", "prod")


def path_of(environment: str, kind: Kind, root: Path = COMPLETE) -> Path:
    """The example file of an environment and kind."""
    return root / environment / canonical_name(environment, kind)


def document(environment: str, kind: Kind, root: Path = COMPLETE) -> dict[str, Any]:
    """An example file's data, read as the program reads it."""
    path = path_of(environment, kind, root)
    read = read_document(path.read_bytes(), path.name)
    assert not read.findings, read.findings
    data = read.data
    assert isinstance(data, dict)
    return data


def example_files() -> Iterator[Path]:
    """Every example file there is."""
    yield from (path_of(environment, kind) for environment in ENVIRONMENTS for kind in Kind)
    yield from (path_of("dev", kind, MINIMAL) for kind in Kind)


def changed(data: dict[str, Any], path: ConfigPath, value: Any) -> dict[str, Any]:
    """``data`` with ``value`` at ``path``; what is missing on the way is made."""
    copy = deepcopy(data)
    holder: Any = copy
    for step in path[:-1]:
        holder = holder.setdefault(step, {}) if isinstance(step, str) else holder[step]
    holder[path[-1]] = value
    return copy


def without(data: dict[str, Any], path: ConfigPath) -> dict[str, Any]:
    """``data`` without the value at ``path``."""
    copy = deepcopy(data)
    holder: Any = copy
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return copy


def paths_in(value: Any, path: ConfigPath = ()) -> Iterator[ConfigPath]:
    """The path of every value below ``value``, containers before what they hold."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, entry in entries:
        yield (*path, step)
        yield from paths_in(entry, (*path, step))


def at(value: Any, path: ConfigPath) -> Any:
    """The value at ``path``."""
    for step in path:
        value = value[step]
    return value


def model_of(data: dict[str, Any]) -> Header:
    """The validated model; the kind is the document's own."""
    return MODELS[Kind(data["kind"])].model_validate(data)


def refusals(kind: Kind, data: Any) -> list[tuple[ConfigPath, str]]:
    """Where and for what the model refuses ``data``; empty when it does not."""
    try:
        MODELS[kind].model_validate(data)
    except ValidationError as error:
        return [(each["loc"], each["type"]) for each in error.errors(include_url=False)]
    return []

"""The example configuration as plain data, changed for a case, and as the models that rules see."""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlops_config.contract.models.by_kind import MODELS
from mlops_config.contract.reading.yaml_reader import read_document
from mlops_config.contract.rules.engine import EnvironmentModels
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind, canonical_name

ROOT = Path(__file__).parents[3]
ENVIRONMENTS = ("dev", "staging", "prod")
GONE = object()
"""The value of a change that removes a key."""

Raw = dict[str, dict[Kind, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """One value of one file, replaced, added or removed."""

    environment: str
    kind: Kind
    path: ConfigPath
    value: Any


def change(environment: str, kind: str, path: str, value: Any) -> Change:
    """A change at a path written as findings print it: ``schema.features[0].name``."""
    return Change(environment, Kind(kind), parse_path(path), value)


def parse_path(text: str) -> ConfigPath:
    """The steps of a path as findings print it."""
    steps: list[str | int] = []
    for quoted, index, plain in re.findall(r"\['([^']*)'\]|\[(\d+)\]|([^.\[\]]+)", text):
        steps.append(int(index) if index else quoted or plain)
    return tuple(steps)


@cache
def _examples() -> Raw:
    folder = ROOT / "configs"
    raw: Raw = {}
    for environment in ENVIRONMENTS:
        raw[environment] = {}
        for kind in Kind:
            source = folder / environment / canonical_name(environment, kind)
            document = read_document(source.read_bytes(), source.name)
            assert document.is_sound, document.findings
            raw[environment][kind] = document.data
    return raw


def raw_configs(changes: Iterable[Change] = ()) -> Raw:
    """The examples as plain data, with the changes made in their order."""
    raw = copy.deepcopy(_examples())
    for each in changes:
        _apply(raw[each.environment][each.kind], each.path, each.value)
    return raw


def _apply(document: Any, path: ConfigPath, value: Any) -> None:
    *above, last = path
    holder = document
    for step in above:
        if isinstance(holder, dict) and holder.get(step) is None:
            holder[step] = {}
        holder = holder[step]
    if value is GONE:
        holder.pop(last, None)
    elif isinstance(holder, list) and last == len(holder):
        holder.append(copy.deepcopy(value))
    else:
        holder[last] = copy.deepcopy(value)


@cache
def _unchanged_model(environment: str, kind: Kind) -> Any:
    return MODELS[kind].model_validate(_examples()[environment][kind])


def configs(changes: Iterable[Change] = ()) -> Mapping[str, EnvironmentModels]:
    """The examples as models, with the changes made; a file is read anew only where something changed."""
    changes = tuple(changes)
    changed = {(each.environment, each.kind) for each in changes}
    raw = raw_configs(changes) if changes else {}
    return {
        environment: SimpleNamespace(
            **{
                kind.value: MODELS[kind].model_validate(raw[environment][kind])
                if (environment, kind) in changed
                else _unchanged_model(environment, kind)
                for kind in Kind
            }
        )
        for environment in ENVIRONMENTS
    }

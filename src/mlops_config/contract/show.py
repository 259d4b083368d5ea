"""Every value in force in an environment, defaults spelled out, each with where it comes from."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.findings import ConfigPath, Place, format_path
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mlops_config.contract.validation import ConfigFile, EnvironmentConfigs

_WIDEST_PATH = 52
_WIDEST_VALUE = 48


class ResolvedValue(NamedTuple):
    """One value in force. ``value`` is JSON data: a scalar, or an empty list or mapping."""

    kind: Kind
    path: ConfigPath
    value: Any
    place: Place | None
    """Where the file says it; ``None`` for a default."""
    field: str
    """The contract's field that the value belongs to, ``Model.field``."""

    @property
    def origin(self) -> str:
        """``file:line``, or ``default of Model.field``."""
        return f"{self.place.file}:{self.place.line}" if self.place else f"default of {self.field}"


def resolve(configs: "EnvironmentConfigs") -> list[ResolvedValue]:
    """Every value of the environment's valid files, file by file, in the order of the contract's fields."""
    files = (configs.files[kind] for kind in Kind if kind in configs.files)
    return [value for file in files if file.model is not None for value in _values(file)]


def _values(file: "ConfigFile") -> Iterator[ResolvedValue]:
    model = file.model
    data = model.model_dump(mode="json", by_alias=True)
    for path, value, field in _leaves(model, data, (), type(model).__name__):
        place = file.positions.value(path)
        yield ResolvedValue(file.kind, path, value, place, field)


def _leaves(node: Any, data: Any, path: ConfigPath, field: str) -> Iterator[tuple[ConfigPath, Any, str]]:
    """The scalars below a validated value, with its JSON form beside it and the field it belongs to."""
    if isinstance(data, dict) and data:
        names = _field_names(node)
        for key, inner in data.items():
            attribute = names.get(key)
            below = getattr(node, attribute) if attribute else node[key] if isinstance(node, dict) else inner
            owner = f"{type(node).__name__}.{key}" if attribute else field
            yield from _leaves(below, inner, (*path, key), owner)
    elif isinstance(data, list) and data:
        for index, (below, inner) in enumerate(zip(node, data, strict=True)):
            yield from _leaves(below, inner, (*path, index), field)
    else:
        yield path, data, field


def _field_names(node: "BaseModel | Any") -> dict[str, str]:
    """Attribute by name in the file, for a model; empty for anything else."""
    fields = getattr(type(node), "model_fields", {})
    return {info.serialization_alias or info.alias or name: name for name, info in fields.items()}


def render_text(values: Sequence[ResolvedValue]) -> str:
    """A line for each value: path, value, origin; files apart from each other."""
    blocks = []
    for kind, group in groupby(values, key=lambda value: value.kind):
        rows = [(format_path(each.path), _written(each.value), each) for each in group]
        file = next((each.place.file for _, _, each in rows if each.place), "")
        path_width = min(max(len(path) for path, _, _ in rows), _WIDEST_PATH)
        value_width = min(max(len(value) for _, value, _ in rows), _WIDEST_VALUE)
        lines = [f"{kind}  {file}".rstrip()]
        lines += [
            f"  {path:<{path_width}}  {value:<{value_width}}  {_origin_beside_file(each)}"
            for path, value, each in rows
        ]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def render_json(values: Iterable[ResolvedValue]) -> str:
    """The values as JSON; ``origin`` has ``file`` and ``line``, or ``default`` with the contract's field."""
    document = {
        "schema_version": 1,
        "values": [
            {
                "kind": each.kind.value,
                "path": format_path(each.path),
                "value": each.value,
                "origin": {"file": each.place.file, "line": each.place.line}
                if each.place
                else {"default": each.field},
            }
            for each in values
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _origin_beside_file(value: ResolvedValue) -> str:
    return f"line {value.place.line}" if value.place else value.origin

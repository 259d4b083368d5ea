"""What a model says about the value at a path: its field, its siblings, and where else a key would belong."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlops_config.findings import ConfigPath

_MAX_SEARCH_DEPTH = 6


class Declared(NamedTuple):
    """One way a value may be declared: its type, and everything annotated on the way to it."""

    type: Any
    notes: tuple[Any, ...]

    @property
    def description(self) -> str | None:
        return next((note.description for note in self._fields_info() if note.description), None)

    @property
    def examples(self) -> tuple[str, ...]:
        return next((tuple(map(str, note.examples)) for note in self._fields_info() if note.examples), ())

    def _fields_info(self) -> Iterator[FieldInfo]:
        return (note for note in self.notes if isinstance(note, FieldInfo))


def declared_at(model: type[BaseModel], path: ConfigPath, data: Any) -> list[Declared]:
    """Every way the value at ``path`` may be declared; ``data`` decides between a union's members."""
    current = [Declared(model, ())]
    for step in path:
        current = [inner for each in _fitting(current, data) for inner in _inside(each.type, step)]
        data = _step(data, step)
    return current


def declared_key_at(model: type[BaseModel], path: ConfigPath, data: Any) -> list[Declared]:
    """Every way the keys of the free mapping at ``path`` may be declared."""
    mappings = (each.type for each in declared_at(model, path, data) if get_origin(each.type) is dict)
    return [key for each in mappings for key in _alternatives(get_args(each)[0])]


def choices_at(model: type[BaseModel], path: ConfigPath, data: Any) -> list[str]:
    """The literal values that the value at ``path`` may have; empty where it may have others."""
    declared = declared_at(model, path, data)
    if not all(get_origin(each.type) is Literal for each in declared):
        return []
    return [str(choice) for each in declared for choice in get_args(each.type)]


def keys_at(model: type[BaseModel], path: ConfigPath, data: Any) -> list[str]:
    """The keys a mapping at ``path`` may have, spelled as in files; empty where any key may stand."""
    value = data
    for step in path:
        value = _step(value, step)
    keys: dict[str, None] = {}
    for each in _fitting(declared_at(model, path, data), value):
        if _is_model(each.type):
            keys |= dict.fromkeys(_fields(each.type))
    return list(keys)


def homes_of(model: type[BaseModel], key: str) -> list[ConfigPath]:
    """The paths of the mappings below ``model`` that may have ``key``, nearest to the top first."""
    homes: list[ConfigPath] = []
    pending: list[tuple[Any, ConfigPath]] = [(model, ())]
    while pending:
        declared, path = pending.pop(0)
        for each in _alternatives(declared):
            if _is_model(each.type) and len(path) < _MAX_SEARCH_DEPTH:
                fields = _fields(each.type)
                if key in fields and path not in homes:
                    homes.append(path)
                pending += [(info.annotation, (*path, name)) for name, info in fields.items()]
            elif get_origin(each.type) in (list, tuple, dict):
                pending += [(inner, path) for inner in get_args(each.type) if inner is not Ellipsis]
    return homes


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _is_model(declared: Any) -> bool:
    return isinstance(declared, type) and issubclass(declared, BaseModel)


def _step(data: Any, step: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(step)
    return data[step] if isinstance(data, list) and isinstance(step, int) and step < len(data) else None


def _alternatives(declared: Any, notes: tuple[Any, ...] = ()) -> Iterator[Declared]:
    origin = get_origin(declared)
    if origin is Annotated:
        inner, *more = get_args(declared)
        yield from _alternatives(inner, (*notes, *more))
    elif origin in (Union, UnionType):
        for member in get_args(declared):
            yield from _alternatives(member, notes)
    elif hasattr(declared, "__value__"):  # a `type X = …` alias
        yield from _alternatives(declared.__value__, notes)
    else:
        yield Declared(declared, notes)


def _inside(declared: Any, step: str | int) -> Iterator[Declared]:
    if _is_model(declared) and isinstance(step, str):
        info = _fields(declared).get(step)
        if info is not None:
            yield from _alternatives(info.annotation, (info, *info.metadata))
        return
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is dict and isinstance(step, str):
        yield from _alternatives(arguments[1])
    elif origin in (list, tuple) and isinstance(step, int):
        fixed = [inner for inner in arguments if inner is not Ellipsis]
        yield from _alternatives(fixed[min(step, len(fixed) - 1)])


def _fitting(candidates: list[Declared], data: Any) -> list[Declared]:
    """The candidates whose literal fields (a union's discriminators) agree with ``data``, else all."""
    if len(candidates) == 1 or not isinstance(data, dict):
        return candidates
    fitting = [each for each in candidates if _is_model(each.type) and _agrees(each.type, data)]
    return fitting or candidates


def _agrees(model: type[BaseModel], data: dict[str, Any]) -> bool:
    for name, info in _fields(model).items():
        if (
            name in data
            and get_origin(info.annotation) is Literal
            and data[name] not in get_args(info.annotation)
        ):
            return False
    return True

"""The contract's validators without its classes: core schemas kept as data, ready in milliseconds.

Building the model classes takes most of the time of a short run. ``tools/compile_contract.py`` writes their
core schemas to ``compiled.json``; what comes out of a validator loaded from there has the attributes of a
model, and nothing else of it. Code that needs more (a dump, a JSON Schema) imports
:mod:`mlops_config.contract.models.by_kind`.
"""

import json
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from mlops_config.contract import core
from mlops_config.kinds import Kind

COMPILED_PATH = Path(__file__).with_name("compiled.json")

CLASS, FUNCTION, SECONDS = "$class", "$function", "$seconds"
"""Keys of the one-entry objects that stand for what JSON cannot hold."""


class StandIn:
    """What a compiled validator makes in place of a model: the same attributes, equal where models are."""

    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"

    __hash__ = None  # type: ignore[assignment]  # holds mappings, as models do


def load_validators(path: Path = COMPILED_PATH) -> dict[Kind, core.SchemaValidator] | None:
    """The four validators, or ``None`` where the file was written for another version of pydantic-core."""
    document = json.loads(path.read_bytes(), object_hook=_Decoder().decode)
    if document["pydantic_core"] != core.__version__:
        return None
    return {Kind(kind): core.SchemaValidator(schema) for kind, schema in document["schemas"].items()}


class _Decoder:
    """Turns the marked objects back into what they stand for; one class for each name."""

    def __init__(self) -> None:
        self._classes: dict[str, type[StandIn]] = {}

    def decode(self, value: dict[str, Any]) -> Any:
        if len(value) != 1:
            return value
        ((mark, content),) = value.items()
        if mark == CLASS:
            if content not in self._classes:
                self._classes[content] = type(content, (StandIn,), {"__slots__": ()})
            return self._classes[content]
        if mark == FUNCTION:
            module, _, name = content.partition(":")
            return getattr(import_module(module), name)
        if mark == SECONDS:
            return timedelta(seconds=content)
        return value

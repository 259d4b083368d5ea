"""Writes the contract's core schemas to ``contract/compiled.json``; ``--check`` only compares."""

import argparse
import json
import re
import sys
from datetime import timedelta
from typing import Any

import pydantic_core
from pydantic import BaseModel

from mlops_config.contract.compiled import CLASS, COMPILED_PATH, FUNCTION, SECONDS
from mlops_config.contract.models.by_kind import MODELS

MEMORY_ADDRESS = re.compile(r":\d+(?=$|[,\]])")
NOT_FOR_VALIDATION = frozenset({"metadata", "serialization"})


def compiled() -> bytes:
    """The file's content: every core schema as JSON, and the version of pydantic-core it is for."""
    document = {
        "pydantic_core": pydantic_core.__version__,
        "schemas": {kind.value: _plain(model.__pydantic_core_schema__) for kind, model in MODELS.items()},
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _plain(value: Any) -> Any:
    match value:
        case {"type": "default"}:
            return _plain_default(value)
        case {"type": str()}:
            entries = {key: entry for key, entry in value.items() if key not in NOT_FOR_VALIDATION}
            return {key: _plain_entry(key, entry) for key, entry in entries.items()}
        case dict():
            return {key: _plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case timedelta():
            return {SECONDS: value.total_seconds()}
        case type():
            return {CLASS: value.__name__}
        case str() | int() | float() | None:
            return value
    if callable(value) and "." not in value.__qualname__:
        return {FUNCTION: f"{value.__module__}:{value.__qualname__}"}
    raise TypeError(
        f"a core schema holds {value!r}, which cannot be stored; declare the check, or make it a rule"
    )


def _plain_entry(key: str, value: Any) -> Any:
    if key in {"ref", "schema_ref"}:
        return MEMORY_ADDRESS.sub("", value)
    return _plain(value)


def _plain_default(schema: dict[str, Any]) -> dict[str, Any]:
    """A default without its factory: a scalar as it is, anything else as a file would spell it."""
    value = schema["default_factory"]() if "default_factory" in schema else schema["default"]
    # Validating a default makes a new value of it; copying it first would only import the copier.
    plain = {"type": "default", "schema": _plain(schema["schema"]), "copy_default": False}
    if isinstance(value, BaseModel):
        return plain | {"default": value.model_dump(mode="json", by_alias=True), "validate_default": True}
    if isinstance(value, dict | tuple):
        return plain | {"default": _plain(value), "validate_default": True}
    return plain | {"default": _plain(value)}


def main() -> int:
    """Writes or compares the file; 1 where it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        COMPILED_PATH.write_bytes(compiled())
        return 0
    if COMPILED_PATH.exists() and COMPILED_PATH.read_bytes() == compiled():
        return 0
    print(f"{COMPILED_PATH.name} is out of date: run python {sys.argv[0]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""What a cloud answers when it makes an object: the same for the same object, of the right shape."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.terraform.provider.wire import UNKNOWN, Block, each_of

TIME = "2026-01-02T03:04:05Z"


@dataclass(frozen=True)
class Settings:
    """Where a provider works (account of AWS or project of Google; region), and its labels for everything."""

    account: str
    region: str
    labels: Mapping[str, str]


def fingerprint(kind: str, values: Mapping[str, Any], again: int = 0) -> str:
    """64 hex digits of an object's type and known attributes; ``again`` tells equal objects apart."""
    text = json.dumps([kind, values, again], sort_keys=True, default=lambda _: None)
    return hashlib.sha256(text.encode()).hexdigest()


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that have a value now."""
    return {name: value for name, value in values.items() if value is not UNKNOWN and value is not None}


def identity(kind: str, values: Mapping[str, Any]) -> str:
    """What an object goes by in its cloud."""
    return str(values.get("id") or values.get("arn") or values.get("name") or fingerprint(kind, values)[:16])


def filled(block: Block, values: Mapping[str, Any], special: Mapping[str, Any], seed: str) -> dict[str, Any]:
    """``values`` with something in place of everything unknown: ``special``'s, else what fits its type."""
    blocks = block.get("block_types", {})
    answered = {
        name: value for name, value in special.items() if name in blocks or values.get(name) is UNKNOWN
    }
    return _filled(block, {**values, **answered}, seed)


def _filled(block: Block, values: Mapping[str, Any], seed: str) -> dict[str, Any]:
    result = dict(values)
    for name, described in block.get("attributes", {}).items():
        if values[name] is UNKNOWN:
            result[name] = _value(name, described, seed)
    for name, nested in block.get("block_types", {}).items():
        result[name] = each_of(nested, values[name], lambda item, n=nested: _filled(n["block"], item, seed))
    return result


def _value(name: str, described: Mapping[str, Any], seed: str) -> Any:
    """A value of an attribute's type; null where the object's maker may leave it out."""
    kind = described.get("type")
    if kind is None or kind == "dynamic":
        return None
    if isinstance(kind, list):
        return {} if kind[0] in ("map", "object") else []
    if kind == "string" and (name.endswith(("time", "_at", "_date")) or name in ("creation", "created")):
        return TIME
    if name in ("id", "uid", "unique_id", "etag", "version_id", "generation", "number"):
        return seed[:16] if kind == "string" else int(seed[:8], 16)
    if described.get("optional"):
        return None
    return {"string": f"{name}-{seed[:12]}", "number": int(seed[:4], 16), "bool": False}[kind]

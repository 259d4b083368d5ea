"""Schemas and values as Terraform's plug-in protocol 6 carries them."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgpack  # type: ignore[import-not-found]
from tf.gen import tfplugin_pb2 as pb  # type: ignore[import-not-found]

Block = Mapping[str, Any]
"""``{"attributes": {...}, "block_types": {...}}`` of a schema."""

_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
_FLAGS = ("required", "optional", "computed", "sensitive", "deprecated")


class Unknown:
    """A value that only the apply will tell."""

    def __repr__(self) -> str:
        return "(known after apply)"


UNKNOWN: Final = Unknown()


def decode(value: pb.DynamicValue) -> Any:
    """The plain value; ``UNKNOWN`` where it is not known."""
    if value.json:
        return json.loads(value.json)
    return msgpack.unpackb(value.msgpack, ext_hook=lambda *_: UNKNOWN, strict_map_key=False)


def encode(value: Any) -> pb.DynamicValue:
    """The value as the protocol carries it."""
    return pb.DynamicValue(msgpack=msgpack.packb(value, default=_unknown))


def _unknown(value: Any) -> msgpack.ExtType:
    if value is not UNKNOWN:
        raise TypeError(f"{value!r} has no form on the wire")
    return msgpack.ExtType(0, b"\0")


def whole(block: Block, value: Any) -> dict[str, Any]:
    """``value`` with every attribute and block of its schema: null or empty where it says nothing."""
    given = value or {}
    result = {name: given.get(name) for name in block.get("attributes", {})}
    for name, nested in block.get("block_types", {}).items():
        result[name] = each_of(
            nested, given.get(name), lambda item, nested=nested: whole(nested["block"], item)
        )
    return result


def each_of(nested: Mapping[str, Any], value: Any, change: Any) -> Any:
    """A nested block's value with ``change`` made to each object in it."""
    mode = nested["nesting_mode"]
    if value is UNKNOWN:
        return UNKNOWN
    if mode in ("single", "group"):
        return None if value is None else change(value)
    if mode == "map":
        return {key: change(item) for key, item in (value or {}).items()}
    return [item if item is UNKNOWN else change(item) for item in value or ()]


def schema(described: Mapping[str, Any]) -> pb.Schema:
    """A schema for the wire."""
    return pb.Schema(version=described.get("version", 0), block=_block(described["block"]))


def _block(block: Block) -> pb.Schema.Block:
    return pb.Schema.Block(
        attributes=[_attribute(name, a) for name, a in sorted(block.get("attributes", {}).items())],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=_block(nested["block"]),
                nesting=_NESTING[nested["nesting_mode"]],
                min_items=nested.get("min_items", 0),
                max_items=nested.get("max_items", 0),
            )
            for name, nested in sorted(block.get("block_types", {}).items())
        ],
    )


def _attribute(name: str, described: Mapping[str, Any]) -> pb.Schema.Attribute:
    flags = {flag: described.get(flag, False) for flag in _FLAGS}
    return pb.Schema.Attribute(name=name, type=json.dumps(described["type"]).encode(), **flags)

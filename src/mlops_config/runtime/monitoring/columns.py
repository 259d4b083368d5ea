"""A captured column as the training schema means it, and how many of its values are not of that type."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from mlops_config.contract.models.tables import Feature, Target
from mlops_config.runtime.data.reading import NO_VALUE

INSTANT = pa.timestamp("us", "UTC")

_WHOLE = r"^\s*[+-]?[0-9]+(\.0*)?\s*$"
_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_EXACT = 2.0**63
"""A double from here on is no 64-bit integer."""


@dataclass(frozen=True, slots=True)
class Typed:
    """``values`` holds null where a value is missing and where it is of a wrong type."""

    values: pa.ChunkedArray
    missing: int
    wrong: int
    """Values that are there and not of the type; infinite numbers are among them."""


def typed(column: pa.ChunkedArray, kind: str) -> Typed:
    """The column as ``kind``: a feature's type, ``integral fractional string boolean timestamp``.

    NaN counts as missing, and so does what programs write for no value (empty, ``NA``) where the type is not
    text. Text is read as the type it spells, since formats such as CSV have no other.
    """
    convert = {
        "integral": _integral,
        "fractional": _fractional,
        "string": _string,
        "boolean": _boolean,
        "timestamp": _timestamp,
    }[kind]
    flat = plain(column)
    present = _present(flat, kind)
    values = convert(flat)
    there = pc.sum(present).as_py() or 0
    usable = len(values) - values.null_count
    return Typed(values, len(flat) - there, there - usable)


def kind_of(column: Feature | Target, values: pa.ChunkedArray | None = None) -> str:
    """The type a feature declares, or that a target's problem makes of the predicted ``values``."""
    if hasattr(column, "type"):
        return column.type
    if column.problem_type == "regression":
        return "fractional"
    if values is None:
        return "string"
    kind = plain(values).type
    if pa.types.is_boolean(kind):
        return "boolean"
    return "integral" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "string"


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without dictionary encoding, and text of one kind; what is nested becomes text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(column.cast(kind.value_type))
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.chunked_array(
            [[None if each is None else str(each) for each in column.to_pylist()]], pa.string()
        )
    return column


def _present(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """Where a value is."""
    present = pc.is_valid(column)
    if pa.types.is_floating(column.type):
        return pc.and_(present, pc.invert(pc.fill_null(pc.is_nan(column), True)))
    if pa.types.is_string(column.type) and kind != "string":
        nothing = pc.is_in(pc.utf8_trim_whitespace(column), pa.array(sorted(NO_VALUE)))
        return pc.and_(present, pc.invert(nothing))
    return present


def _only(column: pa.ChunkedArray, keep: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    nothing = pa.scalar(None, column.type)
    return pc.if_else(pc.fill_null(keep, False), column, nothing).cast(kind)


def _nothing(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(len(column), kind)])


def _fractional(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = pa.float64()
    if pa.types.is_string(column.type):
        spelled = pc.utf8_trim_whitespace(column)
        return _fractional(_only(spelled, pc.match_substring_regex(spelled, _NUMBER), kind))
    if pa.types.is_integer(column.type):
        return column.cast(kind, safe=False)
    if not pa.types.is_floating(column.type):
        return _nothing(column, kind)
    return _only(column.cast(kind), pc.is_finite(column), kind)


def _integral(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = pa.int64()
    if pa.types.is_uint64(column.type):
        return _integral(column.cast(pa.float64(), safe=False))
    if pa.types.is_integer(column.type):
        return column.cast(kind)
    if pa.types.is_string(column.type):
        spelled = pc.utf8_trim_whitespace(column)
        column = _only(spelled, pc.match_substring_regex(spelled, _WHOLE), pa.float64())
    if not pa.types.is_floating(column.type):
        return _nothing(column, kind)
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), _EXACT))
    return _only(column, pc.and_(whole, pc.is_finite(column)), kind)


def _string(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_string(column.type) else _nothing(column, pa.string())


def _boolean(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = pa.bool_()
    if pa.types.is_boolean(column.type):
        return column
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return _only(column, pc.is_in(column.cast(pa.float64(), safe=False), pa.array([0.0, 1.0])), kind)
    if not pa.types.is_string(column.type):
        return _nothing(column, kind)
    spelled = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    truth = pc.is_in(spelled, pa.array(_TRUE))
    nothing = pa.scalar(None, kind)
    return pc.if_else(pc.is_in(spelled, pa.array([*_TRUE, *_FALSE])), truth, nothing)


def _timestamp(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return instants(column)
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("us")).cast(INSTANT)
    if pa.types.is_string(column.type):
        return instants(column)
    return _nothing(column, INSTANT)


def instants(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as UTC timestamps; null where it is not one. A time without a zone is taken as UTC."""
    import pandas as pd

    column = plain(column)
    if pa.types.is_timestamp(column.type):
        zoned = column if column.type.tz else column.cast(pa.timestamp(column.type.unit, "UTC"))
        return _in_calendar(zoned.cast(INSTANT, safe=False))
    if not pa.types.is_string(column.type):
        return _nothing(column, INSTANT)
    moments = pd.to_datetime(column.to_pylist(), errors="coerce", utc=True, format="ISO8601")
    plain_utc = pa.array(moments.tz_convert(None).to_numpy(), from_pandas=True)
    return _in_calendar(pa.chunked_array([plain_utc.cast(pa.timestamp("us"), safe=False).cast(INSTANT)]))


def _in_calendar(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without what lies outside the years 1 to 9999, which Python cannot name."""
    first, last = (pa.scalar(each, INSTANT) for each in (datetime.min, datetime.max))
    inside = pc.and_(pc.greater_equal(moments, first), pc.less_equal(moments, last))
    return _only(moments, inside, INSTANT)

"""The package's columns as pydantic-core schemas: rows are parsed, typed and checked in one pass."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import CoreSchema, core_schema

from mlops_config.contract.models.tables import Feature, TableSchema

_INT64 = (-(2**63), 2**63 - 1)
_SHOWN_LEVELS = 10


@dataclass(frozen=True, slots=True)
class InputColumn:
    """A column of a request."""

    feature: Feature
    is_identifier: bool
    """Comes along and may be recorded; the model never sees it."""

    @property
    def name(self) -> str:
        """The column's name."""
        return self.feature.name

    @property
    def must_be_given(self) -> bool:
        """Whether a row without the key is refused."""
        return self.feature.required and not self.is_identifier

    @property
    def nullable(self) -> bool:
        """Whether ``null`` is accepted: where the training data may lack values, as in every job."""
        return self.is_identifier or self.feature.completeness_min_fraction < 1.0

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Least and largest value, both allowed."""
        return getattr(self.feature, "range", None) or (None, None)

    @property
    def domain(self) -> tuple[int, ...] | tuple[str, ...] | None:
        """The only values allowed, or ``None``."""
        return getattr(self.feature, "domain", None)


def input_columns(schema: TableSchema) -> tuple[InputColumn, ...]:
    """The features in the schema's order, then the identifiers."""
    return (
        *(InputColumn(feature, is_identifier=False) for feature in schema.features),
        *(InputColumn(feature, is_identifier=True) for feature in schema.identifiers),
    )


def row_schema(columns: tuple[InputColumn, ...], *, text: bool = False) -> CoreSchema:
    """Of one row: a dict with a value for every column, in their order; what is not a column comes after.

    Numbers are taken as numbers only, never as text, unless ``text``: then every value is a cell of a CSV
    file. A fraction of zero is a whole number (``3.0``), as in JSON Schema.
    """
    fields = {
        column.name: core_schema.typed_dict_field(
            core_schema.with_default_schema(_value(column, text=text), default=None)
            if not column.must_be_given
            else _value(column, text=text),
            required=column.must_be_given,
        )
        for column in columns
    }
    return core_schema.typed_dict_schema(fields, extra_behavior="allow")


def _value(column: InputColumn, *, text: bool) -> CoreSchema:
    schema = _of_type(column, text=text)
    if column.domain is not None:
        # Not a literal schema: its message would name all of up to 10,000 values.
        allowed = core_schema.literal_schema(list(column.domain))
        schema = core_schema.chain_schema(
            [
                schema,
                core_schema.custom_error_schema(
                    allowed, "not_in_domain", custom_error_message=_levels(column.domain)
                ),
            ]
        )
    return core_schema.nullable_schema(schema) if column.nullable else schema


def _of_type(column: InputColumn, *, text: bool) -> CoreSchema:
    low, high = column.bounds
    match column.feature.type:
        case "integral":
            whole = core_schema.int_schema() if text else _WHOLE
            return core_schema.chain_schema(
                [
                    whole,
                    core_schema.int_schema(
                        ge=_INT64[0] if low is None else math.ceil(low),
                        le=_INT64[1] if high is None else math.floor(high),
                    ),
                ]
            )
        case "fractional":
            return core_schema.float_schema(strict=not text, allow_inf_nan=False, ge=low, le=high)
        case "boolean":
            return core_schema.bool_schema(strict=not text)
        case "timestamp":
            return core_schema.chain_schema(
                [
                    # Without the pattern a number as text would be taken as seconds since 1970.
                    core_schema.str_schema(strict=True, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"),
                    core_schema.datetime_schema(strict=False),
                ]
            )
        case _:
            return core_schema.str_schema(strict=True)


def _levels(domain: tuple[int, ...] | tuple[str, ...]) -> str:
    shown = ", ".join(repr(level) for level in domain[:_SHOWN_LEVELS])
    more = len(domain) - _SHOWN_LEVELS
    text = f"must be one of {shown}" + (f" and {more} more" if more > 0 else "")
    # pydantic-core fills placeholders in braces; a level is text of a stranger.
    return text.replace("{", "(").replace("}", ")")


_WHOLE = core_schema.union_schema(
    [
        core_schema.int_schema(strict=True),
        core_schema.chain_schema(
            [core_schema.float_schema(strict=True, multiple_of=1.0), core_schema.int_schema()]
        ),
    ],
    mode="left_to_right",
    custom_error_type="not_whole",
    custom_error_message="must be a whole number",
)

WORDING: Mapping[str, str] = {
    "missing": "is missing",
    "not_whole": "must be a whole number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number of at most 64 bits",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number; null stands for no value where that is allowed",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode text",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list of rows",
    "dict_type": "must be an object with a value for each column",
}
"""Sentences for pydantic-core's error types that callers meet; the others keep their own."""


def wording(error: Mapping[str, Any]) -> str:
    """What is wrong, for the person who sent it."""
    kind = str(error["type"])
    if kind.startswith("datetime") or kind == "string_pattern_mismatch":
        return "must be a time such as 2026-01-31T12:00:00Z"
    sentence = WORDING.get(kind)
    return str(error["msg"]) if sentence is None else sentence.format_map(error.get("ctx", {}))

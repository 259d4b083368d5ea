"""What a value should have been, in words: pydantic-core's error types turned into sentences about YAML."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mlops_config.contract.models.field_types import Iso8601Duration, Iso8601Instant
from mlops_config.contract.models.model_fields import Declared
from mlops_config.contract.reading.scalars import read_plain


class Expectation(NamedTuple):
    """A finding's code and what ends the sentence "it must be …"."""

    code: str
    words: str


_TYPES: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping of keys to values",
    "mapping": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "model_attributes": "a mapping of keys to values",
    "dataclass": "a mapping of keys to values",
    "named_tuple": "a mapping of keys to values",
    "date": "a date such as 2026-10-01",
    "date_from_datetime": "a date such as 2026-10-01",
    "datetime": "a point in time such as 2026-10-01T00:00:00Z",
    "time": "a time of day such as 05:30",
    "time_delta": "a duration such as PT1H",
    "url": "an address such as https://example.com",
    "uuid": "a UUID",
    "bytes": "text",
    "none_required": "empty",
}

_DURATION = "an ISO 8601 duration such as PT1H or P7D"
_INSTANT = "an instant in UTC such as 2026-12-20T00:00:00Z"
_TIMES = (_DURATION, _INSTANT)

_BOOLEAN_WORDS = {
    **dict.fromkeys(("yes", "on", "true", "1", "y"), "true"),
    **dict.fromkeys(("no", "off", "false", "0", "n"), "false"),
}

_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "above {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "below {}"),
    "less_than_equal": ("le", "at most {}"),
    "multiple_of": ("multiple_of", "a multiple of {}"),
    "string_too_short": ("min_length", "at least {} long"),
    "string_too_long": ("max_length", "at most {} long"),
}


def expectation(error_type: str, context: Mapping[str, Any], declared: list[Declared]) -> Expectation | None:
    """What the value should have been, ``None`` for an error that speaks for itself."""
    if error_type in _LIMITS:
        name, words = _LIMITS[error_type]
        limit = _counted(context[name], "character") if "string" in error_type else _limit(context[name])
        return Expectation("S04", words.format(limit))
    if error_type == "finite_number":
        return Expectation("S04", "a finite number")
    if error_type in ("too_short", "too_long"):
        name, words = ("min_length", "least") if error_type == "too_short" else ("max_length", "most")
        return Expectation("S04", f"at {words} {_counted(context[name], 'item')} long")
    if error_type in ("literal_error", "enum"):
        choices = choices_of(context["expected"])
        return Expectation("S05", f"{'one of ' if len(choices) > 1 else ''}{', '.join(choices)}")
    if error_type == "string_pattern_mismatch":
        return Expectation("S06", _form(declared) or "text of another form")
    base = error_type.removesuffix("_type").removesuffix("_parsing").removesuffix("_from_float")
    if base in _TYPES:
        form = _form(declared)
        return Expectation("S03", form if base == "string" and form else _TYPES[base])
    return None


def choices_of(expected: str) -> list[str]:
    """The single choices of pydantic's ``'a', 'b' or 'c'``."""
    *first, last = expected.split(", ")
    return [choice.strip("'") for choice in (*first, *last.rsplit(" or ", 1))]


def described(value: Any, source: str | None) -> str:
    """A value as a sentence names it; ``source`` is how the file spells it, where that is known."""
    if value is None:
        return "empty"
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    if isinstance(value, dict):
        return "an empty mapping" if not value else "a mapping"
    if isinstance(value, str):
        return shown(value)
    if source:
        return source
    return str(value).lower() if isinstance(value, bool) else repr(value)


def shown(text: str) -> str:
    """Text in quotes, shortened when it is long."""
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}…'"


def _form(declared: list[Declared]) -> str | None:
    """What a text must look like, by its examples."""
    for each in declared:
        if any(isinstance(note, Iso8601Duration) for note in each.notes):
            return _DURATION
        if any(isinstance(note, Iso8601Instant) for note in each.notes):
            return _INSTANT
        if each.examples:
            return f"text such as {' or '.join(each.examples[:2])}"
    return None


def _limit(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Mending(NamedTuple):
    """What to do, and the text that would do it, where there is only one."""

    hint: str | None
    replacement: str | None = None


class Wrong(NamedTuple):
    """A value that is not what it should be. ``source`` is how the file spells it, where that is known."""

    value: Any
    source: str | None
    context: Mapping[str, Any]
    declared: list[Declared]


def mending(error_type: str, wrong: Wrong) -> Mending:
    """How to mend a value of the wrong type, range or form."""
    for family, mend in _MENDERS.items():
        if error_type.startswith(family):
            return mend(wrong)
    return Mending(None)


def _to_number(wrong: Wrong) -> Mending:
    if isinstance(wrong.value, float) and wrong.value.is_integer():
        return Mending(f"write {int(wrong.value)}", str(int(wrong.value)))
    if not isinstance(wrong.value, str) or not (text := wrong.value.strip()):
        return Mending(None)
    number, trap = read_plain(text)
    if isinstance(number, int | float) and not isinstance(number, bool):
        agreed = trap.replacement if trap else None
        spelled = agreed if agreed and '"' not in agreed else text
        return Mending(f"a text stands where a number is meant: write {spelled} without quotes", spelled)
    plain = text.replace("_", "").replace(",", "")
    if plain.isdigit() and plain.isascii():
        spelled = plain.lstrip("0") or "0"
        return Mending(f"write {spelled}", spelled)
    if text[:1].isdigit():
        return Mending("write the number alone; its unit is in the key's name")
    return Mending(None)


def _to_boolean(wrong: Wrong) -> Mending:
    word = _BOOLEAN_WORDS.get(str(wrong.value).lower())
    return Mending(f"write {word}", word) if word else Mending(None)


def _to_text(wrong: Wrong) -> Mending:
    if wrong.value is None:
        return Mending("write the text after the colon")
    if isinstance(wrong.value, bool | int | float) and wrong.source and _form(wrong.declared) not in _TIMES:
        return Mending(f'put it in quotes: "{wrong.source}"', f'"{wrong.source}"')
    return Mending(None)


def _to_list(wrong: Wrong) -> Mending:
    if wrong.source and not isinstance(wrong.value, dict | list) and not set("[]{},#") & set(wrong.source):
        return Mending(f"write [{wrong.source}]", f"[{wrong.source}]")
    return Mending("write the items in lines that start with a dash, or as [a, b]")


def _below_limit(wrong: Wrong) -> Mending:
    limit = wrong.context.get("le", wrong.context.get("lt"))
    if isinstance(limit, float) and limit == 1 and 1 < wrong.value <= 100:
        fraction = repr(round(wrong.value / 100, 12))
        return Mending(f"a fraction is meant: {wrong.value:g} percent is {fraction}", fraction)
    return Mending(None)


def _to_form(wrong: Wrong) -> Mending:
    form = _form(wrong.declared)
    duration = _as_duration(wrong.value) if form == _DURATION else None
    if duration:
        return Mending(f"write {duration}", duration)
    pattern = str(wrong.context.get("pattern", ""))
    return Mending(f"the form is {pattern}" if len(pattern) <= 60 and form not in _TIMES else None)


def _as_duration(value: Any) -> str | None:
    match = re.fullmatch(r"([0-9]{1,5})\s*(s|sec|m|min|h|d|w)[a-z]*", str(value).strip().lower())
    if not match:
        return None
    number, unit = match[1], match[2][0].upper()
    return f"P{number}{unit}" if unit in "DW" else f"PT{number}{unit}"


_MENDERS: Mapping[str, Callable[[Wrong], Mending]] = {
    "int_": _to_number,
    "float_": _to_number,
    "bool_": _to_boolean,
    "string_type": _to_text,
    "list_": _to_list,
    "tuple_": _to_list,
    "less_than": _below_limit,
    "string_pattern_mismatch": _to_form,
}

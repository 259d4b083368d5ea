"""What a plain scalar means in YAML 1.2, and which ones other parsers read as something else.

The core schema's table (YAML 1.2.2, section 10.3.2) decides the value. PyYAML, which most training code reads
its configuration with, follows YAML 1.1; its own resolver is asked what it would read instead.
"""

import re
from datetime import datetime
from functools import lru_cache
from math import isinf
from typing import NamedTuple, TypeAlias

import yaml

Scalar: TypeAlias = str | int | float | bool | None

MAX_INTEGER = 2**53 - 1
"""Beyond it JSON readers lose digits (RFC 8259 section 6, RFC 7493 section 2.2)."""


class Trap(NamedTuple):
    """Why a plain scalar should not be left as it is spelled."""

    code: str
    message: str
    hint: str
    replacement: str | None


_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip

_NUMBER_START = frozenset("0123456789+-.")
_YAML_1_1_START = frozenset("yYnNoO=<")
_ORDINARY = re.compile(
    r"(?:0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,17}(?:e[-+][0-9]{1,2})?)\Z"
)
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_LOSES_ITS_ZERO = re.compile(r"[0-9]+\.[0-9]*0\Z")
_NAMES_A_VERSION = re.compile(r"(?:^|_)(?:version|release|revision|tag|python)(?:$|_)")


@lru_cache(maxsize=4096)
def read_plain(text: str) -> tuple[Scalar, Trap | None]:
    """The value of a plain (unquoted) scalar, and the trap it sets for other readers, if any.

    A number that cannot be kept (not finite, or too long) comes back as ``None`` with a ``Y16`` trap.
    """
    if text in _WORDS:
        return _WORDS[text], None
    if text[0] not in _NUMBER_START:
        return text, _trap_of(text, text) if text[0] in _YAML_1_1_START else None
    if _ORDINARY.match(text):
        return (float(text) if "." in text else int(text)), None
    value = _read_number(text)
    if isinstance(value, Trap):
        return None, value
    return value, _trap_of(text, value)


def version_trap(key: str, text: str) -> Trap | None:
    """The trap in a version written as a number: ``python_version: 3.10`` is 3.1 to every parser."""
    if not (_NAMES_A_VERSION.search(key) and _LOSES_ITS_ZERO.match(text)):
        return None
    return Trap(
        "Y23",
        f"every parser reads {text} as the number {float(text)!r}",
        "put a version in quotes",
        f'"{text}"',
    )


def _read_number(text: str) -> Scalar | Trap:
    if _INTEGER.match(text):
        return _keep_integer(text, 10)
    if _OCTAL.match(text):
        return _keep_integer(text, 8)
    if _HEXADECIMAL.match(text):
        return _keep_integer(text, 16)
    if _FLOAT.match(text):
        number = float(text)
        if not isinf(number):
            return number
        message = f"{_shown(text)} is a number in YAML 1.2, too large to be kept"
        hint = "put it in quotes if it is a name, such as a commit; else write a smaller number"
        return Trap("Y16", message, hint, f'"{text}"')
    if _NOT_FINITE.match(text):
        hint = "write a number with an end, or leave the key out"
        return Trap("Y16", f"{text} is not a finite number", hint, None)
    return text


def _keep_integer(text: str, base: int) -> int | Trap:
    # 2**53 - 1 has 16 decimal and 18 octal digits; longer ones need no conversion, which could be slow.
    digits = text.lstrip("+-").removeprefix("0o").removeprefix("0x").lstrip("0") or "0"
    number = int(digits, base) if len(digits) <= 18 else MAX_INTEGER + 1
    if number <= MAX_INTEGER:
        return -number if text[0] == "-" else number
    message = (
        f"{_shown(text)} is larger than {MAX_INTEGER}, up to which every reader keeps a whole number exactly"
    )
    return Trap(
        "Y16", message, "put it in quotes if it is a name, such as a commit or an account", f'"{text}"'
    )


def _trap_of(text: str, value: Scalar) -> Trap | None:
    tag = _pyyaml_tag(text)
    if tag is None:
        if isinstance(value, str):
            return None
        other: object = text
    else:
        other = _as_pyyaml_constructs(tag, text)
        if type(other) is type(value) and other == value:
            return None
    theirs = "refuses it" if isinstance(other, _Refused) else f"reads {_described(other)}"
    if isinstance(value, str):
        code = "Y20" if isinstance(other, bool) else "Y22"
        message = f"{_shown(text)} is text in YAML 1.2, but PyYAML (YAML 1.1) {theirs}"
        return Trap(code, message, _hint_for_text(text, other), f'"{text}"')
    if re.match(r"[-+]?0[0-9]", text):
        first, second = f'"{text}"', _agreed_spelling(text, value)
        hint = f"write {first} if it is a name, such as a commit, or {second} if it is a number"
    else:
        first = _agreed_spelling(text, value)
        hint = f'write {first}, which all parsers read alike, or "{text}" if it is a text'
    message = f"YAML 1.2 reads {_shown(text)} as {_described(value)}, but PyYAML (YAML 1.1) {theirs}"
    return Trap("Y21", message, hint, first)


def _hint_for_text(text: str, other: object) -> str:
    if isinstance(other, bool):
        return f"write {'true' if other else 'false'} if it is a switch, or put it in quotes if it is a text"
    if isinstance(other, int | float) and ":" not in text:
        return f"write {other!r} if it is a number, or put it in quotes if it is a text"
    return "put it in quotes, so that all parsers read the text"


def _agreed_spelling(text: str, value: Scalar) -> str:
    """The number as all parsers read it alike; the mantissa's digits stay as they were written."""
    if not isinstance(value, float):
        return str(value)
    mantissa, _, exponent = text.lower().partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, decimals = mantissa.lstrip("+-").partition(".")
    spelled = f"{sign}{whole.lstrip('0') or '0'}.{decimals or '0'}"
    if exponent:
        spelled += f"e{exponent if exponent[0] in '+-' else f'+{exponent}'}"
    return spelled


class _Refused:
    """PyYAML would raise instead of reading the scalar."""


def _pyyaml_tag(text: str) -> str | None:
    """The tag PyYAML's resolver gives a plain scalar, ``None`` for a text."""
    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(text[0], ()):
        if pattern.match(text):
            return str(tag)
    return None


def _as_pyyaml_constructs(tag: str, text: str) -> object:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(yaml.ScalarNode(tag, text))
    except (yaml.YAMLError, ValueError):
        return _Refused()


def _described(value: object) -> str:
    if isinstance(value, bool):
        return f"the boolean {'true' if value else 'false'}"
    if isinstance(value, int | float):
        return f"the number {value!r}"
    if isinstance(value, str):
        return "a text"
    return "a time" if isinstance(value, datetime) else "a date"


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"

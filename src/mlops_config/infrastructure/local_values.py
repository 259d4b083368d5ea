"""What local values are made of, read from a module's files: Terraform's own description leaves that out."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|(?:\#|//)[^\n]*)
    |<<[-~]?(?P<mark>\w+)[ \t]*\n.*?^[ \t]*(?P=mark)[ \t]*$
    |"(?:\\.|[$%]\{[^}]*\}|[^"\\])*"
    |(?P<open>[{(\[])|(?P<close>[})\]])
    |(?P<name>[A-Za-z_][\w-]*)
    |(?P<space>[ \t]+)|(?P<line>\r?\n)|.""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_REFERENCE = re.compile(
    r"""(?<![\w.])(?:(?:var|local|module|data)\.[A-Za-z_][\w-]*|[a-z][a-z0-9]*_\w+\.[A-Za-z_][\w-]*)
    (?:\.[A-Za-z_][\w-]*|\["[^"\]]*"\]|\[\d+\])*""",
    re.VERBOSE,
)
_MOST_BYTES = 1 << 20


def local_references(directory: Path) -> Mapping[str, tuple[str, ...]]:
    """The references in each local value of the module in ``directory``; unreadable files are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(directory.glob("*.tf")):
        try:
            if path.stat().st_size > _MOST_BYTES:
                continue
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        for name, expression in _locals(text):
            found[name] = tuple(dict.fromkeys(_REFERENCE.findall(expression)))
    return found


def _locals(text: str) -> Iterator[tuple[str, str]]:
    """Names and expressions in every ``locals`` block."""
    depth, inside, word = 0, False, ""
    name, expression, may_begin = "", "", False
    for token in _TOKEN.finditer(text):
        piece, kind = token[0], token.lastgroup
        if kind == "comment":
            continue
        if kind == "close":
            depth -= 1
            if inside and depth == 0:
                if name:
                    yield name, expression
                inside, name, expression = False, "", ""
        if inside and depth == 1 and kind == "name" and may_begin:
            if _is_assigned(text, token.end()):
                if name:
                    yield name, expression
                name, expression = piece, ""
        elif inside:
            expression += piece
        if kind == "open":
            if depth == 0:
                inside, may_begin = word == "locals" and piece == "{", True
            depth += 1
        elif kind == "name" and depth == 0:
            word = piece
        if kind not in ("space", "open"):
            may_begin = kind == "line"


def _is_assigned(text: str, position: int) -> bool:
    return re.match(r"[ \t]*=(?!=)", text[position : position + 200]) is not None

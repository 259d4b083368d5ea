"""Markdown for GitHub's pages in which text from outside stays text: no markup, no HTML, no mention, no link.

Whatever comes from outside is shown as code: there GitHub makes no mentions, references or emoji of it.
"""

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

MAX_VALUE_CHARACTERS = 100

_PLAIN = re.compile(r"(?!www\.)[A-Za-z0-9](?:[A-Za-z0-9 .-]*[A-Za-z0-9])?")
_TELLING = frozenset("`|<>")
"""Characters that end a code span or a table cell, or that may begin one of our hidden marks."""


def code(value: str) -> str:
    """``value`` as code, on one line, in a table cell too; what cannot be seen is written as an escape."""
    text = visible(value)
    if text and text == text.strip() and not _TELLING & set(text):
        return f"`{text}`"
    encoded = "".join(letter if letter.isalnum() else f"&#{ord(letter)};" for letter in text)
    return f"<code>{encoded}</code>"


def plain(value: str) -> str:
    """``value`` as it is where it is a plain name or number, else as code."""
    return value if _PLAIN.fullmatch(value) else code(value)


def link(label: str, url: str | None) -> str:
    """``label`` (Markdown) linked to ``url`` if that is an address on the web."""
    if url is None or urlsplit(url).scheme not in ("http", "https"):
        return label
    return f"[{label}]({quote(url, safe=':/?#@!$&+,;=%~._-')})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown on one line each; columns in ``right`` are aligned to the right."""
    rule = ["---:" if column in right else ":---" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def html_code(value: str) -> str:
    """``value`` as code where only HTML works."""
    return f"<code>{html.escape(visible(value))}</code>"


def details(summary: str, body: str) -> str:
    """``body`` folded under ``summary``, which is HTML: Markdown does not work there."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def fenced(text: str, language: str = "") -> str:
    """``text`` as a block of code, whatever is in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def value_text(value: Any) -> str:
    """A JSON value as a line of YAML would have it: ``[rmse, mae]``, ``{cron: 0 4 * * *}``.

    Quotes show where text would else be read as something else. Keys without a value are left out, and so is
    the ``.0`` of a whole number: it means the same.
    """
    if isinstance(value, dict):
        inner = (f"{key}: {value_text(item)}" for key, item in value.items() if item is not None)
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, str) and not _reads_as_something_else(value):
        return value
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return json.dumps(int(value) if whole else value, ensure_ascii=False)


def shortened(text: str, limit: int = MAX_VALUE_CHARACTERS) -> str:
    """``text``, or its beginning and an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def visible(text: str) -> str:
    """``text`` on one line: controls, line breaks and invisible characters are written as escapes."""
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def _reads_as_something_else(text: str) -> bool:
    """Whether YAML reads the text as a number, truth value or null, or drops part of it."""
    if text != text.strip() or not text:
        return True
    return bool(
        re.fullmatch(r"(?i)null|~|true|false|[-+]?[0-9][0-9._]*(?:e[-+]?[0-9]+)?|0[xo][0-9a-f]+", text)
    )

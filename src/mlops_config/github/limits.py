"""Markdown cut to the sizes GitHub accepts, so that what is left still reads and says where the rest is."""

import re
from collections.abc import Callable

COMMENT_CHARACTERS = 65_536
"""GitHub refuses a longer comment: "Body is too long (maximum is 65536 characters)"."""

RELEASE_CHARACTERS = 125_000
"""GitHub refuses a longer release: "body is too long (maximum is 125000 characters)"."""

SUMMARY_BYTES = 1024 * 1024
"""A step's summary that is larger is not shown at all.
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits"""

OUTPUT_CHARACTERS = 512 * 1024
"""A job's outputs hold 1 MB, counted as UTF-16.
https://docs.github.com/actions/reference/workflows-and-actions/metadata-syntax#outputs"""


def utf8_bytes(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def utf16_units(text: str) -> int:
    """Code units in UTF-16: two for a character beyond U+FFFF."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def fitted(markdown: str, limit: int, rest: str, *, size: Callable[[str], int] = len) -> str:
    """``markdown``, cut after a line where it is longer than ``limit``; then ``rest`` says where the rest is.

    What the cut leaves open (a code fence, ``<details>``) is closed. ``size`` measures a text in the unit of
    ``limit``.
    """
    if size(markdown) <= limit:
        return markdown
    lines = markdown.splitlines(keepends=True)
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        if size(_ended("".join(lines[:middle]), rest)) <= limit:
            low = middle
        else:
            high = middle - 1
    return _ended("".join(lines[:low]), rest)


def _ended(kept: str, rest: str) -> str:
    fence = ""
    open_details = 0
    for line in kept.splitlines():
        mark = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif fence and re.fullmatch(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}\s*", line):
            fence = ""
        elif not fence:
            open_details += line.count("<details") - line.count("</details>")
    closing = f"{fence}\n" if fence else ""
    closing += "\n</details>\n" * max(0, open_details)
    return f"{kept}{closing}\n{rest}\n"

"""A finding is data: what is wrong, how bad it is, where it stands, and what to do about it."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How bad a finding is, in the words of SARIF 2.1.0 (section 3.27.10)."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for an error, larger for what matters less."""
        return ("error", "warning", "note").index(self.value)


ConfigPath = tuple[str | int, ...]
"""The way to a value: mapping keys and 0-based sequence indices, outermost first."""


class Place(NamedTuple):
    """A stretch of a file. Lines and columns are 1-based and count Unicode code points.

    ``end_column`` is exclusive: it is the column after the last character, as in SARIF.
    """

    file: str
    line: int = 1
    column: int = 1
    end_line: int | None = None
    end_column: int | None = None


class Related(NamedTuple):
    """Another place that takes part in a finding, such as the value in the other file."""

    place: Place
    message: str


class Finding(NamedTuple):
    """One thing wrong with the configuration.

    ``code`` is stable once released (``docs/rules/<code>.md`` explains it); ``message`` says what was given
    and what was expected; ``hint`` what to do. ``place`` is ``None`` only when no file can be named. ``path``
    is the way to the value inside the file. ``replacement`` is the text that would mend the stretch at
    ``place``.
    """

    code: str
    severity: Severity
    message: str
    place: Place | None = None
    path: ConfigPath = ()
    hint: str | None = None
    related: tuple[Related, ...] = ()
    replacement: str | None = None


def in_reading_order(findings: Iterable[Finding]) -> list[Finding]:
    """The findings sorted by file, line and column, then by severity and code."""

    def key(finding: Finding) -> tuple[str, int, int, int, str, str]:
        place = finding.place
        file, line, column = (place.file, place.line, place.column) if place else ("", 0, 0)
        return file, line, column, finding.severity.rank, finding.code, finding.message

    return sorted(findings, key=key)


def format_path(path: ConfigPath) -> str:
    """The path as people write it: ``schema.features[2].range``; a key with a dot or bracket is quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and not set(step) & set(".[]'\" "):
            text += f".{step}" if text else step
        else:
            quoted = step.replace("\\", "\\\\").replace("'", "\\'")
            text += f"['{quoted}']"
    return text

"""What Terraform complains about, from its machine-readable output (``-json``)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHOWN = 5
_DETAIL_LINES = 6
_SAYS_NOTHING = r"^execution halted|must be valid before initialization"
_TOLD_OTHERWISE = (
    r"^Values? for undeclared variable|^Check block assertion known after apply|"
    r"^Some objects will no longer be managed"
)
"""By :mod:`~.given_variables`; by the apply, once there is something to tell; by the plan's own lines."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One complaint."""

    summary: str
    detail: str = ""
    address: str | None = None
    """Of the resource that it is about."""
    file: str | None = None
    line: int | None = None
    code: str = ""
    """The line of the module that it is about."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Diagnostic":
        """As Terraform's machine-readable output has it."""
        place = document.get("range") or {}
        return cls(
            summary=str(document.get("summary", "")).strip(),
            detail=str(document.get("detail", "")).strip(),
            address=document.get("address"),
            file=place.get("filename"),
            line=(place.get("start") or {}).get("line"),
            code=str((document.get("snippet") or {}).get("code") or "").strip(),
        )

    @property
    def text(self) -> str:
        """Summary and detail, to look for words in."""
        return f"{self.summary}\n{self.detail}"

    def in_words(self) -> str:
        """A line or a few: where, what, and the beginning of the detail."""
        where = self.address or (f"{self.file}:{self.line}" if self.file and self.line else None)
        summary, *more = [line.strip() for line in self.summary.splitlines() if line.strip()] or [""]
        detail = [*more, *(line.strip() for line in self.detail.splitlines() if line.strip())]
        head = f"{where}: {summary}" if where else summary
        return "\n    ".join([head, *detail[:_DETAIL_LINES]])


def errors_of(documents: Sequence[Mapping[str, Any]]) -> tuple[Diagnostic, ...]:
    """The errors among diagnostics, each once, without those that only say that there are others."""
    errors = [Diagnostic.of(each) for each in documents if each.get("severity") == "error"]
    telling = [each for each in errors if not re.search(_SAYS_NOTHING, each.text)]
    return tuple(dict.fromkeys(telling or errors))


def warnings_of(documents: Sequence[Mapping[str, Any]]) -> tuple[Diagnostic, ...]:
    """The warnings among diagnostics, each once; failed ``check`` blocks are among them."""
    found = (Diagnostic.of(each) for each in documents if each.get("severity") == "warning")
    return tuple(dict.fromkeys(each for each in found if not re.search(_TOLD_OTHERWISE, each.text)))


def listed(errors: Sequence[Diagnostic]) -> str:
    """The first few, a line each or more."""
    lines = [f"  {each.in_words()}" for each in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"  … and {len(errors) - _SHOWN} more")
    return "\n".join(lines)

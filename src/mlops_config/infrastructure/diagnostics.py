"""What Terraform complains about, from its machine-readable output (``-json``)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHOWN = 5
_DETAIL_LINES = 6
_SAYS_NOTHING = r"^execution halted|must be valid before initialization"
_TOLD_OTHERWISE = r"^Check block assertion known after apply|^Some objects will no longer be managed"
"""By the apply, once there is something to tell; by the plan's own lines."""
_UNDECLARED = r"^Value for undeclared variable\n"
_MORE_UNDECLARED = r"^Values for undeclared variables\n\D*(\d+)"
"""Terraform names two at most, whichever, and has a number for the others."""


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


def warnings_of(
    documents: Sequence[Mapping[str, Any]], file: str = "", undeclared: int = 0
) -> tuple[Diagnostic, ...]:
    """The warnings among diagnostics, each once; failed ``check`` blocks are among them.

    Of ``file`` it is told otherwise which variables the root module does not declare, and that it is so many.
    """
    warned = (Diagnostic.of(each) for each in documents if each.get("severity") == "warning")
    found = dict.fromkeys(each for each in warned if not re.search(_TOLD_OTHERWISE, each.text))
    ours = [each for each in found if re.search(_UNDECLARED, each.text) and f'in file "{file}"' in each.text]
    further = {each: int(told[1]) for each in found if (told := re.search(_MORE_UNDECLARED, each.text))}
    kept = [each for each in found if each not in ours and each not in further]
    unnamed = sum(further.values()) - (undeclared - len(ours))
    return (*kept, _unnamed(unnamed)) if unnamed > 0 else tuple(kept)


def _unnamed(number: int) -> Diagnostic:
    return Diagnostic(
        "Values for undeclared variables",
        f"The files beside the root module give {number} {'value' if number == 1 else 'values'} more for"
        " variables that it does not declare, and Terraform does not say which: look for a mistyped name in"
        " terraform.tfvars and *.auto.tfvars.",
    )


def listed(errors: Sequence[Diagnostic]) -> str:
    """The first few, a line each or more."""
    lines = [f"  {each.in_words()}" for each in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"  … and {len(errors) - _SHOWN} more")
    return "\n".join(lines)

"""Findings as Markdown, for job summaries and pull-request comments; nothing in it is markup but our own."""

import re
from collections.abc import Iterator, Sequence

from mlops_config.findings import Finding, Place, Severity
from mlops_config.report.interface import (
    FileStatus,
    ReportContext,
    closing_line,
    counts,
    plural,
    printable,
    rule_uri,
)

MAX_BYTES = 1_000_000
"""A step's summary may have 1 MiB; the rest is left to what else the step writes.
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands"""

_MARKS = {Severity.ERROR: "❌ error", Severity.WARNING: "⚠️ warning", Severity.NOTE: "ℹ️ note"}  # noqa: RUF001 - the sign
_MARKUP = re.compile(r"""[\\`*_{}\[\]#!|~<>&"'$=:]|(?<=w)\.""")
_CODE = re.compile(r"`([^`]+)`")


def render(findings: Sequence[Finding], context: ReportContext, *, limit: int = MAX_BYTES) -> str:
    """A row for each environment and file, then the findings, in at most ``limit`` bytes of UTF-8."""
    lines = [f"**{closing_line(findings, context)}**", ""]
    if context.files:
        lines += ["| Environment | File | Status | Findings |", "| --- | --- | --- | --- |"]
        lines += [_row(each, findings) for each in context.files]
        lines.append("")
    if findings:
        lines += ["| Where | Severity | Code | Finding |", "| --- | --- | --- | --- |"]
    size = sum(len(line.encode()) + 1 for line in lines) + 200
    for number, each in enumerate(findings):
        line = _finding(each, context)
        size += len(line.encode()) + 1
        if size > limit:
            left = plural(len(findings) - number, "more finding")
            lines += ["", f"… and {left}: the log of the step lists them all."]
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def _row(status: FileStatus, findings: Sequence[Finding]) -> str:
    own = [each for each in findings if each.place and each.place.file == status.path]
    state = "missing or unreadable" if status.path is None else "valid" if status.is_valid else "not valid"
    mark = "✅" if status.is_valid and not any(each.severity is Severity.ERROR for each in own) else "❌"
    number = counts(own) if own else ""
    return f"| {_plain(status.environment)} | {status.kind} | {mark} {state} | {number} |"


def _finding(each: Finding, context: ReportContext) -> str:
    code = f"[{each.code}]({rule_uri(each.code)})"
    text = "<br>".join(_details(each, context))
    where = _where(each.place, context) if each.place else ""
    return f"| {where} | {_MARKS[each.severity]} | {code} | {text} |"


def _details(each: Finding, context: ReportContext) -> Iterator[str]:
    yield _with_code(each.message)
    if each.hint:
        yield f"<em>{_with_code(each.hint)}</em>"
    for related in each.related:
        yield f"{_where(related.place, context)}: {_with_code(related.message)}"


def _where(place: Place, context: ReportContext) -> str:
    line = f":{place.line}" if context.texts.get(place.file) or place.end_line is not None else ""
    return f"<code>{_plain(context.prefix + place.file)}{line}</code>"


def _with_code(text: str) -> str:
    """Text with what stands between backticks as code."""
    parts = _CODE.split(text)
    return "".join(
        f"<code>{_plain(part)}</code>" if odd % 2 else _plain(part) for odd, part in enumerate(parts)
    )


def _plain(text: str) -> str:
    """``text`` with every sign that could be markup as an entity, and no mention of people or issues."""
    escaped = _MARKUP.sub(lambda match: f"&#{ord(match[0])};", printable(text))
    return escaped.replace("@", "@<!-- -->").replace("&#35;", "&#35;<!-- -->")

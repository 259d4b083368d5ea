"""Findings as annotations on a GitHub run, within what GitHub shows: ten errors and ten warnings a step.

The limits are in https://github.com/actions/toolkit/issues/734; they are not in GitHub's documentation.
"""

from collections.abc import Sequence

from mlops_config.findings import Finding, Severity
from mlops_config.github.commands import command, stopped
from mlops_config.report.interface import ReportContext, counts, printable
from mlops_config.report.text import render as render_text

MAX_OF_A_LEVEL = 10
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(findings: Sequence[Finding], context: ReportContext) -> str:
    """The annotations, worst first; a notice about those left out; then the whole report for the log."""
    lines: list[str] = []
    hidden: list[Finding] = []
    for severity, level in _LEVELS.items():
        group = [each for each in findings if each.severity is severity]
        # The notice that says how many are left out counts as one of the ten notices.
        room = MAX_OF_A_LEVEL if severity is not Severity.NOTE else MAX_OF_A_LEVEL - 1
        lines += [_annotation(level, each, context) for each in group[:room]]
        hidden += group[room:]
    if hidden:
        message = f"{counts(hidden)} more: the log of this step and the job summary list all findings"
        lines.append(command("notice", message, title="More findings"))
    log = render_text(findings, context).removesuffix("\n")
    return "\n".join([*lines, stopped(log)]) + "\n"


def _annotation(level: str, each: Finding, context: ReportContext) -> str:
    message = printable(each.message)
    if each.hint:
        message += f"\n{printable(each.hint)}"
    for related in each.related:
        message += f"\n{printable(related.place.file)}:{related.place.line}: {printable(related.message)}"
    place = each.place
    if place is None:
        return command(level, message, title=each.code)
    on_one_line = place.end_line in (None, place.line)
    end_column = place.end_column - 1 if place.end_column and place.end_column > place.column else None
    return command(
        level,
        message,
        file=context.prefix + place.file,
        line=place.line,
        end_line=place.end_line,
        col=place.column if on_one_line else None,
        end_column=end_column if on_one_line else None,
        title=each.code,
    )

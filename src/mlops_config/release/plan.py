"""The comment on a pull request: a row per environment and file, and what changes in it, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from mlops_config.kinds import Kind
from mlops_config.release.change_words import change_table, in_words
from mlops_config.release.changes import Change, FileChange
from mlops_config.release.markdown import code, details, html_code, table

MAX_ROWS = 120
MAX_PHRASES = 4
"""A row holds this many changes; of more it shows one less, and says how many there are."""
MAX_CHANGES = 250

SENTENCES = {
    FileChange.NONE: "nothing",
    FileChange.LAYOUT: "comments or layout only: every value stays as it is",
    FileChange.REREAD: "the file stays as it is, but this version of the contract reads it differently",
    FileChange.GONE: "**the file is removed**",
    FileChange.NEW: "a new file",
    FileChange.MEANING: "its meaning, in a way that could not be read",
}


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One file of one environment: as it is on the branch to merge into, and as it would be."""

    environment: str
    kind: Kind
    file: str
    """Path in the repository."""
    change: FileChange
    changes: tuple[Change, ...] = ()
    errors: int = 0
    warnings: int = 0


def render_plan_comment(rows: Sequence[PlanRow], *, more: str = "see the job summary") -> str:
    """The comment as Markdown, the same for the same rows. Long lists are cut; ``more`` says where all is."""
    title = f"### {_headline(rows)}"
    cells = [
        (code(row.environment), code(PurePosixPath(row.file).name), _what_changes(row))
        for row in rows[:MAX_ROWS]
    ]
    if len(rows) > MAX_ROWS:
        cells.append(("", f"… and {len(rows) - MAX_ROWS} more files", more))
    overview = table(("environment", "file", "what changes"), cells)
    return "\n\n".join((title, overview, *_tables(rows, more))) + "\n"


def _headline(rows: Sequence[PlanRow]) -> str:
    errors = sum(row.errors for row in rows)
    if errors:
        return f"Configuration: {_counted(errors, 'error')} to mend"
    changed = [row for row in rows if row.change is not FileChange.NONE]
    if not changed:
        return "Configuration: nothing changes"
    values = sum(len(row.changes) for row in changed)
    if not values:
        return f"Configuration: {_counted(len(changed), 'file')} changed"
    names = list(dict.fromkeys(row.environment for row in changed))
    environments = ", ".join(map(code, names)) if len(names) <= 5 else f"{len(names)} environments"
    return f"Configuration: {_counted(values, 'value')} changed in {environments}"


def _what_changes(row: PlanRow) -> str:
    parts = [f"**{_counted(row.errors, 'error')}**"] if row.errors else []
    # An unreadable file has no changes to show, only errors.
    if row.changes or not row.errors or row.change is not FileChange.MEANING:
        parts.append(_changes_in_words(row))
    if row.warnings:
        parts.append(_counted(row.warnings, "warning"))
    return "<br>".join(parts)


def _changes_in_words(row: PlanRow) -> str:
    if not row.changes or row.change in (FileChange.NEW, FileChange.GONE):
        return SENTENCES[row.change]
    shown = len(row.changes) if len(row.changes) <= MAX_PHRASES else MAX_PHRASES - 1
    phrases = [in_words(change) for change in row.changes[:shown]]
    if shown < len(row.changes):
        phrases.append(f"… and {len(row.changes) - shown} more below")
    words = "<br>".join(phrases)
    return f"{SENTENCES[row.change]}:<br>{words}" if row.change is FileChange.REREAD else words


def _tables(rows: Sequence[PlanRow], more: str) -> Iterator[str]:
    """Every change of the files whose row could not hold them all."""
    left = MAX_CHANGES
    for row in rows[:MAX_ROWS]:
        if len(row.changes) <= MAX_PHRASES or row.change in (FileChange.NEW, FileChange.GONE):
            continue
        if left <= 0:
            yield f"… and more changes: {more}"
            return
        summary = f"All {len(row.changes)} changes of {row.kind} in {html_code(row.environment)}"
        yield details(summary, change_table(row.changes, left))
        left -= len(row.changes)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

"""A rollback's plan as a person reads it: what runs, what will run, and every value that differs."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from mlops_config.release.change_words import comparison
from mlops_config.release.changes import Change, Nature
from mlops_config.release.markdown import shortened, value_text
from mlops_config.report.interface import printable
from mlops_config.runtime.rollback.planning import Plan, Side
from mlops_config.runtime.rollback.units import shown

SAME = "the same"
_VALUE_CHARACTERS = 44
_DIGEST_CHARACTERS = 19
_MOST_CHANGES = 40
_MOST_METRICS = 6


def describe(plan: Plan) -> str:
    """The plan in lines, without a final newline."""
    again = "; it was begun before, and goes on" if plan.resumed else ""
    lines = [
        f"{plan.environment} goes back from {way(plan.now, plan.target)}{again}",
        "",
        *_table(("", "now", "after"), _rows(plan.now, plan.target)),
        "",
        *_changes(plan.changes),
        "",
        *_fit(plan),
    ]
    if plan.refusals:
        lines += ["", "refused:", *(f"  ✗ {reason.text}" for reason in plan.refusals)]
    return "\n".join(printable(line) for line in lines)


def way(now: Side, target: Side) -> str:
    """From which release to which; from which model to which where the release stays."""
    if now.record.name == target.record.name:
        return f"{_model(now)} to {_model(target)}; release {shown(now.record.name)} stays"
    return f"release {shown(now.record.name)} to {shown(target.record.name)}"


def _rows(now: Side, target: Side) -> Iterator[tuple[str, str, str]]:
    before, after = now.record, target.record
    yield _row("release", shown(before.name), shown(after.name))
    yield _row("commit", (before.source.commit or "—")[:12], (after.source.commit or "—")[:12])
    yield _row("released", f"{before.created_at:%Y-%m-%d %H:%M}", f"{after.created_at:%Y-%m-%d %H:%M}")
    yield _row(
        "configuration", before.config_digest[:_DIGEST_CHARACTERS], after.config_digest[:_DIGEST_CHARACTERS]
    )
    yield _row("image", _image(now), _image(target))
    yield _row("model", _model(now), _model(target))
    yield from _metrics(now, target)
    yield _row("endpoint", now.endpoint or "none", target.endpoint or "none")


def _row(name: str, now: str, after: str) -> tuple[str, str, str]:
    return (name, now, SAME if now == after and now not in ("—", "none") else after)


def _image(side: Side) -> str:
    if side.image is None:
        return "none"
    name, _, digest = side.image.partition("@")
    return f"{name.rpartition('/')[2]}@{digest[:_DIGEST_CHARACTERS]}"


def _model(side: Side) -> str:
    model = side.unit.model
    return f"{model.name} version {model.version}" if model else "none"


def _metrics(now: Side, target: Side) -> Iterator[tuple[str, str, str]]:
    before = now.version.metrics if now.version else {}
    after = target.version.metrics if target.version else {}
    if now.unit.model == target.unit.model:
        return
    for name in [name for name in after if name in before][:_MOST_METRICS]:
        yield (f"  {name}", f"{before[name]:.4g}", f"{after[name]:.4g}")


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        yield "configuration: every value stays"
        return
    yield f"configuration: {len(changes)} value{'s' * (len(changes) != 1)} change{'s' * (len(changes) == 1)}"
    for kind, group in groupby(changes[:_MOST_CHANGES], key=lambda change: change.kind):
        yield f"  {kind.value}"
        rows = [(f"  {change.where or 'the whole file'}", *_values(change)) for change in group]
        yield from _table(None, rows)
    if len(changes) > _MOST_CHANGES:
        yield f"  … and {len(changes) - _MOST_CHANGES} more: --format json has them all"


def _values(change: Change) -> tuple[str, str, str]:
    """What it is now, what it will be, and how the two compare."""
    now = "—" if change.nature is Nature.ADDED else _value(change.old)
    after = "—" if change.nature is Nature.REMOVED else _value(change.new)
    compared = (
        comparison(change).replace("`", "").replace("\N{NO-BREAK SPACE}", " ")
        if change.nature is Nature.CHANGED
        else ""
    )
    return now, f"→  {after}", compared


def _value(value: object) -> str:
    return shortened(value_text(value), _VALUE_CHARACTERS)


def _fit(plan: Plan) -> Iterator[str]:
    fit = plan.fit
    if plan.target.table is None or plan.now.table is None:
        yield "input: not compared, there are no two models"
    elif fit.refusals:
        yield "input: does not fit what clients send now"
    else:
        number = "the one column" if fit.columns == 1 else f"all {fit.columns} columns"
        yield f"input: fits; {number} that the model needs can be had from what clients send now"
    yield from (f"  ! {note}" for note in fit.notes)


def _table(
    header: Sequence[str] | None, rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]
) -> list[str]:
    """Columns side by side, each as wide as its widest cell, indented by two."""
    cells = [*([header] if header else []), *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]

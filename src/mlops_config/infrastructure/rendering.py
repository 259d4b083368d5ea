"""A plan for people and programs: text for terminals, Markdown for GitHub's pages, JSON."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from mlops_config.infrastructure.alike import Alike, grouped
from mlops_config.infrastructure.causes import Cause, Causes, key_of
from mlops_config.infrastructure.differences import Concealed, Difference, Mark
from mlops_config.infrastructure.plan import (
    DEFAULT_WORKSPACE,
    Action,
    OutputChange,
    Plan,
    ResourceChange,
    in_the_past,
    summary,
)
from mlops_config.infrastructure.showing import (
    SIGNS,
    Line,
    about,
    cause_words,
    following,
    in_order,
    shown,
    told,
    value_lines,
)
from mlops_config.release.markdown import code, details, fenced, html_code, shortened, table, visible

NARROWEST, WIDEST = 40, 140
MANY = 6
"""More resources than these are made: each is one line, for its values say little among so many."""
_COLORS = {"+": "32", "-": "31", "~": "33", "-/+": "31;1", "!": "31;1"}
_HEADER = ("", "Resource", "Values", "Because")
_CELL_VALUES = 4
_MOST_REASONS = 3
"""Of changes that are told of together."""
_MOST_WARNINGS = 10
_WARNING_LENGTH = 300
_WORDS = {Action.UPDATE: "change"}
_MARGIN_BYTES = 300
"""For what says that something was left out."""
_ELSEWHERE = "the others have other values: plan.json has them"
_BELOW = "the others have other values: see below, or plan.json"


class _Section(NamedTuple):
    """A fold: its title, which is HTML, and what it tells of."""

    title: str
    groups: Sequence[Alike]
    causes: Causes
    with_values: bool = True


def as_text(
    plan: Plan,
    causes: Causes | None = None,
    width: int | None = None,
    *,
    color: bool = False,
) -> str:
    """The plan in lines of about ``width`` columns, by default the terminal's, with a final newline."""
    causes = causes or {}
    width = max(width or min(shutil.get_terminal_size().columns, WIDEST), NARROWEST)
    lines = [Line("", f"{plan.summary()}{_of_workspace(plan, visible)}"), Line("", f"plan {plan.digest}")]
    if plan.destructive:
        lines.append(Line("!", _loud(plan.destructive)))
    lines += _body(plan, causes, width)
    if plan.drift:
        lines += [Line("", ""), Line("", f"Changed outside of Terraform: {in_the_past(plan.drift)}")]
        for group in grouped(plan.drift):
            lines += _change_lines(group, {}, width, full=False)
    lines += _warning_lines(plan.warnings)
    return "".join(f"{_painted(line, color=color)}\n" for line in lines)


def _warning_lines(warnings: Sequence[str]) -> Iterator[Line]:
    if warnings:
        yield from (Line("", ""), Line("", "Terraform warns:"))
    for each in warnings[:_MOST_WARNINGS]:
        first, *rest = each.splitlines()
        yield Line("!", visible(first))
        yield from (Line("", visible(line.strip()), 2) for line in rest)
    if len(warnings) > _MOST_WARNINGS:
        yield Line("", f"… and {len(warnings) - _MOST_WARNINGS} more", 1)


def as_markdown(plan: Plan, causes: Causes | None = None, limit_bytes: int = 60_000) -> str:
    """The plan as Markdown in at most ``limit_bytes`` of UTF-8; nothing in it is markup but our own."""
    causes = causes or {}
    parts = [f"**{plan.summary()}**{_of_workspace(plan, code)} · plan {code(plan.digest)}"]
    if plan.destructive:
        parts.append(f"> [!CAUTION]\n> {_loud_markdown(plan.destructive)}")
    if plan.warnings:
        parts.append(_warned_markdown(plan.warnings))
    room = limit_bytes - sum(len(part.encode()) + 2 for part in parts) - _MARGIN_BYTES
    groups = grouped(plan.changes)
    rows, room = _within([*_rows(groups, causes), *_output_rows(plan.outputs)], room)
    if rows:
        parts.append(table(_HEADER, rows))
    left = sum([*(len(each.changes) for each in groups), *(1 for _ in plan.outputs)][len(rows) :])
    outside = grouped(plan.drift)
    values = (
        "Values, of those alike the first one's" if any(each.others for each in groups) else "Every value"
    )
    sections = (
        _Section(f"{values}: {html_code(summary(plan.changes))}", groups, causes),
        _Section(f"Changed outside of Terraform: {html_code(in_the_past(plan.drift))}", outside, {}),
        *_one_by_one(groups, "Each", causes),
        *_one_by_one(outside, "Changed outside of Terraform, each", {}),
    )
    for section in sections:
        for each in _folded(section, room):
            room -= len(each.encode()) + 2
            parts.append(each)
    if left:
        parts.append(f"… and {left} more: `plan.md` and the log have them all.")
    return "\n\n".join(parts) + "\n"


def as_document(plan: Plan, causes: Causes | None = None) -> dict[str, Any]:
    """The plan for programs; secrets are left out."""
    causes = causes or {}
    return {
        "schema_version": 1,
        "digest": plan.digest,
        "terraform_version": plan.terraform_version,
        "providers": dict(plan.providers),
        "workspace": plan.workspace,
        "modules": plan.sources,
        "variables": plan.given,
        "summary": plan.summary(),
        "has_changes": plan.has_changes,
        "counts": {action.value: plan.count(action) for action in Action},
        "destructive": [each.address for each in plan.destructive],
        "changes": [_change_document(each, causes) for each in in_order(plan.changes)],
        "outputs": [
            {"name": each.name, "action": each.action.value, **_sides(each.before, each.after)}
            for each in plan.outputs
        ],
        "drift": [_change_document(each, {}) for each in in_order(plan.drift)],
        "warnings": list(plan.warnings),
    }


def _of_workspace(plan: Plan, shown_as: Callable[[str], str]) -> str:
    return "" if plan.workspace == DEFAULT_WORKSPACE else f" in workspace {shown_as(plan.workspace)}"


def _body(plan: Plan, causes: Causes, width: int) -> Iterator[Line]:
    many = plan.count(Action.CREATE) > MANY
    for group in grouped(plan.changes):
        brief = many and group.first.action is Action.CREATE
        if not brief:
            yield Line("", "")
        yield from _change_lines(group, causes, width, full=not brief)
    if plan.outputs:
        yield Line("", "")
        yield from (Line(SIGNS[each.action], _output_words(each), 0) for each in plan.outputs)


def _change_lines(
    group: Alike, causes: Causes, width: int, *, full: bool, elsewhere: str = _ELSEWHERE
) -> Iterator[Line]:
    change, note = group.first, about(group.first)
    yield Line(SIGNS[change.action], f"{change.address}{f'  ({note})' if note else ''}")
    if more := group.more():
        yield Line(" ", more, 1)
    yield from _because(group, causes, 1)
    if not full and change.action is Action.CREATE:
        return
    if change.action in (Action.DELETE, Action.FORGET):
        return  # what goes is named; its values go with it, or stay as they are
    differing = group.differing()
    for each in told(change):
        for line in value_lines(change, each, width - 8):
            yield Line(line.sign, line.text, line.depth + 1)
        if each.path in differing:
            yield Line(" ", elsewhere, 2)
        yield from _because(group, causes, 2, [each])
    if made_up := following(change):
        yield Line(" ", f"known after apply: {', '.join(visible(each.where) for each in made_up)}", 1)
        yield from _because(group, causes, 2, made_up)


def _because(
    group: Alike, causes: Causes, depth: int, values: Sequence[Difference] | None = None
) -> Iterator[Line]:
    """Why the values change, or the resource as such, each reason once."""
    found = list(dict.fromkeys(cause_words(each) for each in _causes(group, causes, values)))
    few = found[:_MOST_REASONS] if group.others else found
    yield from (Line(" ", f"because {words}", depth) for words in few)
    if more := len(found) - len(few):
        yield Line(" ", f"and {more} more reasons" if more > 1 else "and 1 more reason", depth)


def _causes(group: Alike, causes: Causes, values: Sequence[Difference] | None) -> Iterator[Cause]:
    for change in group.changes:
        if values is None:
            yield from causes.get(change.address, ())
        for each in values or ():
            yield from causes.get(key_of(change, each), ())


def _output_words(each: OutputChange) -> str:
    if each.action is Action.DELETE:
        return f"output {each.name} goes"
    if each.action is Action.CREATE:
        return f"output {each.name} = {shown(each.after, 80)}"
    return f"output {each.name}: {shown(each.before, 60)} → {shown(each.after, 60)}"


def _loud(destructive: Sequence[ResourceChange]) -> str:
    deleted = sum(each.action is Action.DELETE for each in destructive)
    replaced = len(destructive) - deleted
    words = ((deleted, "DELETES"), (replaced, "REPLACES"))
    return f"THIS PLAN {' AND '.join(f'{word} {number}' for number, word in words if number)}"


def _loud_markdown(destructive: Sequence[ResourceChange]) -> str:
    named = ", ".join(code(each.address) for each in in_order(destructive)[:5])
    more = f" and {len(destructive) - 5} more" if len(destructive) > 5 else ""
    return f"**{_loud(destructive)}**: {named}{more}"


def _warned_markdown(warnings: Sequence[str]) -> str:
    lines = [code(shortened(" ".join(each.split()), _WARNING_LENGTH)) for each in warnings[:_MOST_WARNINGS]]
    if len(warnings) > _MOST_WARNINGS:
        lines.append(f"… and {len(warnings) - _MOST_WARNINGS} more")
    return "\n".join(["> [!WARNING]", "> Terraform warns:", *(f"> - {line}" for line in lines)])


def _painted(line: Line, *, color: bool) -> str:
    sign = f"{line.sign:<3} " if line.sign else ""
    text = f"{'    ' * line.depth}{sign}{line.text}".rstrip()
    paint = _COLORS.get(line.sign) if color else None
    return f"\x1b[{paint}m{text}\x1b[0m" if paint else text


def _rows(groups: Sequence[Alike], causes: Causes) -> Iterator[tuple[str, ...]]:
    for group in groups:
        change = group.first
        is_whole = change.action in (Action.CREATE, Action.DELETE, Action.FORGET)
        values = [] if is_whole else told(change) or change.differences
        names = [code(each.where) for each in values[:_CELL_VALUES]]
        if len(values) > _CELL_VALUES:
            names.append(f"and {len(values) - _CELL_VALUES} more")
        sign = f"`{SIGNS[change.action]}` {_WORDS.get(change.action, change.action)}"
        named = "<br>".join(filter(None, [code(change.address), group.more(code)]))
        yield (sign, named, ", ".join(names), _reasons(group, causes))


def _output_rows(outputs: Sequence[OutputChange]) -> Iterator[tuple[str, ...]]:
    for each in outputs:
        yield (f"`{SIGNS[each.action]}` output", code(each.name), "", "")


def _reasons(group: Alike, causes: Causes) -> str:
    found = [*_causes(group, causes, None), *_causes(group, causes, group.first.differences)]
    words = list(dict.fromkeys(code(cause_words(each, 40)) for each in found))
    more = [f"and {len(words) - _MOST_REASONS} more"] if len(words) > _MOST_REASONS else []
    note = about(group.first)
    return "<br>".join([*([note] if note else []), *words[:_MOST_REASONS], *more])


def _within(rows: list[tuple[str, ...]], room: int) -> tuple[list[tuple[str, ...]], int]:
    kept = []
    for row in rows:
        size = sum(len(cell.encode()) + 3 for cell in row) + 2
        if size > room:
            break
        room -= size
        kept.append(row)
    return kept, room


def _one_by_one(groups: Sequence[Alike], what: str, causes: Causes) -> Iterator[_Section]:
    """What was told of together, once more in full, the fewest first: a reviewer sees each grant, each rule.

    They come last, so that a comment that is too long is cut there.
    """
    for group in sorted((each for each in groups if each.others), key=lambda each: len(each.others)):
        title = f"{what} of {len(group.changes)}: {html_code(shortened(group.first.address))}, …"
        alone = [Alike(each) for each in group.changes]
        yield _Section(title, alone, causes, with_values=bool(group.differing()))


def _folded(section: _Section, room: int) -> Iterator[str]:
    """The lines of the changes, folded; as many as there is room for."""
    lines: list[str] = []
    room -= len(section.title.encode()) + 200 + _MARGIN_BYTES
    left = sum(len(group.changes) for group in section.groups)
    for group in section.groups:
        told_of = _change_lines(group, section.causes, 110, full=True, elsewhere=_BELOW)
        text = [_diff_line(line) for line in (told_of if section.with_values else islice(told_of, 1))]
        room -= sum(len(line.encode()) + 1 for line in text)
        if room < 0:
            lines.append(f"… and {left} more")
            break
        lines += text
        left -= len(group.changes)
    if len(lines) > 1 or (lines and room >= 0):
        yield details(section.title, fenced("\n".join(lines), "diff"))


def _diff_line(line: Line) -> str:
    """As GitHub colours differences, by their first sign; ``<!--`` could pass for one of our hidden marks."""
    sign = {"-/+": "-", "~": "!", "": " "}.get(line.sign, line.sign)
    return f"{sign} {'    ' * line.depth}{line.text}".replace("<!--", "<! --").rstrip()


def _change_document(change: ResourceChange, causes: Causes) -> dict[str, Any]:
    return {
        "address": change.address,
        "type": change.type,
        "module": change.module,
        "provider": change.provider,
        "action": change.action.value,
        "reason": change.reason,
        "moved_from": change.moved_from,
        "import_id": change.import_id,
        "created_first": change.created_first,
        "values": [
            {
                "path": each.where,
                **_sides(each.old, each.new),
                "forces_replacement": change.forces_replacement(each.path),
                "causes": [_cause_document(cause) for cause in causes.get(key_of(change, each), ())],
            }
            for each in change.differences
        ],
        "causes": [_cause_document(cause) for cause in causes.get(change.address, ())],
    }


def _sides(old: Any, new: Any) -> dict[str, Any]:
    return {
        "old": _plain(old),
        "new": _plain(new),
        "sensitive": _holds(old, Concealed) or _holds(new, Concealed),
        "known_after_apply": _holds(new, Mark) and new is not Mark.ABSENT,
    }


def _cause_document(cause: Cause) -> dict[str, Any]:
    return {
        "key": cause.key,
        "variable": cause.variable,
        "old": _plain(cause.old),
        "new": _plain(cause.new),
        "resource": cause.resource,
        "through_local": cause.through_local,
        "outside": cause.outside,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mark | Concealed):
        return None
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _holds(value: Any, kind: type) -> bool:
    if isinstance(value, dict):
        return any(_holds(each, kind) for each in value.values())
    if isinstance(value, list | tuple):
        return any(_holds(each, kind) for each in value)
    return isinstance(value, kind)

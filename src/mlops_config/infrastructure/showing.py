"""What a plan changes, in lines: short values as they are, policies key by key, long texts line by line."""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mlops_config.infrastructure.causes import Cause, as_json
from mlops_config.infrastructure.differences import Concealed, Difference, Mark, differences
from mlops_config.infrastructure.plan import Action, ResourceChange
from mlops_config.release.markdown import shortened, value_text, visible

SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.REPLACE: "-/+",
    Action.FORGET: "x",
    Action.IMPORT: "=",
    Action.MOVE: ">",
}
ORDER = (
    Action.DELETE,
    Action.REPLACE,
    Action.UPDATE,
    Action.CREATE,
    Action.IMPORT,
    Action.MOVE,
    Action.FORGET,
)
"""What takes something away comes first."""

MOST_LINES = 24
_LONG = 60
_NAMES = ("Sid", "name", "id")
"""What statements of a policy, and entries of other lists, are told by."""
_ECHOES = {"tags_all": "tags", "effective_labels": "labels", "terraform_labels": "labels"}
"""Attributes that say what another says, with what the provider adds everywhere."""
_REASONS = {
    "replace_because_tainted": "it was left half-made by an apply that failed",
    "replace_because_cannot_update": "it cannot be changed in place",
    "replace_by_request": "somebody asked for it",
    "replace_by_triggers": "what it depends on is another",
    "delete_because_no_resource_config": "it is no longer in the modules",
    "delete_because_no_module": "its module is no longer there",
    "delete_because_wrong_repetition": "it is no longer made one by one, or no longer once",
    "delete_because_count_index": "there are fewer of it",
    "delete_because_each_key": "its entry is gone",
    "delete_because_no_move_target": "what it was moved to is not there",
}


class Line(NamedTuple):
    """A line: ``+`` and ``-`` for what comes and goes, ``~`` for what changes, a blank for what explains."""

    sign: str
    text: str
    depth: int = 0


def in_order(changes: Sequence[ResourceChange]) -> list[ResourceChange]:
    """Deletions and replacements first, then by address, in which numbers count as such."""
    return sorted(changes, key=lambda each: (ORDER.index(each.action), _natural(each.address)))


def _natural(address: str) -> list[tuple[int, str]]:
    parts = re.split(r"(?<=\[)(\d+)(?=\])", address)
    return [(int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)]


def about(change: ResourceChange) -> str | None:
    """What has to be known of the change beside its values."""
    notes = []
    if change.reason in _REASONS:
        notes.append(_REASONS[change.reason])
    if change.action is Action.REPLACE:
        notes.append("the new one is made first" if change.created_first else "it is gone in between")
    if change.moved_from:
        notes.append(f"it was {change.moved_from}")
    if change.import_id:
        notes.append(f"taken over as {change.import_id}")
    return "; ".join(notes) or None


def told(change: ResourceChange) -> list[Difference]:
    """The values worth reading: not what the cloud makes up, and of what is made nothing that is empty."""
    made = change.action is Action.CREATE
    return [
        each
        for each in change.differences
        if each.new is not Mark.UNKNOWN
        and not (made and each.new in ([], {}, ""))
        and not _is_echo(change, each)
    ]


def _is_echo(change: ResourceChange, each: Difference) -> bool:
    original = _ECHOES.get(str(each.path[0])) if each.path else None
    return any(
        other.path == (original, *each.path[1:]) and other.new == each.new for other in change.differences
    )


def following(change: ResourceChange) -> list[Difference]:
    """The attributes of what is there that the apply will tell anew; of what is made those that are set."""
    unknown = [each for each in change.differences if each.new is Mark.UNKNOWN]
    if change.action is Action.CREATE:
        return [each for each in unknown if each.path in change.awaited]
    return unknown


def value_lines(change: ResourceChange, each: Difference, width: int) -> Iterator[Line]:
    """The lines of one value that differs, none longer than ``width`` where that can be had."""
    name = visible(each.where)
    forced = "  (forces the replacement)" if change.forces_replacement(each.path) else ""
    inner = _inner(each)
    if inner is not None:
        yield Line("~", f"{name}:{forced}")
        yield from _limited([line for part in inner for line in _plain_lines(part, width, 1)])
    elif _are_texts(each):
        yield Line("~", f"{name}:{forced}")
        yield from _limited(list(_text_lines(str(each.old), str(each.new))))
    else:
        first, *rest = _plain_lines(each, width, 0)
        yield Line(first.sign, first.text + forced, first.depth)
        yield from rest


def cause_words(cause: Cause, limit: int = _LONG) -> str:
    """Such as ``monitoring.drift.numeric.threshold 0.25 → 0.15``."""
    if cause.resource:
        return f"{cause.resource} changes"
    if cause.outside:
        return f"it was {cause.outside} outside of Terraform"
    what = visible(cause.key or cause.variable or "")
    old, new = shown(cause.old, limit), shown(cause.new, limit)
    if cause.old is Mark.ABSENT:
        words = f"{what} added" if isinstance(cause.new, dict | list) else f"{what} added ({new})"
    elif cause.new is Mark.ABSENT:
        words = f"{what} removed"
    elif isinstance(cause.old, dict | list):
        words = f"{what} changed"
    else:
        words = f"{what} {old} → {new}"
    return f"{words}, through a local value" if cause.through_local else words


def shown(value: Any, limit: int | None = None) -> str:
    """A value on one line; nothing of a secret."""
    if isinstance(value, Mark):
        return value.value
    if isinstance(value, Concealed):
        return str(value)
    text = visible(value_text(_open(value)))
    return text if limit is None else shortened(text, limit)


def _open(value: Any) -> Any:
    """The value with words for what is not known or not shown; nothing in it is null."""
    if isinstance(value, dict):
        return {key: _open(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_open(each) for each in value]
    if isinstance(value, Mark | Concealed):
        return value.value if isinstance(value, Mark) else str(value)
    return value


def _plain_lines(each: Difference, width: int, depth: int) -> Iterator[Line]:
    name = visible(each.where) or "value"
    if each.old is Mark.ABSENT:
        yield Line("+", f"{name} = {shown(each.new, _room(width, name))}", depth)
        return
    if each.new is Mark.ABSENT:
        yield Line("-", f"{name} = {shown(each.old, _room(width, name))}", depth)
        return
    if isinstance(each.old, list) and isinstance(each.new, list):
        yield Line("~", f"{name}:", depth)
        yield from _entry_lines(each.old, each.new, width, depth + 1)
        return
    old, new = shown(each.old), shown(each.new)
    if len(name) + len(old) + len(new) + 6 <= min(width, 2 * _LONG):
        yield Line("~", f"{name}: {old} → {new}", depth)
    else:
        yield Line("~", f"{name}:", depth)
        room = max(width - 4, 20)
        yield Line("-", _excerpt(old, new, room), depth + 1)
        yield Line("+", _excerpt(new, old, room), depth + 1)


def _entry_lines(old: list[Any], new: list[Any], width: int, depth: int) -> Iterator[Line]:
    """What leaves a list, and what comes into it."""
    gone, come = [each for each in old if each not in new], [each for each in new if each not in old]
    yield from (Line("-", shown(each, max(width - 4, 20)), depth) for each in gone)
    yield from (Line("+", shown(each, max(width - 4, 20)), depth) for each in come)
    if not gone and not come:
        yield Line(" ", "the same entries, in another order or number", depth)


def _room(width: int, name: str) -> int:
    return max(width - len(name) - 3, 20)


def _excerpt(text: str, other: str, room: int) -> str:
    """``text``, or what is around the first letter that differs from ``other``."""
    if len(text) <= room:
        return text
    first = next((n for n, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), 0)
    start = max(0, min(first - room // 3, len(text) - room + 1))
    head = "…" if start else ""
    piece = text[start : start + room - len(head)]
    return f"{head}{piece}" if start + room - len(head) >= len(text) else f"{head}{piece[:-1]}…"


def _inner(each: Difference) -> list[Difference] | None:
    """The differences within a JSON text, such as a policy; ``None`` where it is no such text."""
    sides = [each.old, each.new]
    texts = [side for side in sides if isinstance(side, str)]
    read = [as_json(text) for text in texts]
    if not texts or None in read or any(not isinstance(side, str | Mark) for side in sides):
        return None
    if Mark.UNKNOWN in sides:
        return None
    old, new = (None if side is Mark.ABSENT else as_json(side) for side in sides)
    return list(differences(old, new, keys=_NAMES))


def _are_texts(each: Difference) -> bool:
    sides = [each.old, each.new]
    if any(not isinstance(side, str) and side is not Mark.ABSENT for side in sides):
        return False
    return any(isinstance(side, str) and "\n" in side.rstrip("\n") for side in sides)


def _text_lines(old: str, new: str) -> Iterator[Line]:
    was = [] if old == str(Mark.ABSENT) else old.splitlines()
    now = [] if new == str(Mark.ABSENT) else new.splitlines()
    for line in difflib.unified_diff(was, now, n=1, lineterm=""):
        if line.startswith(("---", "+++")):
            continue
        if line.startswith("@@"):
            yield Line(" ", "…", 1)
        else:
            yield Line(line[:1], visible(line[1:]), 1)


def _limited(lines: list[Line]) -> Iterator[Line]:
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield Line(" ", f"… and {len(lines) - MOST_LINES} more lines", 1)

"""What changed between two configurations, by meaning: key by key, not line by line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from mlops_config.findings import format_path
from mlops_config.kinds import Kind

IDENTIFYING_KEYS = ("name", "type", "channel_ref", "column")
"""Keys whose values tell the entries of a list apart; the first that does so in both lists is used."""


class Nature(StrEnum):
    """What happened to a value."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    REORDERED = "reordered"
    """The entries of a list that are in both stand in another order; ``old`` and ``new`` hold their names."""


@dataclass(frozen=True, slots=True)
class Named:
    """The step to an entry of a list that is told from the others by the value of one of its keys."""

    key: str
    value: str


Step = str | int | Named


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs. ``old`` is ``None`` where it was added, ``new`` where it was removed.

    ``index`` is the place of an added entry in the new list, or of a removed one in the old list.
    """

    kind: Kind
    path: tuple[Step, ...]
    nature: Nature
    old: Any = None
    new: Any = None
    index: int | None = None

    @property
    def where(self) -> str:
        """The path as people write it: ``alerts[fare-drift].threshold``."""
        return format_steps(self.path)

    @property
    def factor(self) -> float | None:
        """The new number as a multiple of the old one; ``None`` where that says nothing."""
        if self.nature is not Nature.CHANGED or not _is_number(self.old) or not _is_number(self.new):
            return None
        return self.new / self.old if self.old * self.new > 0 else None


def changes(old: Mapping[Kind, Any], new: Mapping[Kind, Any]) -> tuple[Change, ...]:
    """Everything whose meaning differs, by kind and then in the order of the old file's keys.

    Both hold each kind's meaning: JSON data with the defaults applied (see ``bundle.semantic.meaning``).
    Entries of lists are matched by :data:`IDENTIFYING_KEYS` where they have one, so that a new entry is one
    change wherever it stands. A list of plain values changes as a whole.
    """
    found: list[Change] = []
    for kind in Kind:
        if kind in old and kind in new:
            found.extend(_compared(kind, (), old[kind], new[kind]))
        elif kind in new:
            found.append(Change(kind, (), Nature.ADDED, new=new[kind]))
        elif kind in old:
            found.append(Change(kind, (), Nature.REMOVED, old=old[kind]))
    return tuple(found)


class FileChange(StrEnum):
    """How a file differs from its last release, by its two hashes."""

    NONE = "not changed"
    LAYOUT = "other bytes, same meaning"
    MEANING = "other meaning"
    REREAD = "same bytes, other meaning"
    """The file is as it was, but this version of the contract reads it differently: a default changed."""
    NEW = "new"
    GONE = "removed"


class Hashed(Protocol):
    """A file's two hashes, as :class:`~mlops_config.release.record.FileRecord` has them."""

    @property
    def sha256(self) -> str:
        """Of the bytes."""

    @property
    def semantic_sha256(self) -> str:
        """Of the meaning."""


def file_change(old: Hashed | None, new: Hashed | None) -> FileChange:
    """How ``new`` differs from ``old``; ``None`` where there is no such file."""
    if old is None or new is None:
        return FileChange.NONE if old is new else FileChange.NEW if old is None else FileChange.GONE
    if old.semantic_sha256 == new.semantic_sha256:
        return FileChange.NONE if old.sha256 == new.sha256 else FileChange.LAYOUT
    return FileChange.REREAD if old.sha256 == new.sha256 else FileChange.MEANING


def format_steps(path: Sequence[Step]) -> str:
    """The path as people write it; an entry of a list goes by its name: ``alerts[fare-drift].threshold``."""
    text = ""
    for step in path:
        if isinstance(step, Named):
            text += f"[{step.value}]"
        else:
            part = format_path((step,))
            text += f".{part}" if text and not part.startswith("[") else part
    return text


def is_same(old: Any, new: Any) -> bool:
    """Whether two JSON values mean the same: ``1`` is ``1.0`` (RFC 8785), but not ``true``."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(is_same(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(is_same, old, new))
    if _is_number(old) and _is_number(new):
        return bool(old == new)
    return type(old) is type(new) and bool(old == new)


def _compared(kind: Kind, path: tuple[Step, ...], old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _compared_mappings(kind, path, old, new)
    elif isinstance(old, list) and isinstance(new, list) and not is_same(old, new):
        key = _identifying_key(old, new)
        if key:
            yield from _compared_named(kind, path, key, old, new)
        elif any(isinstance(entry, dict | list) for entry in (*old, *new)):
            yield from _compared_by_place(kind, path, old, new)
        else:
            yield Change(kind, path, Nature.CHANGED, old, new)
    elif not is_same(old, new):
        yield Change(kind, path, Nature.CHANGED, old, new)


def _compared_mappings(
    kind: Kind, path: tuple[Step, ...], old: dict[str, Any], new: dict[str, Any]
) -> Iterator[Change]:
    for key, value in old.items():
        if key in new:
            yield from _compared(kind, (*path, key), value, new[key])
        else:
            yield Change(kind, (*path, key), Nature.REMOVED, old=value)
    for key, value in new.items():
        if key not in old:
            yield Change(kind, (*path, key), Nature.ADDED, new=value)


def _compared_named(
    kind: Kind, path: tuple[Step, ...], key: str, old: list[Any], new: list[Any]
) -> Iterator[Change]:
    before = {entry[key]: entry for entry in old}
    after = {entry[key]: entry for entry in new}
    for index, (name, entry) in enumerate(before.items()):
        step = (*path, Named(key, name))
        if name in after:
            yield from _compared(kind, step, entry, after[name])
        else:
            yield Change(kind, step, Nature.REMOVED, old=entry, index=index)
    for index, (name, entry) in enumerate(after.items()):
        if name not in before:
            yield Change(kind, (*path, Named(key, name)), Nature.ADDED, new=entry, index=index)
    stayed = [name for name in before if name in after]
    stand_now = [name for name in after if name in before]
    if stayed != stand_now:
        yield Change(kind, path, Nature.REORDERED, stayed, stand_now)


def _compared_by_place(
    kind: Kind, path: tuple[Step, ...], old: list[Any], new: list[Any]
) -> Iterator[Change]:
    for index in range(max(len(old), len(new))):
        step = (*path, index)
        if index >= len(new):
            yield Change(kind, step, Nature.REMOVED, old=old[index], index=index)
        elif index >= len(old):
            yield Change(kind, step, Nature.ADDED, new=new[index], index=index)
        else:
            yield from _compared(kind, step, old[index], new[index])


def _identifying_key(old: list[Any], new: list[Any]) -> str | None:
    return next((key for key in IDENTIFYING_KEYS if _tells_apart(key, old) and _tells_apart(key, new)), None)


def _tells_apart(key: str, entries: list[Any]) -> bool:
    names = [entry.get(key) if isinstance(entry, dict) else None for entry in entries]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

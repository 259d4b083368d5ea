"""Where two values of a resource differ, attribute by attribute; secrets can be compared, but not shown."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlops_config.release.changes import is_same as same

Path = tuple[str | int, ...]


class Entry(str):
    """The step to an entry of a list, by its name."""

    __slots__ = ()


class Mark(Enum):
    """What stands where there is no value."""

    UNKNOWN = "(known after apply)"
    ABSENT = "(absent)"


@dataclass(frozen=True, slots=True, repr=False)
class Concealed:
    """A sensitive value: equal to another of the same value, and shown nowhere."""

    value: Any

    def __repr__(self) -> str:
        return "(sensitive)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs: :attr:`Mark.ABSENT` where there was, or is, none."""

    path: Path
    old: Any
    new: Any

    @property
    def where(self) -> str:
        """The path as Terraform writes it: ``tags["team"]``, ``rule[0].id``."""
        return written(self.path)


def merged(value: Any, sensitive: Any = None, unknown: Any = None) -> Any:
    """The value with what its masks say put in: secrets concealed, what nobody knows yet marked.

    A mask is ``true`` for all of a value, or has its shape: an object or a list of masks.
    """
    if sensitive is True:
        return Concealed(value)
    if unknown is True:
        return Mark.UNKNOWN
    if isinstance(value, dict) or (value is None and isinstance(unknown, dict) and unknown):
        return _merged_object(value or {}, sensitive, unknown)
    if isinstance(value, list) or (value is None and isinstance(unknown, list) and unknown):
        return _merged_list(value or [], sensitive, unknown)
    return value


def _merged_object(value: dict[str, Any], sensitive: Any, unknown: Any) -> dict[str, Any]:
    hidden = sensitive if isinstance(sensitive, dict) else {}
    open_ = unknown if isinstance(unknown, dict) else {}
    keys = [*value, *(key for key, mask in open_.items() if key not in value and _any(mask))]
    return {key: merged(value.get(key), hidden.get(key), open_.get(key)) for key in keys}


def _merged_list(value: list[Any], sensitive: Any, unknown: Any) -> list[Any]:
    hidden = sensitive if isinstance(sensitive, list) else []
    open_ = unknown if isinstance(unknown, list) else []
    length = max(len(value), len(open_))
    return [merged(_at(value, n), _at(hidden, n), _at(open_, n)) for n in range(length)]


def secrets_in(value: Any) -> Iterator[str]:
    """The texts in a concealed value, or in a value that holds such."""
    if isinstance(value, Concealed):
        yield from _texts(value.value)
    elif isinstance(value, dict):
        for each in value.values():
            yield from secrets_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from secrets_in(each)


def without(value: Any, secrets: Collection[str]) -> Any:
    """The value with every text concealed that holds one of ``secrets``.

    Providers lose track of what is sensitive: ``terraform_data`` gives its input back in the clear.
    """
    if isinstance(value, dict):
        return {key: without(each, secrets) for key, each in value.items()}
    if isinstance(value, list):
        return [without(each, secrets) for each in value]
    if isinstance(value, str) and any(secret in value for secret in secrets):
        return Concealed(value)
    return value


def differences(old: Any, new: Any, path: Path = (), *, keys: Sequence[str] = ()) -> Iterator[Difference]:
    """Each value that differs, by the names of attributes; ``null`` and nothing are the same.

    What comes or goes as a whole is taken apart too. ``keys`` are those that entries of lists may be told by.
    """
    if same_value(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key), new.get(key), (*path, key), keys=keys)
    elif isinstance(old, dict) and _is_nothing(new) and old:
        yield from differences(old, {}, path, keys=keys)
    elif isinstance(new, dict) and _is_nothing(old) and new:
        yield from differences({}, new, path, keys=keys)
    elif _are_blocks(old, new):
        yield from _different_blocks(old or [], new or [], path, keys)
    else:
        yield Difference(path, Mark.ABSENT if old is None else old, Mark.ABSENT if new is None else new)


def entries(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Each value that differs, with what comes or goes as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from entries(old.get(key), new.get(key), (*path, key))
    elif not same_value(old, new):
        yield Difference(path, Mark.ABSENT if old is None else old, Mark.ABSENT if new is None else new)


def same_value(old: Any, new: Any) -> bool:
    """Whether they mean the same; also within what holds secrets or unknown values."""
    return same(_none(old), _none(new))


def written(path: Sequence[str | int]) -> str:
    """The path as Terraform writes it."""
    text = ""
    for step in path:
        if isinstance(step, int | Entry):
            text += f"[{step}]"
        elif step.replace("_", "a").isalnum():
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def _different_blocks(
    old: list[Any], new: list[Any], path: Path, keys: Sequence[str]
) -> Iterator[Difference]:
    """Blocks that stayed are left out, wherever they stand; the others are compared by name or in order."""
    key = next((key for key in keys if _tells_apart(key, old) and _tells_apart(key, new)), None)
    if key is not None:
        before, after = ({block[key]: block for block in blocks} for blocks in (old, new))
        for name in dict.fromkeys((*before, *after)):
            yield from differences(before.get(name), after.get(name), (*path, Entry(name)), keys=keys)
        return
    gone, come = list(enumerate(old)), list(enumerate(new))
    for number, block in enumerate(old):
        equal = next((each for each in come if same(each[1], block)), None)
        if equal is not None:
            come.remove(equal)
            gone = [each for each in gone if each[0] != number]
    for number in range(max(len(gone), len(come))):
        was, now = _at(gone, number), _at(come, number)
        index = now[0] if now is not None else was[0]
        yield from differences(was and was[1], now and now[1], (*path, index), keys=keys)


def _tells_apart(key: str, blocks: list[Any]) -> bool:
    names = [block.get(key) for block in blocks]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _are_blocks(old: Any, new: Any) -> bool:
    """Whether both are lists of objects, or one is and the other is nothing."""
    lists = [each for each in (old, new) if isinstance(each, list)]
    if not lists or any(not isinstance(each, list) and not _is_nothing(each) for each in (old, new)):
        return False
    return all(isinstance(entry, dict) for each in lists for entry in each)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _is_nothing(value: Any) -> bool:
    return value is None or value is Mark.ABSENT


def _none(value: Any) -> Any:
    return None if value is Mark.ABSENT else value


def _any(mask: Any) -> bool:
    if isinstance(mask, dict):
        return any(map(_any, mask.values()))
    if isinstance(mask, list):
        return any(map(_any, mask))
    return bool(mask)


def _at(entries: Sequence[Any], number: int) -> Any:
    return entries[number] if number < len(entries) else None

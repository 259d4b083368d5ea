"""Every value of a model with the way to it, whatever its class."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from mlops_config.findings import ConfigPath

_PLAIN = frozenset((str, int, float, bool, type(None), timedelta, datetime))


def nodes(value: object) -> list[tuple[ConfigPath, object]]:
    """Every value at and below ``value``, each before what it holds, with its path in the file.

    An object counts as a mapping of its attributes. A name that Python or pydantic keeps for itself has an
    underscore behind it in the class (``schema_``) and none in the file.
    """
    found: list[tuple[ConfigPath, object]] = [((), value)]
    for path, item in found:  # grows while it is read
        if type(item) in _PLAIN:
            continue
        if isinstance(item, Mapping):
            found += [((*path, key), below) for key, below in item.items()]
        elif isinstance(item, tuple | list):
            found += [((*path, index), below) for index, below in enumerate(item)]
        elif hasattr(item, "__dict__"):
            found += [((*path, name.removesuffix("_")), below) for name, below in vars(item).items()]
    return found


def find(value: object, path: ConfigPath) -> object:
    """The value at ``path``. Raises ``LookupError`` when there is none."""
    for step in path:
        if isinstance(value, Mapping | tuple | list):
            value = value[step]  # type: ignore[index]  # a wrong step raises the LookupError promised
        elif hasattr(value, "__dict__") and isinstance(step, str):
            attributes = vars(value)
            value = attributes[step] if step in attributes else attributes[f"{step}_"]
        else:
            raise LookupError(step)
    return value


ABSENT = object()
"""Stands for a value that only the other side has."""


def differences(
    one: object, other: object, path: ConfigPath = (), other_path: ConfigPath | None = None
) -> Iterator[tuple[ConfigPath, object, ConfigPath, object]]:
    """Where two values of one kind differ, with both paths and both values.

    Items that have a name are matched by it, and plain values of a list by themselves: order does not count.
    """
    if other_path is None:
        other_path = path
    left, right = _children(one), _children(other)
    if left is None or right is None or type(one) is not type(other):
        if type(one) is not type(other) or one != other:
            yield path, one, other_path, other
        return
    for key in dict.fromkeys((*left, *right)):
        step, item = left.get(key, (None, ABSENT))
        other_step, other_item = right.get(key, (None, ABSENT))
        below = path if step is None else (*path, step)
        other_below = other_path if other_step is None else (*other_path, other_step)
        if item is ABSENT or other_item is ABSENT:
            yield below, item, other_below, other_item
        else:
            yield from differences(item, other_item, below, other_below)


def _children(value: object) -> dict[object, tuple[str | int, object]] | None:
    """What ``value`` is made of, by what identifies each part; ``None`` for a plain value."""
    if isinstance(value, Mapping):
        return {key: (key, item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return {_identity(index, item): (index, item) for index, item in enumerate(value)}
    if hasattr(value, "__dict__"):
        return {name: (name.removesuffix("_"), item) for name, item in vars(value).items()}
    return None


def _identity(index: int, item: object) -> object:
    """What tells an item of a list from the others: its name, itself, or else where it stands."""
    if type(item) in _PLAIN:
        return type(item), item
    name = vars(item).get("name") if hasattr(item, "__dict__") else None
    return name or index

"""Changes that are alike: to many instances of one resource the same happens, and one line tells of them."""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from mlops_config.infrastructure.differences import Difference, Path
from mlops_config.infrastructure.plan import ResourceChange
from mlops_config.infrastructure.showing import about, following, in_order, shown, told
from mlops_config.release.markdown import visible

FEW = 10
"""More than these are told of together."""
_NAMED = 3
_KEY = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')
"""Of an instance, in an address: of the resource's own ``for_each`` or ``count``, or of its modules'."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A change, and those that are told of with it."""

    first: ResourceChange
    others: tuple[ResourceChange, ...] = ()

    @property
    def changes(self) -> tuple[ResourceChange, ...]:
        """All of them."""
        return (self.first, *self.others)

    def more(self, shown_as: Callable[[str], str] = visible) -> str:
        """Such as ``and 499 more alike: ["b"], ["c"], …``; empty for one that stands alone."""
        if not self.others:
            return ""
        keys = [_KEY.findall(each.address) for each in self.changes]
        varying = [at for at, found in enumerate(zip(*keys, strict=True)) if len(set(found)) > 1]
        names = ["".join(found[at] for at in varying) for found in keys[1 : _NAMED + 1]]
        return f"and {len(self.others)} more alike: {', '.join(map(shown_as, names))}, …"

    def differing(self) -> frozenset[Path]:
        """The paths at which they do not all change from the same value to the same."""
        values: Mapping[Path, set[tuple[str, str]]] = defaultdict(set)
        for change in self.changes if self.others else ():
            for each in change.differences:
                values[each.path].add((shown(each.old), shown(each.new)))
        return frozenset(path for path, found in values.items() if len(found) > 1)


def grouped(changes: Sequence[ResourceChange]) -> list[Alike]:
    """The changes in their order, with those that are alike at the first one's place.

    Alike are more than :data:`FEW` instances of one resource of which the same attributes change, for the
    same reason. What is destructive always stands alone.
    """
    ordered = in_order(changes)
    kinds: dict[Hashable, list[int]] = {}
    for place, change in enumerate(ordered):
        kinds.setdefault(place if change.is_destructive else _kind(change), []).append(place)
    together = {places[0]: places[1:] for places in kinds.values() if len(places) > FEW}
    told_of = {place for others in together.values() for place in others}
    return [
        Alike(change, tuple(ordered[other] for other in together.get(place, ())))
        for place, change in enumerate(ordered)
        if place not in told_of
    ]


def _kind(change: ResourceChange) -> Hashable:
    return (
        change.action,
        change.type,
        change.provider,
        _KEY.sub("[]", change.address),
        about(change),
        change.replace_paths,
        _paths(change.differences),
        _paths(told(change)),
        _paths(following(change)),
    )


def _paths(found: Sequence[Difference]) -> tuple[Path, ...]:
    return tuple(each.path for each in found)

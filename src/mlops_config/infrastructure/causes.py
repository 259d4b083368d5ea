"""Why a plan changes what it changes: from an attribute back to the key of a configuration file.

Terraform's description of the modules (``configuration`` in ``show -json``) says which variables an attribute
is made of, but not what a local value is made of. There, and where an attribute is made of many variables,
values decide: a variable whose old value is in the old attribute, and its new one in the new, is a reason.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlops_config.infrastructure.differences import Difference, Mark, Path, entries, same_value, written
from mlops_config.infrastructure.plan import Action, Plan, ResourceChange
from mlops_config.infrastructure.references import Modules, Trail, parsed
from mlops_config.infrastructure.variables import ReleaseVariables
from mlops_config.release.changes import Change, Named, Nature

LEAST_TELLING = 3
"""Shorter values, such as ``1``, stand in a text by chance."""

_STEP = re.compile(r"\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\.?([^.\[]+)")


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason. ``old`` and ``new`` are :attr:`~.differences.Mark.ABSENT` where there is no value."""

    key: str | None = None
    """The configuration key, ``monitoring.drift.numeric.threshold``."""
    variable: str | None = None
    """The variable, ``config.alerts["fare-drift"].expr``."""
    old: Any = Mark.ABSENT
    new: Any = Mark.ABSENT
    resource: str | None = None
    """Another resource that changes in the same plan, which this one refers to."""
    through_local: bool = False
    """Found by its values, for Terraform does not tell what a local value is made of."""
    outside: Literal["changed", "deleted"] | None = None
    """What somebody did to it behind Terraform's back, which the apply takes back."""


Causes = Mapping[str, tuple[Cause, ...]]
"""By ``<address>.<attribute>``, or by the address alone for why a resource comes or goes."""


def explain(
    plan: Plan, before: ReleaseVariables | None, after: ReleaseVariables, changed: Sequence[Change]
) -> Causes:
    """Why each value changes, as far as it can be told; nothing for a first release.

    ``changed`` is what differs between the configurations of the release before and of this one.
    """
    if before is None:
        return {}
    variables = tuple(entries(before.document(), after.document()))
    modules = Modules(plan.configuration, plan.directory)
    world = _World(plan, modules, variables, _Keys(before, after, changed))
    found: dict[str, tuple[Cause, ...]] = {}
    for change in plan.changes:
        if causes := tuple(world.of_existence(change)):
            found[change.address] = causes
        if change.action in (Action.UPDATE, Action.REPLACE):
            for each in change.differences:
                if causes := tuple(world.of_value(change, each)):
                    found[key_of(change, each)] = causes
    return found


def key_of(change: ResourceChange, difference: Difference) -> str:
    """What causes are kept under."""
    return f"{change.address}.{difference.where}"


class _Keys:
    """From a variable that differs to the configuration keys that differ."""

    def __init__(self, before: ReleaseVariables, after: ReleaseVariables, changed: Sequence[Change]) -> None:
        self._names = {
            key: alert.name for each in (before, after) for key, alert in each.config.alerts.items()
        }
        sources = {**before.sources(), **after.sources()}
        self._sources = [(parsed(path), keys) for path, keys in sources.items()]
        self._changed = changed

    def of(self, variable: Path) -> Iterator[Change]:
        """The changes of the configuration that the variable's value comes from."""
        sources = [source for path, keys in self._sources if _related(variable, path) for source in keys]
        alert = self._names.get(str(variable[2])) if variable[:2] == ("config", "alerts") else None
        for change in self._changed:
            if any(_comes_from(change, source, alert) for source in sources):
                yield change


class _World:
    """A plan, and what changed before it."""

    def __init__(self, plan: Plan, modules: Modules, variables: Sequence[Difference], keys: _Keys) -> None:
        self._addresses = tuple(change.address for change in plan.changes)
        self._drift = {change.address: change for change in plan.drift}
        self._modules = modules
        self._variables = variables
        self._keys = keys

    def of_existence(self, change: ResourceChange) -> Iterator[Cause]:
        """Why a resource comes or goes: the entry of a map that it is made for, or somebody deleted it."""
        drifted = self._drift.get(change.address)
        if change.action is Action.CREATE and drifted is not None and drifted.action is Action.DELETE:
            yield Cause(outside="deleted")
            return
        if change.action not in (Action.CREATE, Action.DELETE):
            return
        own = [*self._among(self._modules.of_existence(change))]
        # What its module is made for explains it only by coming or going: it may be new in the module itself.
        come_or_gone = (
            each
            for each in self._among(self._modules.of_modules(change))
            if Mark.ABSENT in (each.old, each.new)
        )
        yield from self._named(iter([*own, *come_or_gone]))

    def _among(self, trails: Iterable[Trail]) -> Iterator[Difference]:
        """The variables that differ and that the trails lead to."""
        for trail in trails:
            yield from (each for each in self._variables if _related(each.path, trail.variable))

    def of_value(self, change: ResourceChange, difference: Difference) -> Iterator[Cause]:
        """Why a value is another: the variables it is made of, or the resources that it waits for.

        What is put back to what it was is no variable's doing, whatever else the attribute is made of.
        """
        drifted = self._drift.get(change.address)
        if drifted is not None and any(_puts_back(difference, each) for each in drifted.differences):
            yield Cause(outside="changed")
            return
        trails = tuple(self._modules.of_attribute(change, difference.path))
        local = any(trail.is_local for trail in trails)
        made_of = [
            each for each in self._variables if any(_related(each.path, trail.variable) for trail in trails)
        ]
        telling = [each for each in (self._variables if local else made_of) if _shows(each, difference)]
        if telling:
            short = [each for each in made_of if each not in telling and not _telling_both(each)]
            found = [*short, *_without_doubles(telling, made_of)]
        else:
            found = made_of
        if found:
            yield from self._named(iter(found), {id(each) for each in made_of})
            return
        for resource in sorted({trail.resource for trail in trails if trail.resource}):
            if any(_is_of(address, resource) for address in self._addresses):
                yield Cause(resource=resource)

    def _named(self, found: Iterator[Difference], certain: set[int] | None = None) -> Iterator[Cause]:
        seen: set[str] = set()
        for each in found:
            through_local = certain is not None and id(each) not in certain
            variable = written(each.path)
            changes = tuple(self._keys.of(each.path))
            for change in changes:
                key = f"{change.kind}.{change.where}" if change.where else change.kind.value
                if key not in seen:
                    seen.add(key)
                    yield Cause(key, variable, *_values(change), through_local=through_local)
            if not changes and variable not in seen:
                seen.add(variable)
                yield Cause(None, variable, each.old, each.new, through_local=through_local)


def _puts_back(planned: Difference, drifted: Difference) -> bool:
    return planned.path == drifted.path and same_value(planned.new, drifted.old)


def _without_doubles(telling: Sequence[Difference], made_of: Sequence[Difference]) -> list[Difference]:
    """Without what merely has the values of something certain: a version's are often its name's."""
    certain = [each for each in telling if each in made_of]
    values = [(each.old, each.new) for each in certain]
    return [each for each in telling if each in certain or (each.old, each.new) not in values]


def _values(change: Change) -> tuple[Any, Any]:
    old = Mark.ABSENT if change.nature is Nature.ADDED else change.old
    new = Mark.ABSENT if change.nature is Nature.REMOVED else change.new
    return old, new


def _related(variable: Path, trail: Path | None) -> bool:
    """Whether one is the other, or lies within it."""
    if not trail:
        return False
    length = min(len(variable), len(trail))
    return tuple(map(str, variable[:length])) == tuple(map(str, trail[:length]))


def _is_of(address: str, resource: str) -> bool:
    return address == resource or address.startswith(f"{resource}[")


def _comes_from(change: Change, source: str, alert: str | None) -> bool:
    """Whether the change is at the key ``source`` or below it, or above it."""
    kind, _, rest = source.partition(".")
    if change.kind.value != kind:
        return False
    steps = [_step(found) for found in _STEP.finditer(rest)]
    return all(_is_step(mine, theirs, alert) for mine, theirs in zip(change.path, steps, strict=False))


def _step(found: "re.Match[str]") -> str | int:
    number, quoted, plain = found.groups()
    if number is not None:
        return int(number)
    return re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain


def _is_step(mine: Any, theirs: str | int, alert: str | None) -> bool:
    """A change names an entry of a list where a source has its number; of an alert the name is known."""
    if isinstance(mine, Named):
        return isinstance(theirs, int) and (alert is None or mine.value == alert)
    return bool(mine == theirs)


def _shows(variable: Difference, attribute: Difference) -> bool:
    """Whether the variable's values stand in the attribute's: the old one before, the new one after."""
    old, new = _telling(variable.old), _telling(variable.new)
    was, now = _leaves(attribute.old), _leaves(attribute.new)
    gone, come = [text for text in was if text not in now], [text for text in now if text not in was]
    if not (old or new):
        return False
    return all(_stands(text, gone) for text in old) and all(_stands(text, come) for text in new)


def _stands(text: str, leaves: Sequence[str]) -> bool:
    return any(text in leaf for leaf in leaves)


def _telling_both(variable: Difference) -> bool:
    """Whether its values are long enough to be looked for."""
    return bool(_telling(variable.old) and _telling(variable.new))


def _telling(value: Any) -> list[str]:
    """A scalar as it would stand in a text; a place without scheme and slash, as an ARN has it."""
    if isinstance(value, dict | list | Mark):
        return []
    return [leaf for leaf in (_bare(each) for each in _leaves(value)) if len(leaf) >= LEAST_TELLING]


def _bare(text: str) -> str:
    return text.partition("://")[2].rstrip("/") if re.match(r"(s3|gs)://", text) else text


def _leaves(value: Any) -> list[str]:
    """The texts and numbers in a value, also in the JSON that a text holds; YAML without its folds."""
    if isinstance(value, Mapping):
        return [leaf for key, each in value.items() for leaf in (str(key), *_leaves(each))]
    if isinstance(value, list | tuple):
        return [leaf for each in value for leaf in _leaves(each)]
    if isinstance(value, str):
        inner = as_json(value)
        return _leaves(inner) if inner is not None else [_unfolded(value)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [f"{value:g}" if isinstance(value, float) else str(value)]
    return []


def _unfolded(text: str) -> str:
    return " ".join(text.replace('\\"', '"').split())


def as_json(text: str) -> Any:
    """The object or list that a text holds as JSON; ``None`` where it holds none."""
    if text[:1] not in ("{", "["):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None

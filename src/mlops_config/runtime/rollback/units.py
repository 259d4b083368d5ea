"""What served together, as the ledger tells it: configuration and model as one unit, and the way back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_config.errors import UsageError
from mlops_config.ledger.entries import Event, LedgerEntry, ModelReference

PREVIOUS = "previous"
FROM_RELEASE = "from_release"
"""Code of the reason that names the release a rollback leaves."""
CHANGING = frozenset({Event.DEPLOYED, Event.PROMOTED, Event.ACTIVATED})
"""What makes a unit serve."""
SHORTEST_PREFIX = 4

Key = tuple[str, str | None, int | None]
"""Release, and the model's name and version."""

_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Unit:
    """A release and a model version that serve, or served, together. The release says which image."""

    release: str
    model: ModelReference | None = None
    """``None`` before the first model was promoted."""
    config_digest: str | None = None
    """``None`` where only the release's name is known."""

    @property
    def key(self) -> Key:
        """Two units with one key are the same."""
        model = self.model
        return (self.release, model.name if model else None, model.version if model else None)

    def __str__(self) -> str:
        model = f"{self.model.name} version {self.model.version}" if self.model else "no model yet"
        return f"release {shown(self.release)} with {model}"


@dataclass(frozen=True, slots=True)
class Past:
    """The units that served, and where the way back leads."""

    way: tuple[Unit, ...] = ()
    """Each with the one it replaced before it; the last serves. Going back takes its end away."""
    served: tuple[Unit, ...] = ()
    """Every unit that ever served, the one that began last at the end."""
    begun: LedgerEntry | None = None
    """A rollback that was begun and did not end, while nothing else changed what serves."""
    changed: LedgerEntry | None = None
    """The newest entry that changed what serves, a rollback among them."""


def past(ledger: Sequence[LedgerEntry]) -> Past:
    """The ledger's units, read in the order of its numbers.

    A unit serves from its deployment, promotion or activation on. What failed never served. A batch that was
    scored makes a unit of its release and model too, unless that served before: a run that outlives a
    deployment still scores by the configuration it began with.
    """
    way: list[Unit] = []
    served: dict[Key, Unit] = {}
    since: dict[Key, int] = {}
    begun = changed = None
    for entry in sorted(ledger, key=lambda each: each.sequence):
        if entry.event is Event.ROLLBACK_STARTED:
            begun = entry
        elif entry.event is Event.ROLLED_BACK:
            begun = None
        if entry.outcome != "succeeded":
            continue
        if entry.event in CHANGING:
            begun = None
        if entry.event in CHANGING or entry.event is Event.ROLLED_BACK:
            changed = entry
        unit = _unit(entry, way)
        if unit is None or (entry.event is Event.SCORED and unit.key in served):
            continue
        if entry.event is Event.ROLLED_BACK:
            way = _gone_back(way, unit, since)
        elif not way or way[-1].key != unit.key:
            way.append(unit)
        if entry.event is not Event.ROLLED_BACK:
            since[unit.key] = entry.sequence
        served.pop(unit.key, None)
        served[unit.key] = unit
    return Past(tuple(way), tuple(served.values()), begun, changed)


def standing(past: Past, release: str, digest: str, champion: ModelReference | None) -> Unit:
    """What runs now: the release in force and the champion; of an unfinished rollback, what it leaves."""
    if past.begun is not None:
        left = next((each.text for each in past.begun.reasons if each.code == FROM_RELEASE), release)
        return Unit(left, past.begun.champion, digest if left == release else None)
    return Unit(release, champion, digest)


def target(
    past: Past,
    now: Unit,
    asked: str,
    releases: Mapping[str, str],
    *,
    model_name: str,
    model_version: int | None = None,
) -> Unit:
    """The unit to go back to.

    Args:
        past: What served.
        now: What runs.
        asked: ``previous``, a release's name, or the beginning of its commit or of its config digest.
        releases: Config digest by name, of every release of the environment.
        model_name: Of the registered model, for ``model_version``.
        model_version: This version, instead of the one that served with the release.

    Raises:
        UsageError: there is nothing to go back to, or it is not clear what is meant, or it runs already.
    """
    if asked == PREVIOUS:
        found = _of_version(past, now, model_version) if model_version is not None else _previous(past, now)
    else:
        found = _named(past, now, asked, releases, model_name, model_version)
    if found.key == now.key:
        raise UsageError(
            f"{found} is what runs already", hint="see what ran before it: mlops-config log --event promoted"
        )
    return found


def shown(release: str) -> str:
    """A release's name as people read it: a commit shortened."""
    return release[:12] if len(release) >= 40 and _HEX.fullmatch(release[:40]) else release


def _unit(entry: LedgerEntry, way: Sequence[Unit]) -> Unit | None:
    """The unit an entry tells of; one without a release cannot be brought back, and is none."""
    if entry.release is None or entry.config_digest is None:
        return None
    if entry.event is Event.ACTIVATED:
        model = entry.model or (way[-1].model if way else None)
        return Unit(entry.release, model, entry.config_digest)
    if entry.event is Event.ROLLED_BACK or (
        entry.event in {Event.DEPLOYED, Event.PROMOTED, Event.SCORED} and entry.model is not None
    ):
        return Unit(entry.release, entry.model, entry.config_digest)
    return None


def _gone_back(way: Sequence[Unit], to: Unit, since: Mapping[Key, int]) -> list[Unit]:
    """The way that ends where somebody went; what they left is no way back any more.

    ``since`` says where in the ledger each unit was last deployed. Whoever goes on to one that was deployed
    later than what runs goes forward, and may come back.
    """
    keys = [unit.key for unit in way]
    if to.key in keys:
        return list(way[: len(keys) - keys[::-1].index(to.key)])
    is_forward = bool(keys) and since.get(to.key, 0) > since.get(keys[-1], 0)
    return [*(way if is_forward else way[:-1]), to]


def _previous(past: Past, now: Unit) -> Unit:
    if past.begun is not None:
        assert past.begun.release is not None  # noqa: S101 every one is written with it
        return Unit(past.begun.release, past.begun.model, past.begun.config_digest)
    before = past.way[:-1] if past.way and past.way[-1].key == now.key else past.way
    if now.model is not None:
        # What was activated before there was any model never served.
        before = tuple(unit for unit in before if unit.model is not None)
    if not before:
        raise UsageError(
            f"there is nothing to go back to: {now} is the first that the ledger knows of",
            hint="name a release and a model version with --to and --model-version, or release a mended"
            " configuration",
        )
    return before[-1]


def _of_version(past: Past, now: Unit, version: int) -> Unit:
    for unit in reversed(past.served):
        if unit.model is not None and unit.model.version == version and unit.key != now.key:
            return unit
    raise UsageError(
        f"version {version} never served here",
        hint=f"say with which release it is to serve: --to VERSION --model-version {version}",
    )


def _named(
    past: Past,
    now: Unit,
    asked: str,
    releases: Mapping[str, str],
    model_name: str,
    model_version: int | None,
) -> Unit:
    names = _matching(asked, releases)
    units = [unit for unit in past.served if unit.release in names]
    if model_version is not None:
        release = units[-1].release if units else names[-1]
        return Unit(release, ModelReference(name=model_name, version=model_version), releases[release])
    if units:
        return units[-1]
    if now.model is None:
        return Unit(names[-1], None, releases[names[-1]])
    raise UsageError(
        f"release {shown(names[-1])} never served a model here, so there is none to go back to with it",
        hint=f"say which version it is to serve: --to {asked} --model-version {now.model.version}",
    )


def _matching(asked: str, releases: Mapping[str, str]) -> list[str]:
    """The releases that are meant: by name, else by the beginning of commit or digest; all of one digest."""
    if asked in releases:
        return [asked]
    known = ", ".join(shown(name) for name in releases) or "none"
    digits = asked.removeprefix("sha256:")
    found = []
    if len(digits) >= SHORTEST_PREFIX and _HEX.fullmatch(digits):
        found = [
            name
            for name, digest in releases.items()
            if digest.removeprefix("sha256:").startswith(digits)
            or (_HEX.fullmatch(name) and name.startswith(asked))
        ]
    if not found:
        raise UsageError(f"there is no release {asked!r}", hint=f"releases are {known}")
    if len({releases[name] for name in found}) > 1:
        raise UsageError(
            f"{asked!r} can mean {' or '.join(shown(name) for name in found)}", hint="give more of it"
        )
    return found

"""What going back would mean: every value that changes, the model, and whether its input still fits.

Pure: a plan is made of two sides that were read and proven before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_config.contract.models.tables import TableSchema
from mlops_config.ledger.entries import Reason
from mlops_config.release.changes import Change
from mlops_config.release.record import ReleaseRecord
from mlops_config.runtime.rollback.units import Unit
from mlops_config.runtime.tracking.interface import ModelVersion

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Side:
    """A unit with what is known of it."""

    unit: Unit
    record: ReleaseRecord
    version: ModelVersion | None = None
    """The model's version in the registry; ``None``: there is none (any more)."""
    table: TableSchema | None = None
    """The columns that model takes."""
    endpoint: str | None = None
    """Where it serves on request; ``None``: in batches only."""

    @property
    def image(self) -> str | None:
        """The environment's image by digest."""
        image = self.record.image
        return f"{image.repository}@{image.digest or image.config_digest}" if image else None


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a model can be asked with what clients send now."""

    refusals: tuple[Reason, ...] = ()
    """Columns that it needs and that are not sent, or not as it takes them."""
    notes: tuple[str, ...] = ()
    """What it takes a narrower view of: requests that it will refuse, and it alone."""
    columns: int = 0
    """How many it needs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One rollback: from what runs to a unit that served before."""

    environment: str
    now: Side
    target: Side
    changes: tuple[Change, ...]
    fit: Fit
    refusals: tuple[Reason, ...] = ()
    """Why it must not be carried out; empty: it may."""
    resumed: bool = False
    """Whether it was begun before, and goes on."""

    @property
    def summary(self) -> str:
        """What is planned, in a line."""
        return f"{self.environment} goes back from {self.now.unit} to {self.target.unit}"


def plan(
    environment: str, now: Side, target: Side, changes: Sequence[Change], *, resumed: bool = False
) -> Plan:
    """The plan, with every reason against it."""
    refusals: list[Reason] = []
    wanted = target.unit.model
    if wanted is not None and target.version is None:
        text = f"{wanted.name} has no version {wanted.version} any more: somebody deleted it"
        refusals.append(Reason(code="model_gone", text=text))
    if wanted is None and now.unit.model is not None:
        text = f"{target.unit} is not a state that can serve, and {now.unit.model.name} serves now"
        refusals.append(Reason(code="no_model", text=text))
    fits = fit(target.table, now.table) if target.table and now.table else Fit()
    refusals += fits.refusals
    return Plan(environment, now, target, tuple(changes), fits, tuple(refusals), resumed)


def fit(needed: TableSchema, sent: TableSchema) -> Fit:
    """Whether a model that takes ``needed`` can be asked with rows of ``sent``.

    A column it does not know is no obstacle: the server leaves it out. Whole numbers are numbers.
    """
    there = {feature.name: feature for feature in sent.features}
    refusals: list[Reason] = []
    notes: list[str] = []
    for feature in needed.features:
        given = there.get(feature.name)
        if given is None:
            if feature.required:
                text = f"the model needs the column {feature.name} ({feature.type}), which is not sent now"
                refusals.append(Reason(code="schema.missing", text=text))
        elif (given.type, feature.type) != ("integral", "fractional") and given.type != feature.type:
            text = f"the model takes {feature.name} as {feature.type}, and it is sent as {given.type} now"
            refusals.append(Reason(code="schema.type", text=text))
        else:
            notes += _narrower(feature, given)
    return Fit(tuple(refusals), tuple(notes), len(needed.features))


def _narrower(needed: Any, sent: Any) -> list[str]:
    """What may be sent now and the model refuses."""
    known = getattr(needed, "domain", None)
    if known is not None:
        allowed = getattr(sent, "domain", None)
        if allowed is None:
            return [f"{needed.name} may be anything now; the model knows {_listed(known)} alone"]
        unknown = [value for value in allowed if value not in known]
        if unknown:
            return [f"{needed.name} may be {_listed(unknown)} now, which the model does not know"]
    least, most = getattr(needed, "range", None) or (None, None)
    lowest, highest = getattr(sent, "range", None) or (None, None)
    below = least is not None and (lowest is None or lowest < least)
    above = most is not None and (highest is None or highest > most)
    if below or above:
        return [f"{needed.name} may be {_span(lowest, highest)} now; the model takes {_span(least, most)}"]
    return []


def _listed(values: Sequence[Any]) -> str:
    more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(map(str, values[:_LISTED])) + more


def _span(least: float | None, most: float | None) -> str:
    if least is None and most is None:
        return "any number"
    if least is None:
        return f"up to {most:g}"
    return f"{least:g} or more" if most is None else f"{least:g} to {most:g}"


def document(found: Plan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "environment": found.environment,
        "from": _side(found.now),
        "to": _side(found.target),
        "changes": [
            {
                "file": change.kind.value,
                "key": change.where,
                "nature": change.nature.value,
                "now": change.old,
                "after": change.new,
            }
            for change in found.changes
        ],
        "notes": list(found.fit.notes),
        "refused": [reason.model_dump() for reason in found.refusals],
        "resumed": found.resumed,
    }


def _side(side: Side) -> dict[str, Any]:
    metrics: Mapping[str, float] = side.version.metrics if side.version else {}
    model = side.unit.model
    return {
        "release": side.record.name,
        "commit": side.record.source.commit,
        "config_digest": side.record.config_digest,
        "image": side.image,
        "model": {"name": model.name, "version": model.version} if model else None,
        "metrics": dict(metrics),
        "endpoint": side.endpoint,
    }

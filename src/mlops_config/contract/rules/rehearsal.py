"""Rules between staging and production: what is rehearsed is what is performed."""

from collections.abc import Iterator, Sequence
from typing import Any

from mlops_config.contract.rules.engine import Breach, Environment, Role, project_rule
from mlops_config.contract.rules.walk import ABSENT, differences
from mlops_config.contract.rules.wording import listed
from mlops_config.findings import ConfigPath, format_path
from mlops_config.kinds import Kind


@project_rule("E03", "Staging rehearses another model than production", Kind.TRAINING)
def staging_rehearses_production(environments: Sequence[Environment]) -> Iterator[Breach]:
    """Staging and production have the same `estimator`, the same `schema` and the same `evaluation.metrics`
    and `primary`. What a value means is compared, not how it is written; order does not count.

    Why: what staging proved holds for the model it proved it with.

    Mend: make them equal: change staging, try it there, then production. A difference that is meant for a
    while goes into the settings as a waiver, with its reason and its last day.
    """
    for staging, production in _rehearsals(environments):
        for field, path in (
            ("estimator", ("estimator",)),
            ("schema_", ("schema",)),
        ):
            pairs = differences(getattr(production.training, field), getattr(staging.training, field), path)
            yield from _differing(production, staging, pairs)
        ours, theirs = production.training.evaluation, staging.training.evaluation
        metrics = differences(ours.metrics, theirs.metrics, ("evaluation", "metrics"))
        primary = differences(ours.primary, theirs.primary, ("evaluation", "primary"))
        yield from _differing(production, staging, (*metrics, *primary))


def _rehearsals(environments: Sequence[Environment]) -> Iterator[tuple[Environment, Environment]]:
    for production in environments:
        for staging in environments:
            if production.role is Role.PRODUCTION and staging.role is Role.STAGING:
                yield staging, production


def _differing(production: Environment, staging: Environment, pairs: Any) -> Iterator[Breach]:
    for path, value, other_path, other in pairs:
        if value is ABSENT:
            message = f"{staging.name} has {_shown(other)} here, {production.name} has not"
        elif other is ABSENT:
            message = f"{production.name} has {_shown(value)} here, {staging.name} has not"
        else:
            message = (
                f"{format_path(path)} is {_shown(value)} in {production.name},"
                f" but {_shown(other)} in {staging.name}"
            )
        yield production.breach(
            Kind.TRAINING,
            path,
            message,
            f"make it equal to {staging.name}'s, or waive the rule for a while",
            staging.see(Kind.TRAINING, other_path, f"in {staging.name}"),
        )


def _shown(value: object) -> str:
    """A value as a file would hold it; of a block, what names it."""
    if hasattr(value, "__dict__"):
        fields = vars(value)
        return str(next((fields[key] for key in ("name", "method", "type") if key in fields), "a block"))
    if isinstance(value, tuple | list):
        return f"[{listed(map(_shown, value), 10)}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


@project_rule("E04", "Production notices less drift than staging", Kind.MONITORING)
def production_is_as_alert_as_staging(environments: Sequence[Environment]) -> Iterator[Breach]:
    """No drift threshold of production is looser than staging's where both use one method: of numeric and
    categorical features, of single features, of the predictions, and `drift.drift_share_fraction`.
    Production compares the predictions if staging does, and staging's `important_features` are important
    there too.

    Why: what raises an alarm in rehearsal must raise one where it costs something.

    Mend: write at most staging's value, for a p-value at least; or waive the rule in the settings with a
    reason and a last day.
    """
    for staging, production in _rehearsals(environments):
        ours, theirs = production.monitoring, staging.monitoring
        pairs: list[tuple[ConfigPath, Any, Any]] = [
            (("drift", name), getattr(ours.drift, name), getattr(theirs.drift, name))
            for name in ("numeric", "categorical")
        ]
        for feature, entry in ours.drift.features.items():
            other = theirs.drift.features.get(feature)
            for name in ("numeric", "categorical"):
                fallback = getattr(theirs.drift, name)
                given = getattr(other, name) if other and not other.ignore else None
                pairs.append((("drift", "features", feature, name), getattr(entry, name), given or fallback))
        if ours.prediction_drift.enabled and theirs.prediction_drift.enabled:
            pairs += [
                (
                    ("prediction_drift", name),
                    getattr(ours.prediction_drift, name),
                    getattr(theirs.prediction_drift, name),
                )
                for name in ("numeric", "categorical")
            ]
        for path, mine, yours in pairs:
            if mine is not None and mine.method == yours.method and _looser(mine, yours):
                least = "least" if yours.direction == "below" else "most"
                yield production.breach(
                    Kind.MONITORING,
                    (*path, "threshold"),
                    f"{mine.method} {mine.threshold:g} in {production.name} is looser than"
                    f" {yours.threshold:g} in {staging.name}",
                    f"write at {least} {yours.threshold:g}, or waive the rule for a while",
                    staging.see(Kind.MONITORING, (*path, "threshold"), f"{staging.name}'s threshold"),
                )
        yield from _less_watched(production, staging)


def _looser(ours: Any, theirs: Any) -> bool:
    if ours.direction == "below":
        return bool(ours.threshold < theirs.threshold)
    return bool(ours.threshold > theirs.threshold)


def _less_watched(production: Environment, staging: Environment) -> Iterator[Breach]:
    ours, theirs = production.monitoring, staging.monitoring
    share: ConfigPath = ("drift", "drift_share_fraction")
    if ours.drift.drift_share_fraction > theirs.drift.drift_share_fraction:
        yield production.breach(
            Kind.MONITORING,
            share,
            f"a share of {ours.drift.drift_share_fraction:g} of the features must drift in {production.name},"
            f" but {theirs.drift.drift_share_fraction:g} in {staging.name}",
            f"write at most {theirs.drift.drift_share_fraction:g}, or waive the rule for a while",
            staging.see(Kind.MONITORING, share, f"{staging.name}'s share"),
        )
    missing = [name for name in theirs.drift.important_features if name not in ours.drift.important_features]
    if missing:
        path: ConfigPath = ("drift", "important_features")
        yield production.breach(
            Kind.MONITORING,
            path,
            f"{listed(missing)} is important in {staging.name}, but not in {production.name}",
            f"add {listed(missing)}, or waive the rule for a while",
            staging.see(Kind.MONITORING, path, "important here"),
        )
    if theirs.prediction_drift.enabled and not ours.prediction_drift.enabled:
        path = ("prediction_drift", "enabled")
        yield production.breach(
            Kind.MONITORING,
            path,
            f"{staging.name} compares the predictions, {production.name} does not",
            "set enabled to true, or waive the rule for a while",
            staging.see(Kind.MONITORING, ("prediction_drift",), "compared here"),
        )

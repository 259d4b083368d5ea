"""Compares a window with the reference, feature by feature, by the methods the monitoring file chose."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mlops_config.contract.rules import drift as rules
from mlops_config.errors import UsageError
from mlops_config.runtime.drift import chance, statistics
from mlops_config.runtime.monitoring.report import Comparison
from mlops_config.runtime.profile.columns import CategoricalColumn, NumericColumn

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import MonitoringConfig, TrainingConfig
    from mlops_config.runtime.profile.profile import Profile

OTHER = "(other)"
"""Names, in a plot, the bucket of rare and of new categories."""
MOST_PLOTTED = 30
"""Categories in a plot, the most frequent; the rest joins the others."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a method says. ``floor`` is what chance alone reaches, of the value or of ``against_chance``."""

    value: float
    statistic: float | None = None
    floor: float = 0.0
    against_chance: float | None = None


def compare(
    window: "Profile", reference: "Profile", training: "TrainingConfig", monitoring: "MonitoringConfig"
) -> tuple[Comparison, ...]:
    """The features that monitoring compares, each judged or with the reason why not.

    ``window`` was made after ``reference``, or both after one other profile. P-values are corrected together,
    as ``drift.multiple_testing`` has it, and are then judged by the corrected one. A distance counts as drift
    when it lies above its threshold and above what chance alone reaches with so few rows.
    """
    drift = monitoring.drift
    found = [
        _compared(each, window, reference, drift.min_samples, each.name in drift.important_features)
        for each in rules.comparisons(training, monitoring)
    ]
    return _corrected(found, drift.multiple_testing)


def compare_predictions(
    window: "Profile", reference: "Profile", training: "TrainingConfig", monitoring: "MonitoringConfig"
) -> Comparison | None:
    """The predictions, judged alone; ``None`` where they are not compared or the reference has none."""
    comparison = rules.prediction_comparison(training, monitoring)
    if comparison is None or reference.column(comparison.name) is None:
        return None
    return _compared(comparison, window, reference, monitoring.prediction_drift.min_samples, False)


def _compared(
    comparison: rules.Comparison, window: "Profile", reference: "Profile", least: int, important: bool
) -> Comparison:
    before, now = reference.column(comparison.name), window.column(comparison.name)
    method = comparison.method
    # Only the methods of categories gather the rare ones.
    rarest: float | None = getattr(method, "other_bucket_fraction", None)
    common: dict[str, Any] = {
        "name": comparison.name,
        "family": "numeric" if rarest is None else "categorical",
        "method": method.method,
        "threshold": method.threshold,
        "direction": method.direction,
        "important": important,
        "rows": now.rows if now else 0,
        "reference_rows": before.rows if before else 0,
    }
    reason = _unfit(before, now, window.rows, least)
    if reason is not None:
        return Comparison(**common, value=None, drifted=None, reason=reason)
    if rarest is None and isinstance(before, NumericColumn) and isinstance(now, NumericColumn):
        before.require_same_cells(now)
        measured, plot = _NUMERIC[method.method](before, now), _numeric_plot(before, now)
    elif rarest is not None and isinstance(before, CategoricalColumn) and isinstance(now, CategoricalColumn):
        before.require_same_categories(now)
        labels, old, new = buckets(before, now, rarest)
        measured, plot = _CATEGORICAL[method.method](old, new), _categorical_plot(labels, old, new)
    else:
        raise UsageError(
            f"{comparison.name} is not profiled as the {common['family']} feature it is",
            hint="make the profiles after the training file they are compared by",
        )
    drifted, why = _judged(measured, common)
    return Comparison(
        **common, value=measured.value, statistic=measured.statistic, drifted=drifted, reason=why, plot=plot
    )


def _unfit(
    before: NumericColumn | CategoricalColumn | None,
    now: NumericColumn | CategoricalColumn | None,
    rows: int,
    least: int,
) -> str | None:
    """Why the two cannot be compared, if so."""
    if before is None or now is None:
        return "the reference does not have the column"
    if before.rows == 0:
        return "the reference has no value in the column"
    if rows and now.absent == rows:
        return "the window does not have the column"
    if rows and now.rows == 0:
        return "the window has no value in the column"
    if now.rows < least:
        return f"the window has {now.rows} rows with a value, and fewer than {least} are not judged"
    return None


def _judged(measured: _Measured, common: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Whether it drifted, and what is to be said about that."""
    if common["direction"] == "below":
        return measured.value < common["threshold"], None
    if measured.value <= common["threshold"]:
        return False, None
    if (measured.against_chance or measured.value) <= measured.floor:
        return False, (
            f"above the threshold, but with {common['rows']} rows against {common['reference_rows']} chance"
            f" alone reaches {measured.floor:.3g} in one window of 1000"
        )
    return True, None


def _corrected(found: Sequence[Comparison], correction: str) -> tuple[Comparison, ...]:
    """The comparisons, those by a p-value judged by the corrected one."""
    values = [each.value for each in found if each.direction == "below" and each.value is not None]
    if correction == "none" or not values:
        return tuple(found)
    if correction == "bonferroni":
        adjusted = iter([min(1.0, value * len(values)) for value in values])
    else:
        from scipy.stats import false_discovery_control

        adjusted = iter(false_discovery_control(values, method="bh").tolist())
    corrected = []
    for each in found:
        if each.direction == "below" and each.value is not None:
            value = float(next(adjusted))
            each = each.model_copy(update={"adjusted": value, "drifted": value < each.threshold})
        corrected.append(each)
    return tuple(corrected)


def _psi(before: NumericColumn, now: NumericColumn) -> _Measured:
    return _psi_of(before.bins, now.bins)


def _jensen_shannon(before: NumericColumn, now: NumericColumn) -> _Measured:
    return _jensen_shannon_of(before.bins, now.bins)


def _ks(before: NumericColumn, now: NumericColumn) -> _Measured:
    test = statistics.ks(before.counts, now.counts)
    return _Measured(test.p_value, test.statistic)


def _wasserstein(before: NumericColumn, now: NumericColumn) -> _Measured:
    points, std = places(before), before.std or 0.0
    return _Measured(
        statistics.wasserstein(before.counts, now.counts, points, std),
        floor=chance.wasserstein(before.counts, now.counts, points, std),
    )


def places(reference: NumericColumn) -> list[float]:
    """Where the rows of each cell are taken to lie: at its end that is farther from the reference's values.

    Within the reference's values that is the upper end. The two cells without an end have but the other.
    """
    grid, least = reference.grid, reference.minimum
    inner = len(grid) if least is None else bisect_left(grid, least)
    return [*grid[:1], *grid[: max(inner - 1, 0)], *grid[max(inner, 1) :], grid[-1]]


def _psi_of(old: Sequence[int], new: Sequence[int]) -> _Measured:
    # With few rows a bin may be empty by chance, which says no more than half a row in it would.
    smoothed = statistics.psi(old, new, empty_rows=0.5)
    floor = chance.binned("psi", old, new)
    return _Measured(statistics.psi(old, new), floor=floor, against_chance=smoothed)


def _jensen_shannon_of(old: Sequence[int], new: Sequence[int]) -> _Measured:
    return _Measured(statistics.jensen_shannon(old, new), floor=chance.binned("jensen_shannon", old, new))


def _l_infinity_of(old: Sequence[int], new: Sequence[int]) -> _Measured:
    return _Measured(statistics.l_infinity(old, new), floor=chance.binned("l_infinity", old, new))


def _chi_square_of(old: Sequence[int], new: Sequence[int]) -> _Measured:
    test = statistics.chi_square(*statistics.pooled(old, new))
    return _Measured(test.p_value, test.statistic)


_NUMERIC: Mapping[str, Callable[[NumericColumn, NumericColumn], _Measured]] = {
    "psi": _psi,
    "ks": _ks,
    "wasserstein": _wasserstein,
    "jensen_shannon": _jensen_shannon,
}
_CATEGORICAL: Mapping[str, Callable[[Sequence[int], Sequence[int]], _Measured]] = {
    "psi": _psi_of,
    "chi_square": _chi_square_of,
    "jensen_shannon": _jensen_shannon_of,
    "l_infinity": _l_infinity_of,
}


def buckets(
    before: CategoricalColumn, now: CategoricalColumn, rarest: float
) -> tuple[list[str], list[int], list[int]]:
    """Labels, and rows of reference and window, with one bucket for all that is rare or new.

    Rare is what less than ``rarest`` of the reference's rows hold; new is what it has not counted by name.
    The bucket comes last, and only if it has a row.
    """
    labels: list[str] = []
    old: list[int] = []
    new: list[int] = []
    other, others = before.other, now.other
    for label, count, rows in zip(before.categories, before.counts, now.counts, strict=True):
        if count < rarest * before.rows or not (count or rows):
            other, others = other + count, others + rows
        else:
            labels.append(label)
            old.append(count)
            new.append(rows)
    if other or others:
        return [*labels, OTHER], [*old, other], [*new, others]
    return labels, old, new


def _numeric_plot(before: NumericColumn, now: NumericColumn) -> dict[str, Any]:
    ends = [f"{before.grid[position]:.4g}" for position in before.edges]
    inner = [f"{low} to {high}" for low, high in pairwise(ends)]
    labels = [f"up to {ends[0]}", *inner, f"above {ends[-1]}"] if ends else ["all"]
    return _plot(labels, before.bins, now.bins)


def _categorical_plot(labels: Sequence[str], old: Sequence[int], new: Sequence[int]) -> dict[str, Any]:
    """The most frequent categories of both, in the order they have; the others last, together."""
    own = len(labels) - (labels[-1] == OTHER)
    frequent = sorted(range(own), key=lambda place: (-(old[place] + new[place]), place))[:MOST_PLOTTED]
    shown = sorted(frequent)
    left = [place for place in range(len(labels)) if place not in set(shown)]
    if not left:
        return _plot([labels[place] for place in shown], *([each[i] for i in shown] for each in (old, new)))
    together = [[*(each[i] for i in shown), sum(each[i] for i in left)] for each in (old, new)]
    return _plot([*(labels[place] for place in shown), OTHER], *together)


def _plot(labels: Sequence[str], old: Sequence[int], new: Sequence[int]) -> dict[str, Any]:
    return {
        "labels": [*labels],
        "reference": [count / sum(old) for count in old],
        "window": [count / sum(new) for count in new],
    }

"""How good a window's predictions were: the truth joined to them, and each metric against its threshold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mlops_config.contract.metrics import METRICS
from mlops_config.contract.models.monitoring import Performance
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.runtime.monitoring.captured import read_table
from mlops_config.runtime.monitoring.columns import kind_of, plain, typed
from mlops_config.runtime.monitoring.report import PerformanceResult
from mlops_config.runtime.monitoring.windows import Window

_SHORTEST_GRACE = timedelta(days=1)
_LONGEST_GRACE = timedelta(days=7)
_KEY, _TRUTH, _PREDICTION = "key", "truth", "prediction"


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome for one window."""

    results: tuple[PerformanceResult, ...]
    labelled_rows: int
    reason: str | None
    """Why nothing was judged; ``None`` when at least one metric was."""

    @property
    def violated(self) -> bool | None:
        """Whether any metric misses its threshold; ``None``: none was judged."""
        outcomes = [each.violated for each in self.results if each.violated is not None]
        return any(outcomes) if outcomes else None


def due_at(window: Window, performance: Performance) -> datetime:
    """When the window's truth should be complete."""
    return window.end + performance.label_delay


def final_at(window: Window, performance: Performance) -> datetime:
    """When we stop waiting for truth that is late: as long again as its delay, between a day and a week."""
    grace = min(max(performance.label_delay, _SHORTEST_GRACE), _LONGEST_GRACE)
    return due_at(window, performance) + grace


def judge(
    rows: pa.Table,
    performance: Performance,
    training: TrainingConfig,
    champion: Mapping[str, float],
    root: Path,
) -> Judged:
    """The metrics of the window's ``rows``; ``champion`` holds those of the model's own test rows.

    Every prediction counts that has one truth; rows that say two different truths for one key say none.

    Raises:
        ServiceError: the truth is there and cannot be fetched.
    """
    target, key = training.schema_.target, performance.join_key
    nothing = _unjudged(performance, champion)
    for column, what in ((key, "the join key"), (target.name, "the prediction")):
        if column not in rows.column_names:
            return nothing(0, f"{what} {column} is not among the captured columns")
    try:
        labels, unreadable = read_table(performance.labels_uri, root, [key, target.name])
    except FileNotFoundError:
        return nothing(0, f"no truth has arrived at {performance.labels_uri}")
    late = f"; {len(unreadable)} files there cannot be read" if unreadable else ""
    for column in (key, target.name):
        if column not in labels.column_names:
            return nothing(0, f"the truth at {performance.labels_uri} has no column {column}{late}")
    joined = _joined(rows, labels, key, target.name)
    truth = typed(joined[_TRUTH], kind_of(target, joined[_TRUTH])).values
    predictions = typed(joined[_PREDICTION], kind_of(target, joined[_PREDICTION])).values
    if truth.type != predictions.type:  # classes such as 1 and "1", depending on who wrote them
        truth, predictions = truth.cast(pa.string()), predictions.cast(pa.string())
    both = pc.and_(pc.is_valid(truth), pc.is_valid(predictions))
    truth, predictions = truth.filter(both), predictions.filter(both)
    if len(truth) < performance.min_labels:
        return nothing(
            len(truth), f"{len(truth)} rows have a truth; {performance.min_labels} are needed{late}"
        )
    return _judged(performance, training, champion, truth, predictions)


def _joined(rows: pa.Table, labels: pa.Table, key: str, target: str) -> pa.Table:
    """Predictions with their truth; keys are compared as text, as formats write them differently."""
    known = pa.table({_KEY: _as_key(labels[key]), _TRUTH: plain(labels[target])})
    known = known.filter(pc.and_(pc.is_valid(known[_KEY]), pc.is_valid(known[_TRUTH])))
    known = known.group_by([_KEY, _TRUTH], use_threads=False).aggregate([])
    truths = known.group_by(_KEY, use_threads=False).aggregate([(_TRUTH, "count"), (_TRUTH, "min")])
    single = truths.filter(pc.equal(truths[f"{_TRUTH}_count"], 1))
    single = pa.table({_KEY: single[_KEY], _TRUTH: single[f"{_TRUTH}_min"]})
    predicted = pa.table({_KEY: _as_key(rows[key]), _PREDICTION: plain(rows[target])})
    return predicted.join(single, keys=_KEY, join_type="inner", use_threads=False)


def _as_key(column: pa.ChunkedArray) -> pa.ChunkedArray:
    flat = plain(column)
    if pa.types.is_floating(flat.type):
        whole = pc.equal(pc.floor(flat), flat)
        if pc.all(whole).as_py():
            flat = flat.cast(pa.int64(), safe=False)
    return flat.cast(pa.string())


def _judged(
    performance: Performance,
    training: TrainingConfig,
    champion: Mapping[str, float],
    truth: pa.ChunkedArray,
    predictions: pa.ChunkedArray,
) -> Judged:
    from mlops_config.runtime.model.metrics import compute

    names = tuple(performance.thresholds)
    values = compute(
        names,
        truth.to_numpy(zero_copy_only=False),
        predictions.to_numpy(zero_copy_only=False),
        None,
        training.schema_.target,
    )
    results = tuple(
        _result(name, values.get(name), performance.thresholds[name].threshold, champion.get(name))
        for name in names
    )
    judged = any(each.violated is not None for each in results)
    return Judged(results, len(truth), None if judged else "no metric could be judged")


def _result(
    name: str, value: float | None, threshold: float | None, champion: float | None
) -> PerformanceResult:
    reason, violated = None, None
    if value is None:
        reason = "it needs scores, and captured rows hold the prediction alone"
    elif not isfinite(value):
        value, reason = None, "it is not defined on these rows"
    elif threshold is None:
        reason = "it has no threshold of its own in the monitoring file"
    else:
        violated = value < threshold if METRICS[name].greater_is_better else value > threshold
    return PerformanceResult(
        metric=name,
        value=value,
        threshold=threshold,
        champion_value=champion,
        violated=violated,
        reason=reason,
    )


def _unjudged(performance: Performance, champion: Mapping[str, float]) -> Callable[[int, str], Judged]:
    def judged(labelled: int, reason: str) -> Judged:
        results = tuple(
            PerformanceResult(
                metric=name,
                value=None,
                threshold=threshold.threshold,
                champion_value=champion.get(name),
                violated=None,
                reason=reason,
            )
            for name, threshold in performance.thresholds.items()
        )
        return Judged(results, labelled, reason)

    return judged

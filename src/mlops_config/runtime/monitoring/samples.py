"""The series that a report makes, as Prometheus gets them."""

import math
from collections.abc import Iterator

from mlops_config.alerting.series import (
    DRIFT_SHARE,
    FEATURE_DRIFT,
    FEATURE_DRIFTED,
    PERFORMANCE,
    PREDICTION_DRIFT,
    QUALITY_VIOLATIONS,
    SIGNAL_CONFIRMED,
    SIGNAL_VIOLATED,
    WINDOW_END,
    WINDOW_ROWS,
)
from mlops_config.runtime.metrics.exposition import Sample
from mlops_config.runtime.monitoring.report import Comparison, MonitoringReport, SignalResult


def samples(newest: MonitoringReport, labelled: MonitoringReport | None) -> tuple[Sample, ...]:
    """The series of the newest window; those about performance are of ``labelled``.

    ``labelled`` is the newest window whose performance was judged: the truth arrives later than the rows.
    What was not judged has no series, so that no alert mistakes it for a good value.
    """
    return tuple(_samples(newest, labelled))


def _samples(newest: MonitoringReport, labelled: MonitoringReport | None) -> Iterator[Sample]:
    yield Sample(WINDOW_ROWS, float(newest.rows))
    yield Sample(WINDOW_END, newest.window_end.timestamp())
    # In the schema's order: of more features than have series the same ones have them in every window.
    for each in newest.drift:
        value = compared_value(each)
        if value is not None and each.drifted is not None:
            yield Sample(FEATURE_DRIFT, value, {"feature": each.name, "method": each.method})
            yield Sample(FEATURE_DRIFTED, float(each.drifted), {"feature": each.name})
    share = newest.signal("drift").value
    if share is not None:
        yield Sample(DRIFT_SHARE, share)
    prediction = newest.prediction_drift
    if prediction is not None and (value := compared_value(prediction)) is not None:
        yield Sample(PREDICTION_DRIFT, value, {"method": prediction.method})
    violations = newest.signal("quality").value
    if violations is not None:
        yield Sample(QUALITY_VIOLATIONS, violations)
    for result in labelled.performance if labelled else ():
        if result.value is not None:
            yield Sample(PERFORMANCE, result.value, {"metric": result.metric})
    signals = [each for each in newest.signals if each.signal != "performance"]
    signals += [labelled.signal("performance")] if labelled else []
    for signal in signals:
        yield from _signal(signal)


def _signal(signal: SignalResult) -> Iterator[Sample]:
    if signal.violated is not None:
        yield Sample(SIGNAL_VIOLATED, float(signal.violated), {"signal": signal.signal})
    yield Sample(SIGNAL_CONFIRMED, float(signal.confirmed), {"signal": signal.signal})


def compared_value(comparison: Comparison) -> float | None:
    """What is compared with the threshold: the corrected p-value where there is one."""
    return comparison.value if comparison.adjusted is None else comparison.adjusted


def severity(comparison: Comparison) -> tuple[bool, bool, float]:
    """Sorts by how bad it is: drifting first, important next, then how far beyond the threshold."""
    far = in_thresholds(comparison)
    return (bool(comparison.drifted), comparison.important, -1.0 if far is None else far)


def in_thresholds(comparison: Comparison) -> float | None:
    """How far the value is, 1 at the threshold and more beyond it; ``None`` while not judged.

    P-values are taken by their logarithm, so that one of a trillionth does not dwarf every distance.
    """
    value = compared_value(comparison)
    if value is None or comparison.threshold <= 0:
        return None
    if comparison.direction == "above":
        return value / comparison.threshold
    return math.log(max(min(value, 1.0), 1e-300)) / math.log(comparison.threshold)

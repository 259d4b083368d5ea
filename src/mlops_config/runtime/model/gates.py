"""What a model has to reach, judged: a missing metric, NaN or an absent champion is a refusal."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeGuard

from mlops_config.contract.metrics import METRICS, MetricName
from mlops_config.contract.models.evaluation import MetricThreshold

NOT_WORSE, WORSE, UNKNOWN = "champion.not_worse", "champion.worse", "champion.unknown"
"""Codes of a training's reason: how its model compares with the champion on the same rows."""


class GateResult(NamedTuple):
    """One condition and how it came out."""

    code: str
    """What was judged, such as ``rmse.threshold``; stays the same from version to version."""
    passed: bool
    text: str
    """The outcome as a sentence."""


def judge(
    thresholds: Mapping[MetricName, MetricThreshold],
    metrics: Mapping[str, float],
    champion: Mapping[str, float] | None,
    *,
    where: str = "",
) -> tuple[GateResult, ...]:
    """Every condition of ``thresholds``, each by itself.

    ``champion`` are the metrics, on the same rows, of the model that serves; ``where`` is said in front of
    each sentence, such as a slice's name.

    Direction comes from the metric: a loss must be at most its threshold, a score at least. The gain is
    champion minus challenger for a loss and challenger minus champion for a score; the relative gain is
    divided by the champion's magnitude. Source: MLflow's MetricThreshold and validate_evaluation_results.
    """
    results: list[GateResult] = []
    for name, wanted in thresholds.items():
        results += _judge_metric(name, wanted, metrics.get(name), champion, f"{where}: " if where else "")
    return tuple(results)


def passed(results: Iterable[GateResult], *, require_all: bool = True) -> bool:
    """Whether the gate opens: all results passed, or one where that is enough. Without any it does."""
    outcomes = [result.passed for result in results]
    return all(outcomes) if require_all or not outcomes else any(outcomes)


def not_worse(primary: str, metrics: Mapping[str, float], champion: Mapping[str, float]) -> GateResult:
    """Whether the challenger is at least as good as the champion in the metric that ranks models."""
    code = f"{primary}.not_worse"
    value, theirs = metrics.get(primary), champion.get(primary)
    if not _is_number(value) or not _is_number(theirs):
        return GateResult(code, False, f"{primary} is {_shown(value)}, the champion's {_shown(theirs)}")
    gain = _gain(primary, value, theirs)
    text = f"{primary} is {_shown(value)}, the champion's on the same rows is {_shown(theirs)}"
    return GateResult(code, gain >= 0, text)


def failures(results: Sequence[GateResult]) -> tuple[GateResult, ...]:
    """Those that did not pass."""
    return tuple(result for result in results if not result.passed)


def _judge_metric(
    name: str,
    wanted: MetricThreshold,
    value: float | None,
    champion: Mapping[str, float] | None,
    where: str,
) -> Iterable[GateResult]:
    if not _is_number(value):
        yield GateResult(f"{name}.missing", False, f"{where}{name} is {_shown(value)}, so it reaches nothing")
        return
    if wanted.threshold is not None:
        better = METRICS[name].greater_is_better
        reached = value >= wanted.threshold if better else value <= wanted.threshold
        limit = f"at {'least' if better else 'most'} {_shown(wanted.threshold)}"
        yield GateResult(f"{name}.threshold", reached, f"{where}{name} is {_shown(value)}, {limit} is needed")
    changes = {
        "min_absolute_change": wanted.min_absolute_change,
        "min_relative_change": wanted.min_relative_change,
    }
    for field, least in changes.items():
        if least is not None:
            yield _judge_change(name, field, least, value, champion, where)


def _judge_change(
    name: str, field: str, least: float, value: float, champion: Mapping[str, float] | None, where: str
) -> GateResult:
    code = f"{name}.{field}"
    if champion is None:
        return GateResult(code, False, f"{where}there is no champion whose {name} could be compared")
    theirs = champion.get(name)
    if not _is_number(theirs):
        return GateResult(code, False, f"{where}the champion's {name} is {_shown(theirs)}")
    gain = _gain(name, value, theirs)
    if field == "min_relative_change":
        # A champion of exactly 0 leaves no scale: any gain is infinitely large, none is none.
        gain = gain / abs(theirs) if theirs else math.copysign(math.inf, gain) if gain else 0.0
        shown, needed = f"{gain:.2%}", f"{least:.2%}"
    else:
        shown, needed = _shown(gain), _shown(least)
    text = f"{where}{name} gains {shown} on the champion's {_shown(theirs)}, {needed} is needed"
    return GateResult(code, gain >= least, text)


def _gain(name: str, value: float, champion: float) -> float:
    return value - champion if METRICS[name].greater_is_better else champion - value


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _shown(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6g}"

"""The gate fails closed, by the direction of each metric, and says what was needed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.contract.metrics import METRICS
from mlops_config.contract.models.evaluation import MetricThreshold
from mlops_config.runtime.model.gates import failures, judge, not_worse, passed

numbers = st.floats(-1e6, 1e6, allow_nan=False)


def threshold(**fields: float) -> MetricThreshold:
    return MetricThreshold.model_validate(fields)


def opens(metric: str, wanted: MetricThreshold, value: float | None, champion: float | None = None) -> bool:
    metrics = {} if value is None else {metric: value}
    return passed(judge({metric: wanted}, metrics, None if champion is None else {metric: champion}))


@given(metric=st.sampled_from(sorted(METRICS)), value=numbers, limit=numbers)
def test_a_threshold_is_reached_in_the_metrics_own_direction(metric: str, value: float, limit: float) -> None:
    better = METRICS[metric].greater_is_better
    assert opens(metric, threshold(threshold=limit), value) == (value >= limit if better else value <= limit)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_a_metric_that_is_no_number_reaches_nothing(metric: str, value: float | None) -> None:
    (result,) = judge({metric: threshold(threshold=0.0)}, {} if value is None else {metric: value}, None)
    assert not result.passed
    assert result.code == f"{metric}.missing"


@pytest.mark.parametrize("champion", [None, math.nan, math.inf])
@pytest.mark.parametrize("field", ["min_absolute_change", "min_relative_change"])
def test_a_gain_needs_a_champion_with_a_number(field: str, champion: float | None) -> None:
    assert not opens("rmse", threshold(**{field: 0.0}), 1.0, champion)
    assert not passed(judge({"rmse": threshold(**{field: 0.0})}, {"rmse": 1.0}, {}))


@pytest.mark.parametrize(
    ("metric", "value", "champion", "absolute", "relative"),
    [("rmse", 1.5, 2.0, 0.5, 0.25), ("r2", 0.9, 0.6, 0.3, 0.5), ("r2", -1.0, -2.0, 1.0, 0.5)],
)
def test_a_gain_is_measured_on_the_champion(
    metric: str, value: float, champion: float, absolute: float, relative: float
) -> None:
    tiny = 1e-9
    assert opens(metric, threshold(min_absolute_change=absolute - tiny), value, champion)
    assert not opens(metric, threshold(min_absolute_change=absolute + tiny), value, champion)
    assert opens(metric, threshold(min_relative_change=relative - tiny), value, champion)
    assert not opens(metric, threshold(min_relative_change=relative + tiny), value, champion)


def test_every_condition_of_a_metric_must_hold() -> None:
    wanted = threshold(threshold=2.0, min_absolute_change=0.1, min_relative_change=0.5)
    results = judge({"rmse": wanted}, {"rmse": 1.8}, {"rmse": 2.0})
    assert [result.passed for result in results] == [True, True, False]
    assert [result.code for result in failures(results)] == ["rmse.min_relative_change"]
    assert "10.00%" in failures(results)[0].text


def test_one_condition_is_enough_where_the_configuration_says_so() -> None:
    results = judge(
        {"rmse": threshold(threshold=1.0), "r2": threshold(threshold=0.5)}, {"rmse": 2.0, "r2": 0.9}, None
    )
    assert not passed(results)
    assert passed(results, require_all=False)
    assert passed(())


@given(value=numbers, champion=numbers, metric=st.sampled_from(["rmse", "r2"]))
def test_a_challenger_as_good_as_the_champion_is_not_worse(
    value: float, champion: float, metric: str
) -> None:
    ahead = value >= champion if metric == "r2" else value <= champion
    assert not_worse(metric, {metric: value}, {metric: champion}).passed == ahead
    assert not not_worse(metric, {}, {metric: champion}).passed
    assert not not_worse(metric, {metric: value}, {metric: math.nan}).passed


def test_a_champion_of_zero_is_beaten_by_any_gain_and_by_nothing_else() -> None:
    assert opens("r2", threshold(min_relative_change=0.5), 0.1, 0.0)
    assert not opens("r2", threshold(min_relative_change=0.5), 0.0, 0.0)

"""Every metric of the contract against scikit-learn's function of that meaning, called directly."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sklearn import metrics

from mlops_config.contract.metrics import METRICS
from mlops_config.contract.models.tables import Target
from mlops_config.runtime.model.metrics import NEEDS_SCORES, compute, is_positive


def target(problem: str, **values: Any) -> Target:
    return TypeAdapter(Target).validate_python({"name": "y", "problem_type": problem, **values})


NUMBER = target("regression")
WORD = target("binary_classification", positive_class="yes")
SEVERAL = target("multiclass_classification")
FINITE = st.floats(-1e6, 1e6)

REGRESSION: dict[str, Callable[..., float]] = {
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "median_absolute_error": metrics.median_absolute_error,
    "mape": metrics.mean_absolute_percentage_error,
    "max_error": metrics.max_error,
    "r2": metrics.r2_score,
}


@settings(deadline=None, max_examples=20)
@given(rows=st.lists(st.tuples(FINITE, FINITE), min_size=2, max_size=30))
def test_metrics_of_numbers_are_the_librarys(rows: list[tuple[float, float]]) -> None:
    truth, predicted = map(np.array, zip(*rows, strict=True))
    found = compute(REGRESSION, truth, predicted, None, NUMBER)
    for name, function in REGRESSION.items():
        assert found[name] == pytest.approx(function(truth, predicted), rel=1e-12, abs=0), name


BINARY: dict[str, Callable[..., float]] = {
    "accuracy": lambda y, p, _: metrics.accuracy_score(y, p),
    "balanced_accuracy": lambda y, p, _: metrics.balanced_accuracy_score(y, p),
    "precision": lambda y, p, _: metrics.precision_score(y, p, pos_label="yes", zero_division=0),
    "recall": lambda y, p, _: metrics.recall_score(y, p, pos_label="yes", zero_division=0),
    "f1": lambda y, p, _: metrics.f1_score(y, p, pos_label="yes", zero_division=0),
    "roc_auc": lambda y, _, s: metrics.roc_auc_score(np.array(y) == "yes", s),
    "average_precision": lambda y, _, s: metrics.average_precision_score(y, s, pos_label="yes"),
    "brier_score": lambda y, _, s: metrics.brier_score_loss(y, s, pos_label="yes"),
    "log_loss": lambda y, _, s: metrics.log_loss(y, np.column_stack([1 - s, s]), labels=["no", "yes"]),
}
ROW = st.tuples(st.sampled_from(["no", "yes"]), st.sampled_from(["no", "yes"]), st.floats(0.01, 0.99))


@settings(deadline=None, max_examples=20)
@given(rows=st.lists(ROW, min_size=1, max_size=30))
def test_metrics_of_two_classes_are_the_librarys(rows: list[tuple[str, str, float]]) -> None:
    truth, predicted = ["no", "yes", *[row[0] for row in rows]], ["no", "yes", *[row[1] for row in rows]]
    scores = np.array([0.2, 0.3, *[row[2] for row in rows]])
    found = compute(BINARY, truth, predicted, scores, WORD)
    for name, function in BINARY.items():
        assert found[name] == pytest.approx(function(truth, predicted, scores), rel=1e-12), name


MULTICLASS: dict[str, Callable[..., float]] = {
    "accuracy": lambda y, p, _: metrics.accuracy_score(y, p),
    "balanced_accuracy": lambda y, p, _: metrics.balanced_accuracy_score(y, p),
    "precision_macro": lambda y, p, _: metrics.precision_score(y, p, average="macro", zero_division=0),
    "recall_macro": lambda y, p, _: metrics.recall_score(y, p, average="macro", zero_division=0),
    "f1_macro": lambda y, p, _: metrics.f1_score(y, p, average="macro", zero_division=0),
    "f1_weighted": lambda y, p, _: metrics.f1_score(y, p, average="weighted", zero_division=0),
    "log_loss": lambda y, _, s: metrics.log_loss(y, s, labels=[2, 3, 10]),
    "roc_auc_ovr": lambda y, _, s: metrics.roc_auc_score(y, s, multi_class="ovr", labels=[2, 3, 10]),
}
CLASS = st.sampled_from([2, 3, 10])


@settings(deadline=None, max_examples=20)
@given(rows=st.lists(st.tuples(CLASS, CLASS, st.tuples(*[st.floats(0.1, 1)] * 3)), min_size=1, max_size=30))
def test_metrics_of_several_classes_are_the_librarys(rows: list[tuple[int, int, Any]]) -> None:
    """Classes 2, 3 and 10: as numbers they are in another order than as text."""
    truth, predicted = [2, 3, 10, *[row[0] for row in rows]], [2, 3, 3, *[row[1] for row in rows]]
    weights = np.array([(1.0, 1.0, 1.0)] * 3 + [row[2] for row in rows])
    scores = weights / weights.sum(axis=1, keepdims=True)
    frame = pd.DataFrame(scores, columns=[2, 3, 10])
    found = compute(MULTICLASS, truth, predicted, frame, SEVERAL)
    for name, function in MULTICLASS.items():
        assert found[name] == pytest.approx(function(truth, predicted, scores), rel=1e-9), name
    shuffled = compute(MULTICLASS, truth, predicted, frame[[10, 2, 3]], SEVERAL)
    assert shuffled == pytest.approx(found, rel=1e-12)


def test_every_metric_is_compared_above() -> None:
    compared = {
        "regression": REGRESSION,
        "binary_classification": BINARY,
        "multiclass_classification": MULTICLASS,
    }
    for problem, functions in compared.items():
        assert set(functions) == {name for name, metric in METRICS.items() if problem in metric.problem_types}


def test_without_scores_the_metrics_that_need_them_are_left_out() -> None:
    found = compute(BINARY, ["yes", "no"], ["yes", "no"], None, WORD)
    assert set(found) == set(BINARY) - NEEDS_SCORES


@pytest.mark.parametrize(
    ("name", "truth"), [("roc_auc", "no"), ("roc_auc", "yes"), ("average_precision", "no")]
)
def test_what_is_not_defined_on_the_rows_is_nan(name: str, truth: str) -> None:
    found = compute([name], [truth] * 3, ["no"] * 3, np.array([0.1, 0.2, 0.3]), WORD)
    assert math.isnan(found[name])


def test_a_class_without_rows_has_no_curve() -> None:
    scores = pd.DataFrame([[0.2, 0.3, 0.5]] * 2, columns=[2, 3, 10])
    assert math.isnan(compute(["roc_auc_ovr"], [2, 3], [2, 3], scores, SEVERAL)["roc_auc_ovr"])


def test_no_rows_have_no_metrics() -> None:
    assert all(math.isnan(value) for value in compute(REGRESSION, [], [], None, NUMBER).values())


@pytest.mark.parametrize(
    ("positive", "values", "expected"),
    [
        (None, [True, False], [True, False]),
        (None, [1, 0], [True, False]),
        (None, [1.0, 0.0], [True, False]),
        (None, ["true", "False"], [True, False]),
        (False, [True, False], [False, True]),
        (2, [1, 2, 2.0], [False, True, True]),
        (2, ["1", "2"], [False, True]),
        ("2", [1, 2], [False, True]),
        ("yes", ["yes", "no", "Yes"], [True, False, False]),
    ],
)
def test_the_positive_class_is_known_in_every_type_it_comes_in(
    positive: Any, values: list[Any], expected: list[bool]
) -> None:
    found = is_positive(values, target("binary_classification", positive_class=positive))
    assert found.tolist() == expected

"""The metrics are scikit-learn's, and one that is not defined is missing rather than invented."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from mlops_config.contract.metrics import METRICS
from mlops_config.contract.models.tables import BinaryTarget, MulticlassTarget, RegressionTarget, Target
from mlops_config.runtime.model.metrics import compute

NUMBER = RegressionTarget(name="y", problem_type="regression")
TWO = BinaryTarget(name="y", problem_type="binary_classification")
THREE = MulticlassTarget(name="y", problem_type="multiclass_classification")
RNG = np.random.default_rng(7)


def names(problem: str) -> list[str]:
    return [name for name, metric in METRICS.items() if problem in metric.problem_types]


def test_regression() -> None:
    truth = RNG.normal(size=200)
    said = truth + RNG.normal(size=200)
    found = compute(names("regression"), truth, said, None, NUMBER)
    assert found == {
        "rmse": pytest.approx(sk.root_mean_squared_error(truth, said)),
        "mae": pytest.approx(sk.mean_absolute_error(truth, said)),
        "median_absolute_error": pytest.approx(sk.median_absolute_error(truth, said)),
        "mape": pytest.approx(sk.mean_absolute_percentage_error(truth, said)),
        "max_error": pytest.approx(sk.max_error(truth, said)),
        "r2": pytest.approx(sk.r2_score(truth, said)),
    }


@pytest.mark.parametrize(
    ("classes", "positive"),
    [([0, 1], None), ([False, True], None), (["no", "yes"], "yes"), (["no", "yes"], "no"), ([1, 2], 2)],
)
def test_two_classes(classes: list[Any], positive: Any) -> None:
    target = TWO.model_copy(update={"positive_class": positive})
    labels = np.array(classes)
    truth, said = labels[RNG.integers(0, 2, 300)], labels[RNG.integers(0, 2, 300)]
    scores = RNG.dirichlet([1, 1], 300)
    found = compute(names("binary_classification"), truth, said, scores, target, labels)
    yes = positive if positive is not None else classes[1]
    hits, score = truth == yes, scores[:, classes.index(yes)]
    assert found == {
        "accuracy": pytest.approx(sk.accuracy_score(truth, said)),
        "balanced_accuracy": pytest.approx(sk.balanced_accuracy_score(truth, said)),
        "precision": pytest.approx(sk.precision_score(truth, said, pos_label=yes)),
        "recall": pytest.approx(sk.recall_score(truth, said, pos_label=yes)),
        "f1": pytest.approx(sk.f1_score(truth, said, pos_label=yes)),
        "roc_auc": pytest.approx(sk.roc_auc_score(hits, score)),
        "average_precision": pytest.approx(sk.average_precision_score(hits, score)),
        "brier_score": pytest.approx(np.mean((score - hits) ** 2)),
        "log_loss": pytest.approx(sk.log_loss(truth, scores, labels=labels)),
    }


def test_several_classes() -> None:
    labels = np.array(["a", "b", "c"])
    truth, said = labels[RNG.integers(0, 3, 300)], labels[RNG.integers(0, 3, 300)]
    scores = RNG.dirichlet([1, 1, 1], 300)
    found = compute(names("multiclass_classification"), truth, said, scores, THREE, labels)
    assert found == {
        "accuracy": pytest.approx(sk.accuracy_score(truth, said)),
        "balanced_accuracy": pytest.approx(sk.balanced_accuracy_score(truth, said)),
        "precision_macro": pytest.approx(sk.precision_score(truth, said, average="macro")),
        "recall_macro": pytest.approx(sk.recall_score(truth, said, average="macro")),
        "f1_macro": pytest.approx(sk.f1_score(truth, said, average="macro")),
        "f1_weighted": pytest.approx(sk.f1_score(truth, said, average="weighted")),
        "roc_auc_ovr": pytest.approx(sk.roc_auc_score(truth, scores, multi_class="ovr")),
        "log_loss": pytest.approx(sk.log_loss(truth, scores)),
    }


@pytest.mark.parametrize("target", [NUMBER, TWO, THREE])
def test_no_rows_have_no_metrics(target: Target) -> None:
    empty = np.array([])
    assert compute(names(target.problem_type), empty, empty, None, target) == {}


def test_without_probabilities_the_metrics_that_need_them_are_missing() -> None:
    truth = np.array([0, 1, 1, 0])
    found = compute(names("binary_classification"), truth, truth, None, TWO)
    assert set(found) == {"accuracy", "balanced_accuracy", "precision", "recall", "f1"}
    assert set(found.values()) == {1.0}


def test_one_class_alone_ranks_nothing_and_one_row_explains_no_variance() -> None:
    ones, scores = np.array([1, 1]), np.array([[0.2, 0.8], [0.4, 0.6]])
    found = compute(["roc_auc", "average_precision", "recall"], ones, ones, scores, TWO, np.array([0, 1]))
    assert found == {"recall": 1.0}
    one = np.array([3.0])
    assert compute(["r2", "rmse"], one, one, None, NUMBER) == {"rmse": 0.0}


def test_a_class_the_model_never_saw_leaves_the_log_loss_out() -> None:
    truth = np.array(["a", "d"])
    scores = np.full((2, 3), 1 / 3)
    assert "log_loss" not in compute(["log_loss"], truth, truth, scores, THREE, np.array(["a", "b", "c"]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_no_number_gives_no_metric(bad: float) -> None:
    assert compute(["rmse", "r2"], np.array([1.0, 2.0]), np.array([1.0, bad]), None, NUMBER) == {}

"""The evaluation metrics a file may name, each with the direction that is better and the problems it fits."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

ProblemType = Literal["regression", "binary_classification", "multiclass_classification"]

MetricName = Literal[
    "rmse",
    "mae",
    "median_absolute_error",
    "mape",
    "max_error",
    "r2",
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "average_precision",
    "brier_score",
    "log_loss",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "f1_weighted",
    "roc_auc_ovr",
]


class Metric(NamedTuple):
    """What is known of a metric. ``lower`` and ``upper`` bound its values; ``None`` is unbounded."""

    name: MetricName
    greater_is_better: bool
    problem_types: tuple[ProblemType, ...]
    lower: float | None = 0.0
    upper: float | None = 1.0


_REGRESSION: tuple[ProblemType, ...] = ("regression",)
_BINARY: tuple[ProblemType, ...] = ("binary_classification",)
_MULTICLASS: tuple[ProblemType, ...] = ("multiclass_classification",)
_CLASSIFICATION = _BINARY + _MULTICLASS

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("rmse", False, _REGRESSION, upper=None),
            Metric("mae", False, _REGRESSION, upper=None),
            Metric("median_absolute_error", False, _REGRESSION, upper=None),
            Metric("mape", False, _REGRESSION, upper=None),
            Metric("max_error", False, _REGRESSION, upper=None),
            Metric("r2", True, _REGRESSION, lower=None),
            Metric("accuracy", True, _CLASSIFICATION),
            Metric("balanced_accuracy", True, _CLASSIFICATION),
            Metric("precision", True, _BINARY),
            Metric("recall", True, _BINARY),
            Metric("f1", True, _BINARY),
            Metric("roc_auc", True, _BINARY),
            Metric("average_precision", True, _BINARY),
            Metric("brier_score", False, _BINARY),
            Metric("log_loss", False, _CLASSIFICATION, upper=None),
            Metric("precision_macro", True, _MULTICLASS),
            Metric("recall_macro", True, _MULTICLASS),
            Metric("f1_macro", True, _MULTICLASS),
            Metric("f1_weighted", True, _MULTICLASS),
            Metric("roc_auc_ovr", True, _MULTICLASS),
        )
    }
)
"""Every metric of :data:`MetricName`, by name. Names and directions are those of scikit-learn's functions."""

"""The metrics a file may name, computed by scikit-learn's functions of the same meaning."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlops_config.contract.metrics import METRICS
from mlops_config.contract.models.tables import BinaryTarget, Target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

NEEDS_SCORES = frozenset({"roc_auc", "average_precision", "brier_score", "log_loss", "roc_auc_ovr"})
"""Metrics of the probabilities that a classifier gives its classes, not of the classes it chooses."""


def compute(
    names: Iterable[str],
    truth: Any,
    predictions: Any,
    scores: "pd.DataFrame | np.ndarray[Any, Any] | None",
    target: Target,
) -> dict[str, float]:
    """Each metric of ``names`` on these rows.

    Args:
        names: Of :data:`mlops_config.contract.metrics.METRICS`.
        truth: The target's values, one a row.
        predictions: What the model says, one a row: numbers, or classes.
        scores: For two classes the probability of the positive one; for several a frame with a column for
            each class. ``None`` where nobody kept them: metrics in :data:`NEEDS_SCORES` are left out then.
        target: Says which class is the positive one.

    Returns:
        Values by name. NaN is a metric that is not defined on these rows, such as an area under the curve
        where all rows are of one class; it passes no gate.
    """
    wanted = [name for name in names if scores is not None or name not in NEEDS_SCORES]
    if not len(truth):
        return dict.fromkeys(wanted, math.nan)
    actual, predicted = _comparable(truth, target), _comparable(predictions, target)
    values = {}
    with warnings.catch_warnings():
        # What is not defined is told by NaN; a precision of no prediction is 0, as the library says.
        warnings.simplefilter("ignore")
        for name in wanted:
            values[name] = _value(_FUNCTIONS[name], actual, predicted, scores)
    return values


def _value(function: Callable[..., Any], actual: Any, predicted: Any, scores: Any) -> float:
    try:
        return float(function(actual, predicted, scores))
    except ValueError:  # how scikit-learn says that a metric is not defined on these rows
        return math.nan


def _comparable(values: Any, target: Target) -> "np.ndarray[Any, Any]":
    """Numbers for regression, whether it is the positive class for two classes, else the class as text.

    Text, since 2 in one file is "2" in another.
    """
    import numpy as np
    import pandas as pd

    if target.problem_type == "regression":
        return np.asarray(values, dtype="float64")
    if target.problem_type == "binary_classification":
        return is_positive(values, target)
    return np.asarray([_class_name(value) for value in pd.Series(values).to_list()], dtype=object)


def is_positive(values: Any, target: BinaryTarget) -> "np.ndarray[Any, Any]":
    """Which values are the positive class: ``target.positive_class``, or true and 1 without one."""
    import numpy as np
    import pandas as pd

    positive = _class_name(True if target.positive_class is None else target.positive_class)
    as_number = {"True": "1", "true": "1"} if target.positive_class in (None, True) else {}
    wanted = as_number.get(positive, positive)
    names = (_class_name(value) for value in pd.Series(values).to_list())
    return np.asarray([as_number.get(name, name) == wanted for name in names], dtype=bool)


def _class_name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _of_classes(name: str, **options: Any) -> Callable[..., Any]:
    def function(actual: Any, predicted: Any, _: Any) -> Any:
        from sklearn import metrics

        return getattr(metrics, name)(actual, predicted, **options)

    return function


def _of_scores(name: str) -> Callable[..., Any]:
    def function(actual: Any, _: Any, scores: Any) -> Any:
        from sklearn import metrics

        return getattr(metrics, name)(actual, scores)

    return function


def _roc_auc(actual: Any, _: Any, scores: Any) -> Any:
    from sklearn import metrics

    return metrics.roc_auc_score(actual, scores) if actual.any() and not actual.all() else math.nan


def _average_precision(actual: Any, _: Any, scores: Any) -> Any:
    from sklearn import metrics

    return metrics.average_precision_score(actual, scores) if actual.any() else math.nan


def _log_loss(actual: Any, _: Any, scores: Any) -> Any:
    import numpy as np
    from sklearn import metrics

    if actual.dtype == bool:
        likely = np.asarray(scores, dtype="float64")
        return metrics.log_loss(actual, np.column_stack([1 - likely, likely]), labels=[False, True])
    names, columns = _sorted_scores(scores)
    return metrics.log_loss(actual, columns, labels=names)


def _roc_auc_ovr(actual: Any, _: Any, scores: Any) -> Any:
    from sklearn import metrics

    names, columns = _sorted_scores(scores)
    if set(actual) != set(names):
        return math.nan  # a class without any row has no curve
    return metrics.roc_auc_score(actual, columns, multi_class="ovr", labels=names)


def _sorted_scores(scores: Any) -> "tuple[list[str], np.ndarray[Any, Any]]":
    """The classes' names in the order scikit-learn wants, and a column of scores for each."""
    names = [_class_name(name) for name in scores.columns]
    order = sorted(range(len(names)), key=names.__getitem__)
    return [names[place] for place in order], scores.to_numpy("float64")[:, order]


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "rmse": _of_classes("root_mean_squared_error"),
    "mae": _of_classes("mean_absolute_error"),
    "median_absolute_error": _of_classes("median_absolute_error"),
    "mape": _of_classes("mean_absolute_percentage_error"),
    "max_error": _of_classes("max_error"),
    "r2": _of_classes("r2_score"),
    "accuracy": _of_classes("accuracy_score"),
    "balanced_accuracy": _of_classes("balanced_accuracy_score"),
    "precision": _of_classes("precision_score"),
    "recall": _of_classes("recall_score"),
    "f1": _of_classes("f1_score"),
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "brier_score": _of_scores("brier_score_loss"),
    "log_loss": _log_loss,
    "precision_macro": _of_classes("precision_score", average="macro"),
    "recall_macro": _of_classes("recall_score", average="macro"),
    "f1_macro": _of_classes("f1_score", average="macro"),
    "f1_weighted": _of_classes("f1_score", average="weighted"),
    "roc_auc_ovr": _roc_auc_ovr,
}
assert set(_FUNCTIONS) == set(METRICS), "every metric of the contract is computed"  # noqa: S101

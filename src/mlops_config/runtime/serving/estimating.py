"""Estimators without their checks of input: the same numbers from a matrix that is known to be right."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_config.runtime.serving.encoding import Matrix

Estimate = Callable[[Matrix], NDArray[Any]]

_WALKED_ROWS = 16
"""Above this many rows a library's own loop over trees, in C, is faster than ours over rows."""
_WALKED_NODES = 200_000
"""Trees with more nodes would take too much memory as Python tuples."""

_Tree = float | tuple[int, float, bool, Any, Any]
"""A leaf's value, or (feature, threshold, whether no value goes left, left, right)."""


def estimate(estimator: Any) -> Estimate:
    """The fastest known way to this estimator's predictions; its own ``predict`` where there is none."""
    match type(estimator).__name__:
        case "Ridge" | "LinearRegression" if np.ndim(estimator.coef_) == 1:
            return _linear(estimator)
        case "LogisticRegression":
            return _logistic(estimator)
        case "HistGradientBoostingRegressor" | "HistGradientBoostingClassifier":
            return _boosted(estimator) or _own(estimator)
        case "RandomForestRegressor":
            return _forest(estimator) or _own(estimator)
        case _:
            return _own(estimator)


def _own(estimator: Any) -> Estimate:
    import sklearn

    # Threads cost more than they bring for the few rows of a request, and requests run beside each other.
    if getattr(estimator, "n_jobs", None) not in (None, 1):
        estimator.set_params(n_jobs=1)

    def predict(matrix: Matrix) -> NDArray[Any]:
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            return np.asarray(estimator.predict(matrix))

    return predict


def _linear(estimator: Any) -> Estimate:
    coefficients, intercept = np.asarray(estimator.coef_), float(estimator.intercept_)
    return lambda matrix: matrix @ coefficients + intercept


def _logistic(estimator: Any) -> Estimate:
    coefficients, intercepts, classes = estimator.coef_.T, estimator.intercept_, estimator.classes_

    def predict(matrix: Matrix) -> NDArray[Any]:
        scores = matrix @ coefficients + intercepts
        if len(classes) == 2:
            return np.asarray(classes[(scores[:, 0] > 0).astype(np.intp)])
        return np.asarray(classes[scores.argmax(axis=1)])

    return predict


def _boosted(estimator: Any) -> Estimate | None:
    """Gradient boosted trees of scikit-learn, walked in Python: right after numeric splits only."""
    rounds = estimator._predictors
    nodes = [predictor.nodes for each in rounds for predictor in each]
    if any(node["is_categorical"].any() for node in nodes) or sum(map(len, nodes)) > _WALKED_NODES:
        return None
    outputs = len(rounds[0])
    trees = [[_boosted_tree(each[output].nodes, 0) for each in rounds] for output in range(outputs)]
    baseline = [float(value) for value in np.ravel(estimator._baseline_prediction)]
    classes = getattr(estimator, "classes_", None)
    link = _inverse_link(estimator)
    own = _own(estimator)

    def predict(matrix: Matrix) -> NDArray[Any]:
        if len(matrix) > _WALKED_ROWS:
            return own(matrix)
        raw = np.array(
            [
                [
                    sum((_leaf(tree, row) for tree in each), start)
                    for each, start in zip(trees, baseline, strict=True)
                ]
                for row in matrix.tolist()
            ]
        )
        if classes is None:
            return np.asarray(link(raw[:, 0]))
        if outputs == 1:
            return np.asarray(classes[(raw[:, 0] > 0).astype(np.intp)])
        return np.asarray(classes[raw.argmax(axis=1)])

    return predict


def _inverse_link(estimator: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
    inverse: Callable[[NDArray[Any]], NDArray[Any]] = estimator._loss.link.inverse
    return inverse


def _boosted_tree(nodes: NDArray[Any], index: int) -> _Tree:
    node = nodes[index]
    if node["is_leaf"]:
        return float(node["value"])
    return (
        int(node["feature_idx"]),
        float(node["num_threshold"]),
        bool(node["missing_go_to_left"]),
        _boosted_tree(nodes, int(node["left"])),
        _boosted_tree(nodes, int(node["right"])),
    )


def _forest(estimator: Any) -> Estimate | None:
    """The mean of regression trees; scikit-learn compares features in single precision."""
    found = [each.tree_ for each in estimator.estimators_]
    if sum(tree.node_count for tree in found) > _WALKED_NODES or estimator.n_outputs_ != 1:
        return None
    trees = [_forest_tree(tree, 0) for tree in found]
    own = _own(estimator)

    def predict(matrix: Matrix) -> NDArray[Any]:
        if len(matrix) > _WALKED_ROWS:
            return own(matrix)
        rows = matrix.astype(np.float32).astype(np.float64).tolist()
        return np.array([sum(_leaf(tree, row) for tree in trees) / len(trees) for row in rows])

    return predict


def _forest_tree(tree: Any, index: int) -> _Tree:
    left = int(tree.children_left[index])
    if left == -1:
        return float(tree.value[index, 0, 0])
    return (
        int(tree.feature[index]),
        float(tree.threshold[index]),
        bool(tree.missing_go_to_left[index]),
        _forest_tree(tree, left),
        _forest_tree(tree, int(tree.children_right[index])),
    )


def _leaf(tree: _Tree, row: Sequence[float]) -> float:
    while tree.__class__ is tuple:
        feature, threshold, missing_left, left, right = tree
        value = row[feature]
        tree = left if value <= threshold or (missing_left and math.isnan(value)) else right
    return tree  # type: ignore[return-value]

"""Checks the trees of a loaded model: scikit-learn follows their indices without looking where they lead.

A file with a tree whose child or feature lies outside of it would read foreign memory at the first prediction
(scikit-learn pull request 34558), so skops trusts no tree by itself.
"""

from collections.abc import Iterator
from typing import Any

from mlops_config.errors import IntegrityError

_LEAF = -1


def check_trees(model: Any, *, origin: str) -> None:
    """Returns when every tree anywhere in ``model`` stays within its nodes and its estimator's features.

    Raises:
        IntegrityError: one does not.
    """
    from sklearn.ensemble._forest import BaseForest
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree import BaseDecisionTree
    from sklearn.tree._tree import Tree

    for part in _parts(model):
        sound = True
        if isinstance(part, Tree):
            sound = _tree_is_sound(part)
        elif isinstance(part, TreePredictor):
            sound = _predictor_is_sound(part)
        elif isinstance(part, BaseDecisionTree):
            fitted = "tree_" in vars(part)
            sound = not fitted or part.tree_.n_features == part.n_features_in_
        elif isinstance(part, BaseForest):
            trees = vars(part).get("estimators_", ())
            sound = all(tree.n_features_in_ == part.n_features_in_ for tree in trees)
        elif isinstance(part, BaseHistGradientBoosting):
            sound = _largest_feature(part) < vars(part).get("n_features_in_", 0)
        if not sound:
            raise IntegrityError(
                f"{origin} holds a {type(part).__name__} whose indices lead outside of it",
                hint="no training job writes such a model; nothing was predicted with it",
            )


def _parts(model: Any) -> Iterator[Any]:
    """Every object that the model holds, itself first, each once."""
    import numpy as np

    seen: set[int] = set()
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple, set)):
            waiting.extend(part)
        elif isinstance(part, np.ndarray):
            waiting.extend(part.flat if part.dtype == object else ())
        else:
            waiting.extend(getattr(part, "__dict__", {}).values())
            yield part


def _tree_is_sound(tree: Any) -> bool:
    """Children come after their parent, so that a walk ends, and exist, as do the features asked for."""
    import numpy as np

    left, right, feature = tree.children_left, tree.children_right, tree.feature
    number = np.arange(tree.node_count)
    leaf = left == _LEAF
    inner = ~leaf
    return bool(
        tree.node_count > 0
        and np.all(right[leaf] == _LEAF)
        and np.all((left > number)[inner] & (left < tree.node_count)[inner])
        and np.all((right > number)[inner] & (right < tree.node_count)[inner])
        and np.all((feature >= 0)[inner] & (feature < tree.n_features)[inner])
    )


def _predictor_is_sound(predictor: Any) -> bool:
    import numpy as np
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes = predictor.nodes
    if getattr(nodes, "dtype", None) != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
        return False
    number = np.arange(len(nodes))
    inner = nodes["is_leaf"] == 0
    sets = min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))
    categorical = inner & (nodes["is_categorical"] != 0)
    return bool(
        np.all((nodes["left"] > number)[inner] & (nodes["left"] < len(nodes))[inner])
        and np.all((nodes["right"] > number)[inner] & (nodes["right"] < len(nodes))[inner])
        and np.all(nodes["feature_idx"][inner] >= 0)
        and np.all(nodes["bitset_idx"][categorical] < sets)
    )


def _largest_feature(model: Any) -> int:
    trees = [predictor for iteration in vars(model).get("_predictors", ()) for predictor in iteration]
    used = [tree.nodes["feature_idx"][tree.nodes["is_leaf"] == 0] for tree in trees]
    return max((int(features.max()) for features in used if len(features)), default=-1)

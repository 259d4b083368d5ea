"""The estimators a training file may name: what each solves, where it comes from, and what can be tuned.

Light on purpose: rules read it without the models being built. Types and ranges of the hyperparameters are in
:mod:`mlops_config.contract.models.estimators`; a test holds the two equal.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from mlops_config.contract.metrics import ProblemType

Distribution = Literal["scikit-learn", "lightgbm", "xgboost"]


class EstimatorEntry(NamedTuple):
    """One estimator: ``python_class`` is what the job makes, ``distribution`` what must be installed."""

    name: str
    python_class: str
    problem_types: tuple[ProblemType, ...]
    distribution: Distribution
    hyperparameters: frozenset[str]


_REGRESSION: tuple[ProblemType, ...] = ("regression",)
_CLASSIFICATION: tuple[ProblemType, ...] = ("binary_classification", "multiclass_classification")

_FOREST = (
    "n_estimators max_depth min_samples_split min_samples_leaf min_weight_fraction_leaf max_leaf_nodes"
    " min_impurity_decrease bootstrap max_samples ccp_alpha criterion max_features"
)
_HISTOGRAM = (
    "learning_rate max_iter max_leaf_nodes max_depth min_samples_leaf l2_regularization max_features max_bins"
    " early_stopping validation_fraction n_iter_no_change tol"
)
_LIGHTGBM = (
    "boosting_type num_leaves max_depth learning_rate n_estimators subsample_for_bin min_split_gain"
    " min_child_weight min_child_samples subsample subsample_freq colsample_bytree reg_alpha reg_lambda"
)
_XGBOOST = (
    "booster n_estimators learning_rate max_depth max_leaves max_bin grow_policy tree_method gamma"
    " min_child_weight max_delta_step subsample colsample_bytree colsample_bylevel colsample_bynode"
    " reg_alpha reg_lambda"
)


def _entry(
    name: str,
    python_class: str,
    problem_types: tuple[ProblemType, ...],
    distribution: Distribution,
    hyperparameters: str,
) -> EstimatorEntry:
    return EstimatorEntry(name, python_class, problem_types, distribution, frozenset(hyperparameters.split()))


ESTIMATORS: Mapping[str, EstimatorEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _entry(
                "ridge",
                "sklearn.linear_model.Ridge",
                _REGRESSION,
                "scikit-learn",
                "alpha fit_intercept positive solver max_iter tol",
            ),
            _entry(
                "logistic_regression",
                "sklearn.linear_model.LogisticRegression",
                _CLASSIFICATION,
                "scikit-learn",
                "C l1_ratio fit_intercept class_weight solver max_iter tol",
            ),
            _entry(
                "random_forest_regressor",
                "sklearn.ensemble.RandomForestRegressor",
                _REGRESSION,
                "scikit-learn",
                _FOREST,
            ),
            _entry(
                "random_forest_classifier",
                "sklearn.ensemble.RandomForestClassifier",
                _CLASSIFICATION,
                "scikit-learn",
                f"{_FOREST} class_weight",
            ),
            _entry(
                "hist_gradient_boosting_regressor",
                "sklearn.ensemble.HistGradientBoostingRegressor",
                _REGRESSION,
                "scikit-learn",
                f"{_HISTOGRAM} loss quantile",
            ),
            _entry(
                "hist_gradient_boosting_classifier",
                "sklearn.ensemble.HistGradientBoostingClassifier",
                _CLASSIFICATION,
                "scikit-learn",
                f"{_HISTOGRAM} class_weight",
            ),
            _entry(
                "lightgbm_regressor",
                "lightgbm.LGBMRegressor",
                _REGRESSION,
                "lightgbm",
                f"{_LIGHTGBM} objective",
            ),
            _entry(
                "lightgbm_classifier",
                "lightgbm.LGBMClassifier",
                _CLASSIFICATION,
                "lightgbm",
                f"{_LIGHTGBM} class_weight",
            ),
            _entry(
                "xgboost_regressor",
                "xgboost.XGBRegressor",
                _REGRESSION,
                "xgboost",
                f"{_XGBOOST} objective",
            ),
            _entry(
                "xgboost_classifier",
                "xgboost.XGBClassifier",
                _CLASSIFICATION,
                "xgboost",
                f"{_XGBOOST} scale_pos_weight",
            ),
        )
    }
)
"""Every estimator a file may name, by that name."""

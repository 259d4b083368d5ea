"""The estimators' models: hyperparameters with the libraries' own names, types, ranges and defaults.

Taken from scikit-learn 1.9, LightGBM 4.7 and XGBoost 3.2. A file never names an import path, so a
configuration cannot make a job load other code. Seeds and thread counts are not hyperparameters here: the job
sets them from ``random_seed`` and the machine. Where a library takes a count or a share, only the share is
taken.
"""

from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.models.field_types import Fraction, OpenFraction, PositiveFraction
from mlops_config.contract.models.model_base import ConfigModel

_Positive = Annotated[float, Field(gt=0)]
_NonNegative = Annotated[float, Field(ge=0)]
_Trees = Annotated[int, Field(ge=1, le=100_000)]
_Depth = Annotated[int, Field(ge=1, le=1024)]
_Leaves = Annotated[int, Field(ge=2, le=131_072)]
_Samples = Annotated[int, Field(ge=1, le=2**31 - 1)]
_Iterations = Annotated[int, Field(ge=1, le=1_000_000)]
_FeatureShare = Literal["sqrt", "log2"] | PositiveFraction


class RidgeHyperparameters(ConfigModel):
    """Parameters of ``sklearn.linear_model.Ridge``."""

    alpha: _NonNegative = Field(default=1.0, description="Strength of the L2 penalty.")
    fit_intercept: bool = Field(default=True, description="Fit an intercept.")
    positive: bool = Field(
        default=False, description="Force coefficients to be positive (solver auto or lbfgs)."
    )
    solver: Literal["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"] = Field(
        default="auto", description="Solver."
    )
    max_iter: _Iterations | None = Field(default=None, description="Iterations of the iterative solvers.")
    tol: _NonNegative = Field(default=1e-4, description="Precision of the solution.")


class LogisticRegressionHyperparameters(ConfigModel):
    """Parameters of ``sklearn.linear_model.LogisticRegression``."""

    C: _Positive = Field(default=1.0, description="Inverse strength of the penalty.")
    l1_ratio: Fraction = Field(
        default=0.0, description="0 is L2, 1 is L1, between is elastic net (solver saga)."
    )
    fit_intercept: bool = Field(default=True, description="Fit an intercept.")
    class_weight: Literal["balanced"] | None = Field(default=None, description="Weigh classes by rarity.")
    solver: Literal["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"] = Field(
        default="lbfgs", description="Solver."
    )
    max_iter: _Iterations = Field(default=100, description="Most iterations.")
    tol: _NonNegative = Field(default=1e-4, description="Tolerance to stop at.")


class _RandomForestHyperparameters(ConfigModel):
    n_estimators: _Trees = Field(default=100, description="Trees.")
    max_depth: _Depth | None = Field(default=None, description="Deepest a tree may grow; null is unlimited.")
    min_samples_split: Annotated[int, Field(ge=2, le=2**31 - 1)] = Field(
        default=2, description="Rows a node needs to be split."
    )
    min_samples_leaf: _Samples = Field(default=1, description="Rows a leaf needs.")
    min_weight_fraction_leaf: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.0, description="Share of the total weight a leaf needs."
    )
    max_leaf_nodes: _Leaves | None = Field(default=None, description="Most leaves a tree; null is unlimited.")
    min_impurity_decrease: _NonNegative = Field(default=0.0, description="Impurity a split must remove.")
    bootstrap: bool = Field(default=True, description="Draw rows with replacement for each tree.")
    max_samples: PositiveFraction | None = Field(
        default=None, description="Share of the rows drawn for each tree; null is all."
    )
    ccp_alpha: _NonNegative = Field(default=0.0, description="Cost-complexity pruning.")


class RandomForestRegressorHyperparameters(_RandomForestHyperparameters):
    """Parameters of ``sklearn.ensemble.RandomForestRegressor``."""

    criterion: Literal["squared_error", "absolute_error", "poisson"] = Field(
        default="squared_error", description="Quality of a split."
    )
    max_features: _FeatureShare = Field(default=1.0, description="Features tried at a split.")


class RandomForestClassifierHyperparameters(_RandomForestHyperparameters):
    """Parameters of ``sklearn.ensemble.RandomForestClassifier``."""

    criterion: Literal["gini", "entropy", "log_loss"] = Field(
        default="gini", description="Quality of a split."
    )
    max_features: _FeatureShare = Field(default="sqrt", description="Features tried at a split.")
    class_weight: Literal["balanced", "balanced_subsample"] | None = Field(
        default=None, description="Weigh classes by rarity."
    )


class _HistGradientBoostingHyperparameters(ConfigModel):
    learning_rate: _Positive = Field(default=0.1, description="Shrinkage of each tree.")
    max_iter: _Iterations = Field(default=100, description="Most trees (a class).")
    max_leaf_nodes: _Leaves | None = Field(default=31, description="Most leaves a tree; null is unlimited.")
    max_depth: _Depth | None = Field(default=None, description="Deepest a tree may grow; null is unlimited.")
    min_samples_leaf: _Samples = Field(default=20, description="Rows a leaf needs.")
    l2_regularization: _NonNegative = Field(default=0.0, description="L2 penalty on the leaves.")
    max_features: PositiveFraction = Field(default=1.0, description="Share of the features tried at a split.")
    max_bins: Annotated[int, Field(ge=2, le=255)] = Field(
        default=255, description="Bins a feature is cut into."
    )
    early_stopping: Literal["auto"] | bool = Field(
        default="auto", description="Stop when the score no longer improves; auto is above 10,000 rows."
    )
    validation_fraction: OpenFraction = Field(
        default=0.1, description="Share of the rows early stopping watches."
    )
    n_iter_no_change: _Iterations = Field(default=10, description="Rounds without progress before it stops.")
    tol: _NonNegative = Field(default=1e-7, description="Progress that counts.")


class HistGradientBoostingRegressorHyperparameters(_HistGradientBoostingHyperparameters):
    """Parameters of ``sklearn.ensemble.HistGradientBoostingRegressor``."""

    loss: Literal["squared_error", "absolute_error", "gamma", "poisson", "quantile"] = Field(
        default="squared_error", description="Loss."
    )
    quantile: Fraction | None = Field(
        default=None, description="Quantile to predict, with loss quantile only."
    )


class HistGradientBoostingClassifierHyperparameters(_HistGradientBoostingHyperparameters):
    """Parameters of ``sklearn.ensemble.HistGradientBoostingClassifier``."""

    class_weight: Literal["balanced"] | None = Field(default=None, description="Weigh classes by rarity.")


class _LightgbmHyperparameters(ConfigModel):
    boosting_type: Literal["gbdt", "dart", "rf"] = Field(default="gbdt", description="Kind of boosting.")
    num_leaves: _Leaves = Field(default=31, description="Most leaves a tree.")
    max_depth: Annotated[int, Field(ge=-1, le=1024)] = Field(
        default=-1, description="Deepest a tree may grow; 0 or below is unlimited."
    )
    learning_rate: _Positive = Field(default=0.1, description="Shrinkage of each tree.")
    n_estimators: _Trees = Field(default=100, description="Trees.")
    subsample_for_bin: _Samples = Field(default=200_000, description="Rows the bins are made from.")
    min_split_gain: _NonNegative = Field(default=0.0, description="Gain a split must bring.")
    min_child_weight: _NonNegative = Field(default=1e-3, description="Hessian sum a leaf needs.")
    min_child_samples: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=20, description="Rows a leaf needs."
    )
    subsample: PositiveFraction = Field(default=1.0, description="Share of the rows for each tree.")
    subsample_freq: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0, description="Draw rows anew every so many trees; 0 is never."
    )
    colsample_bytree: PositiveFraction = Field(
        default=1.0, description="Share of the features for each tree."
    )
    reg_alpha: _NonNegative = Field(default=0.0, description="L1 penalty.")
    reg_lambda: _NonNegative = Field(default=0.0, description="L2 penalty.")


class LightgbmRegressorHyperparameters(_LightgbmHyperparameters):
    """Parameters of ``lightgbm.LGBMRegressor``."""

    objective: Literal[
        "regression", "regression_l1", "huber", "fair", "poisson", "quantile", "gamma", "tweedie"
    ] = Field(default="regression", description="Loss.")


class LightgbmClassifierHyperparameters(_LightgbmHyperparameters):
    """Parameters of ``lightgbm.LGBMClassifier``; the objective follows from the problem type."""

    class_weight: Literal["balanced"] | None = Field(default=None, description="Weigh classes by rarity.")


class _XgboostHyperparameters(ConfigModel):
    booster: Literal["gbtree", "dart"] = Field(default="gbtree", description="Kind of boosting.")
    n_estimators: _Trees = Field(default=100, description="Trees.")
    learning_rate: PositiveFraction = Field(default=0.3, description="Shrinkage of each tree (eta).")
    max_depth: Annotated[int, Field(ge=0, le=1024)] = Field(
        default=6, description="Deepest a tree may grow; 0 is unlimited."
    )
    max_leaves: Annotated[int, Field(ge=0, le=131_072)] = Field(
        default=0, description="Most leaves a tree; 0 is unlimited."
    )
    max_bin: Annotated[int, Field(ge=2, le=65_536)] = Field(
        default=256, description="Bins a feature is cut into."
    )
    grow_policy: Literal["depthwise", "lossguide"] = Field(
        default="depthwise", description="Where to split next."
    )
    tree_method: Literal["auto", "exact", "approx", "hist"] = Field(
        default="auto", description="Split search."
    )
    gamma: _NonNegative = Field(default=0.0, description="Loss reduction a split must bring.")
    min_child_weight: _NonNegative = Field(default=1.0, description="Hessian sum a leaf needs.")
    max_delta_step: _NonNegative = Field(default=0.0, description="Most a leaf may output; 0 is unlimited.")
    subsample: PositiveFraction = Field(default=1.0, description="Share of the rows for each tree.")
    colsample_bytree: PositiveFraction = Field(
        default=1.0, description="Share of the features for each tree."
    )
    colsample_bylevel: PositiveFraction = Field(
        default=1.0, description="Share of the features for each level."
    )
    colsample_bynode: PositiveFraction = Field(
        default=1.0, description="Share of the features for each split."
    )
    reg_alpha: _NonNegative = Field(default=0.0, description="L1 penalty.")
    reg_lambda: _NonNegative = Field(default=1.0, description="L2 penalty.")


class XgboostRegressorHyperparameters(_XgboostHyperparameters):
    """Parameters of ``xgboost.XGBRegressor``."""

    objective: Literal[
        "reg:squarederror",
        "reg:squaredlogerror",
        "reg:absoluteerror",
        "reg:gamma",
        "reg:tweedie",
        "count:poisson",
    ] = Field(default="reg:squarederror", description="Loss.")


class XgboostClassifierHyperparameters(_XgboostHyperparameters):
    """Parameters of ``xgboost.XGBClassifier``; the objective follows from the problem type."""

    scale_pos_weight: _Positive = Field(
        default=1.0, description="Weight of the positive class (binary only)."
    )


class Ridge(ConfigModel):
    """Linear regression with an L2 penalty."""

    name: Literal["ridge"] = Field(description="The estimator.")
    hyperparameters: RidgeHyperparameters = Field(
        default_factory=RidgeHyperparameters, description="Its hyperparameters."
    )


class LogisticRegression(ConfigModel):
    """Linear classification."""

    name: Literal["logistic_regression"] = Field(description="The estimator.")
    hyperparameters: LogisticRegressionHyperparameters = Field(
        default_factory=LogisticRegressionHyperparameters, description="Its hyperparameters."
    )


class RandomForestRegressor(ConfigModel):
    """Averaged regression trees."""

    name: Literal["random_forest_regressor"] = Field(description="The estimator.")
    hyperparameters: RandomForestRegressorHyperparameters = Field(
        default_factory=RandomForestRegressorHyperparameters, description="Its hyperparameters."
    )


class RandomForestClassifier(ConfigModel):
    """Averaged classification trees."""

    name: Literal["random_forest_classifier"] = Field(description="The estimator.")
    hyperparameters: RandomForestClassifierHyperparameters = Field(
        default_factory=RandomForestClassifierHyperparameters, description="Its hyperparameters."
    )


class HistGradientBoostingRegressor(ConfigModel):
    """Boosted regression trees on binned features; takes missing values."""

    name: Literal["hist_gradient_boosting_regressor"] = Field(description="The estimator.")
    hyperparameters: HistGradientBoostingRegressorHyperparameters = Field(
        default_factory=HistGradientBoostingRegressorHyperparameters, description="Its hyperparameters."
    )


class HistGradientBoostingClassifier(ConfigModel):
    """Boosted classification trees on binned features; takes missing values."""

    name: Literal["hist_gradient_boosting_classifier"] = Field(description="The estimator.")
    hyperparameters: HistGradientBoostingClassifierHyperparameters = Field(
        default_factory=HistGradientBoostingClassifierHyperparameters, description="Its hyperparameters."
    )


class LightgbmRegressor(ConfigModel):
    """LightGBM regression."""

    name: Literal["lightgbm_regressor"] = Field(description="The estimator.")
    hyperparameters: LightgbmRegressorHyperparameters = Field(
        default_factory=LightgbmRegressorHyperparameters, description="Its hyperparameters."
    )


class LightgbmClassifier(ConfigModel):
    """LightGBM classification."""

    name: Literal["lightgbm_classifier"] = Field(description="The estimator.")
    hyperparameters: LightgbmClassifierHyperparameters = Field(
        default_factory=LightgbmClassifierHyperparameters, description="Its hyperparameters."
    )


class XgboostRegressor(ConfigModel):
    """XGBoost regression."""

    name: Literal["xgboost_regressor"] = Field(description="The estimator.")
    hyperparameters: XgboostRegressorHyperparameters = Field(
        default_factory=XgboostRegressorHyperparameters, description="Its hyperparameters."
    )


class XgboostClassifier(ConfigModel):
    """XGBoost classification."""

    name: Literal["xgboost_classifier"] = Field(description="The estimator.")
    hyperparameters: XgboostClassifierHyperparameters = Field(
        default_factory=XgboostClassifierHyperparameters, description="Its hyperparameters."
    )


Estimator = Annotated[
    Ridge
    | LogisticRegression
    | RandomForestRegressor
    | RandomForestClassifier
    | HistGradientBoostingRegressor
    | HistGradientBoostingClassifier
    | LightgbmRegressor
    | LightgbmClassifier
    | XgboostRegressor
    | XgboostClassifier,
    Field(discriminator="name"),
]

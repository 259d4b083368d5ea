"""From the training file's estimator to a scikit-learn pipeline over frames of the schema's features."""

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from mlops_config.contract.models.tables import Feature
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.contract.registry import ESTIMATORS
from mlops_config.errors import MlopsConfigError, UsageError
from mlops_config.runtime.data.problems import missing_extra

GROUP = "mlops_config.estimators"
"""Entry points of a team's own estimators: a name, and a callable from hyperparameters to an estimator."""
TRUSTED_GROUP = "mlops_config.trusted_types"
"""Entry points that name types which a team's stored models hold: the value is the type's dotted path."""
ESTIMATOR_STEP = "estimator"
MOST_ONE_HOT = 100
"""Levels of a text column that get a column of their own; rarer ones share one."""

Family = Literal["linear", "forest", "boosted"]
"""How features are prepared.

``linear``: numbers of one scale without gaps, a column for each level of a text. ``forest``: numbers without
gaps, levels numbered. ``boosted``: gaps stay, levels numbered; these trees send a gap to either side.
"""

_FAMILIES: Mapping[str, Family] = {
    "random_forest_regressor": "forest",
    "random_forest_classifier": "forest",
    **dict.fromkeys(
        (name for name in ESTIMATORS if "boosting" in name or "gbm" in name or "xgb" in name), "boosted"
    ),
}
_UNKNOWN, _NO_VALUE = -1, -2
_NO_THREADS = frozenset({"LogisticRegression"})
"""Has the parameter, and warns of it since scikit-learn 1.8."""
_FIXED: Mapping[str, Mapping[str, Any]] = {
    # Without these LightGBM sums in an order that threads decide, and talks.
    "lightgbm": {"deterministic": True, "force_row_wise": True, "verbosity": -1},
    "xgboost": {"verbosity": 0},
}


def build_pipeline(
    training: TrainingConfig,
    *,
    hyperparameters: Mapping[str, Any] | None = None,
    levels: Mapping[str, int] | None = None,
    without: Collection[str] = (),
    n_jobs: int = 1,
) -> Any:
    """An unfitted pipeline: features prepared as fits the estimator, then the estimator itself.

    A category that training never saw is taken as none of the known ones, so prediction never fails on it.

    Args:
        training: The training file; its seed goes into whatever is random.
        hyperparameters: In place of the file's.
        levels: Distinct values of text columns in the training rows; decides which are cut to frequent ones.
        without: Features to leave out: those without a value in any training row, which teach nothing and
            which scikit-learn's histograms do not take.
        n_jobs: Threads, where the estimator has any.

    Raises:
        UsageError: the estimator's library is not installed, or nobody provides an estimator of that name.
    """
    name = training.estimator.name
    chosen = dict(
        training.estimator.hyperparameters.model_dump() if hyperparameters is None else hyperparameters
    )
    from sklearn.pipeline import Pipeline

    estimator = _ours(name, chosen) if name in ESTIMATORS else _own(name, chosen)
    _settle(estimator, seed=training.random_seed, n_jobs=n_jobs)
    if isinstance(estimator, Pipeline):
        return estimator
    features = tuple(each for each in training.schema_.features if each.name not in without)
    preparation = _preparation(features, _FAMILIES.get(name, "linear"), levels or {})
    return Pipeline([("features", preparation), (ESTIMATOR_STEP, estimator)])


def without_threads(pipeline: Any) -> Any:
    """The same pipeline set to one thread: what is stored must not depend on the machine that trained it."""
    _settle(pipeline.steps[-1][1], seed=None, n_jobs=1)
    return pipeline


def trusted_types() -> tuple[str, ...]:
    """The types that installed distributions declare for their own estimators' stored models."""
    return tuple(sorted({point.value.replace(":", ".") for point in entry_points(group=TRUSTED_GROUP)}))


def _ours(name: str, hyperparameters: dict[str, Any]) -> Any:
    entry = ESTIMATORS[name]
    module, _, class_name = entry.python_class.rpartition(".")
    try:
        python_class = getattr(import_module(module), class_name)
    except ImportError as error:
        extra = "jobs" if entry.distribution == "scikit-learn" else entry.distribution
        raise missing_extra(entry.distribution, doing=f"the estimator {name}", extra=extra) from error
    if entry.distribution == "scikit-learn" and "hist" in name:
        # Types of columns would say what is a category; our numbered levels are floats like all else.
        hyperparameters = {**hyperparameters, "categorical_features": None}
    estimator = python_class(**hyperparameters, **_FIXED.get(entry.distribution, {}))
    if name == "xgboost_classifier":
        from mlops_config.runtime.model.transforming import CodedClasses

        return CodedClasses(estimator)
    return estimator


def _own(name: str, hyperparameters: dict[str, Any]) -> Any:
    """The estimator that an installed distribution provides under ``name``."""
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        known = sorted({*ESTIMATORS, *(point.name for point in entry_points(group=GROUP))})
        raise UsageError(
            f"nothing that is installed provides the estimator {name}",
            hint=f"install the distribution that provides it ({GROUP}), or use {', '.join(known)}",
        )
    if len({point.value for point in points}) > 1:
        raise UsageError(f"several distributions provide the estimator {name}: uninstall all but one")
    make = _loaded(points[0])
    try:
        estimator = make(hyperparameters)
    except MlopsConfigError:
        raise
    except Exception as error:
        raise UsageError(f"{points[0].value} made no estimator: {type(error).__name__}: {error}") from error
    if not hasattr(estimator, "fit") or not hasattr(estimator, "get_params"):
        raise UsageError(
            f"{points[0].value} returned {type(estimator).__name__}, not a scikit-learn estimator"
        )
    return estimator


def _loaded(point: EntryPoint) -> Callable[[Mapping[str, Any]], Any]:
    try:
        make: Callable[[Mapping[str, Any]], Any] = point.load()
    except Exception as error:
        raise UsageError(f"{point.value} cannot be loaded: {type(error).__name__}: {error}") from error
    return make


def _settle(estimator: Any, *, seed: int | None, n_jobs: int) -> None:
    """Sets every seed that is not set yet, and every number of threads, within ``estimator``."""
    parameters = estimator.get_params(deep=True)
    values: dict[str, Any] = {}
    for name, value in parameters.items():
        owner, _, last = name.rpartition("__")
        if last == "random_state" and value is None and seed is not None:
            values[name] = seed
        elif last == "n_jobs" and type(parameters.get(owner, estimator)).__name__ not in _NO_THREADS:
            values[name] = n_jobs
    estimator.set_params(**values)


def _of(features: tuple[Feature, ...], kind: str) -> list[str]:
    return [each.name for each in features if each.type == kind]


def _numeric(features: tuple[Feature, ...]) -> list[str]:
    return [each.name for each in features if each.type in ("integral", "fractional", "boolean")]


def _preparation(features: tuple[Feature, ...], family: Family, levels: Mapping[str, int]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import FunctionTransformer

    from mlops_config.runtime.model.transforming import moments_as_numbers

    times = FunctionTransformer(moments_as_numbers, validate=False)
    texts = _of(features, "string")
    wide = [name for name in texts if family == "linear" and levels.get(name, 0) > MOST_ONE_HOT]
    parts: list[tuple[str, Any, list[str]]] = [
        ("numbers", _numbers(family), _numeric(features)),
        ("times", _without_gaps(family, times), _of(features, "timestamp")),
        ("texts", _categories(family), [name for name in texts if name not in wide]),
        ("wide_texts", _categories(family, MOST_ONE_HOT), wide),
    ]
    return ColumnTransformer([part for part in parts if part[2]], remainder="drop", sparse_threshold=0)


def _numbers(family: Family) -> Any:
    from sklearn.preprocessing import StandardScaler

    if family == "boosted":
        # Scales nothing: it turns whole numbers, booleans and gaps of any type into floats.
        return StandardScaler(with_mean=False, with_std=False)
    return _without_gaps(family)


def _without_gaps(family: Family, *first: Any) -> Any:
    """``first``, then what the family needs of numbers: no gaps, and for linear ones a common scale."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = list(first)
    if family != "boosted":
        steps.append(SimpleImputer(strategy="median", keep_empty_features=True))
    if family == "linear":
        steps.append(StandardScaler())
    return steps[0] if len(steps) == 1 else make_pipeline(*steps)


def _categories(family: Family, most: int | None = None) -> Any:
    import numpy as np
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if family == "linear":
        unknown = "ignore" if most is None else "infrequent_if_exist"
        return OneHotEncoder(handle_unknown=unknown, max_categories=most, sparse_output=False)
    boosted = family == "boosted"
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan if boosted else _UNKNOWN,
        encoded_missing_value=np.nan if boosted else _NO_VALUE,
    )

"""Fits a model to rows, after a search for hyperparameters where there is one, and judges it on others."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.contract.metrics import METRICS
from mlops_config.contract.models.evaluation import Slice
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.errors import UsageError
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.model.estimators import build_pipeline, without_threads
from mlops_config.runtime.model.gates import GateResult, judge
from mlops_config.runtime.model.metrics import compute, is_positive
from mlops_config.runtime.model.tuning import Trial, best, search

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_TWO = 2


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted pipeline and how it came to be."""

    pipeline: Any
    hyperparameters: Mapping[str, Any]
    """Those it was fitted with: the training file's, and the best trial's over them."""
    trials: tuple[Trial, ...] = ()
    rows: int = 0
    """Rows it was fitted to."""


class Predicted(NamedTuple):
    """What a model says of some rows."""

    values: "np.ndarray[Any, Any]"
    """Numbers, or classes."""
    scores: Any
    """Probabilities as :func:`mlops_config.runtime.model.metrics.compute` takes them; ``None``: none."""


@dataclass(frozen=True, slots=True)
class SliceEvaluation:
    """The metrics of the rows with one value in one column."""

    column: str
    value: str
    rows: int
    metrics: Mapping[str, float]

    @property
    def name(self) -> str:
        """``column=value``."""
        return f"{self.column}={self.value}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model does on rows it did not learn from."""

    metrics: Mapping[str, float]
    slices: tuple[SliceEvaluation, ...]
    rows: int = 0


def fit(training: TrainingConfig, rows_train: "pd.DataFrame", rows_validation: "pd.DataFrame") -> Fitted:
    """A model of the training file, fitted to checked rows.

    With ``tuning``, each trial learns from ``rows_train`` and is judged by the primary metric on
    ``rows_validation``. The model itself then learns from both: the validation rows have done their work.

    Raises:
        DataError: the target has too few or too many classes.
        UsageError: the estimator is not installed, refuses its hyperparameters, or every trial failed.
    """
    import pandas as pd

    chosen = training.estimator.hyperparameters.model_dump()
    trials: tuple[Trial, ...] = ()
    if training.tuning is not None:
        metric = METRICS[training.evaluation.primary]
        trials = search(
            training.tuning,
            lambda point: _judged(training, chosen, point, rows_train, rows_validation),
            greater_is_better=metric.greater_is_better,
            seed=training.random_seed,
        )
        chosen |= best(trials, greater_is_better=metric.greater_is_better).hyperparameters
    rows = pd.concat([rows_train, rows_validation])
    try:
        pipeline = _fitted(training, chosen, rows, threads=processors())
    except ValueError as error:
        raise UsageError(
            f"{training.estimator.name} cannot learn from these rows: {str(error).splitlines()[0]}",
            hint="correct the hyperparameters, or choose another estimator",
        ) from error
    return Fitted(without_threads(pipeline), chosen, trials, len(rows))


def evaluate(
    pipeline: Any, rows: "pd.DataFrame", training: TrainingConfig, *, slices: Iterable[Slice] | None = None
) -> Evaluation:
    """The metrics of ``training.evaluation`` on checked rows, and those of each slice that has enough rows.

    ``slices`` stands in for ``training.evaluation.slices``.
    """
    import numpy as np

    target = training.schema_.target
    names = training.evaluation.metrics
    truth = rows[target.name]
    predicted = predict(pipeline, rows, training)
    parts: list[SliceEvaluation] = []
    for each in training.evaluation.slices if slices is None else slices:
        keys = rows[each.column].astype(object).where(rows[each.column].notna(), "(no value)")
        for value, places in sorted(keys.groupby(keys).indices.items(), key=lambda item: str(item[0])):
            positions = np.asarray(places)
            if len(positions) < each.min_rows:
                continue
            part = predicted.values[positions]
            scores = _taken(predicted.scores, positions)
            metrics = compute(names, truth.iloc[positions], part, scores, target)
            parts.append(SliceEvaluation(each.column, str(value), len(positions), metrics))
    metrics = compute(names, truth, predicted.values, predicted.scores, target)
    return Evaluation(metrics, tuple(parts), len(rows))


def judge_slices(
    slices: Iterable[Slice], evaluation: Evaluation, champion: Evaluation | None
) -> tuple[GateResult, ...]:
    """The conditions of every slice that was evaluated; a champion is compared within the same slice."""
    theirs = {part.name: part.metrics for part in champion.slices} if champion else {}
    results: list[GateResult] = []
    for each in slices:
        for part in evaluation.slices:
            if part.column == each.column and part.rows >= each.min_rows:
                results += judge(each.thresholds, part.metrics, theirs.get(part.name), where=part.name)
    return tuple(results)


def predict(pipeline: Any, rows: "pd.DataFrame", training: TrainingConfig) -> Predicted:
    """What the model says of checked rows; only the features are shown to it."""
    import numpy as np
    import pandas as pd

    target = training.schema_.target
    features = rows[[each.name for each in training.schema_.features]]
    values = np.asarray(pipeline.predict(features))
    if target.problem_type == "regression" or not hasattr(pipeline, "predict_proba"):
        return Predicted(values, None)
    probabilities = np.asarray(pipeline.predict_proba(features))
    if target.problem_type == "binary_classification":
        column = int(np.flatnonzero(is_positive(pipeline.classes_, target))[0])
        return Predicted(values, probabilities[:, column])
    return Predicted(values, pd.DataFrame(probabilities, columns=list(pipeline.classes_)))


def processors() -> int:
    """Processors this process may use, or as many as ``OMP_NUM_THREADS`` says where that is fewer.

    It is how a container is told its share: the system counts the machine's processors.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    share = int(said) if said.isascii() and said.isdecimal() else 0
    return min(there, share) if share else there


def _judged(
    training: TrainingConfig,
    chosen: Mapping[str, Any],
    point: Mapping[str, Any],
    rows_train: "pd.DataFrame",
    rows_validation: "pd.DataFrame",
) -> float:
    """The primary metric of one trial. Raises ValueError where contract or estimator refuse its values."""
    from pydantic import ValidationError

    try:
        type(training.estimator.hyperparameters).model_validate({**chosen, **point})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{first['loc'][0]}: {first['msg']}") from error
    parallel = training.tuning.max_parallel if training.tuning else 1
    threads = max(1, processors() // parallel)
    pipeline = _fitted(training, {**chosen, **point}, rows_train, threads=threads)
    target, primary = training.schema_.target, training.evaluation.primary
    predicted = predict(pipeline, rows_validation, training)
    truth = rows_validation[target.name]
    return compute([primary], truth, predicted.values, predicted.scores, target).get(primary, float("nan"))


def _fitted(
    training: TrainingConfig, hyperparameters: Mapping[str, Any], rows: "pd.DataFrame", *, threads: int
) -> Any:
    from threadpoolctl import threadpool_limits

    features = rows[[each.name for each in training.schema_.features]]
    levels = {
        each.name: int(features[each.name].nunique())
        for each in training.schema_.features
        if each.type == "string"
    }
    empty = [name for name in features.columns if not features[name].notna().any()]
    if len(empty) == len(features.columns):
        raise DataError("no feature has a value in any row, so there is nothing to learn from")
    pipeline = build_pipeline(
        training, hyperparameters=hyperparameters, levels=levels, without=empty, n_jobs=threads
    )
    with threadpool_limits(limits=threads):  # scikit-learn's histograms have no n_jobs, but OpenMP
        return pipeline.fit(features, _truth(rows, training))


def _truth(rows: "pd.DataFrame", training: TrainingConfig) -> "np.ndarray[Any, Any]":
    """The target as estimators take it."""
    import numpy as np

    target = training.schema_.target
    column = rows[target.name]
    if target.problem_type == "regression":
        return column.to_numpy("float64")
    values = column.to_numpy() if column.dtype.kind in "bi" else column.to_numpy().astype(str)
    classes = np.unique(values)
    if target.problem_type == "binary_classification":
        if len(classes) != _TWO or is_positive(classes, target).sum() != 1:
            wanted = "true" if target.positive_class is None else target.positive_class
            raise DataError(
                f"the rows to learn from have the classes {', '.join(map(str, classes))} in {target.name};"
                f" two are needed, one of them {wanted}",
                hint="correct positive_class or the problem type, or get rows of both classes",
            )
    elif len(classes) < _TWO:
        raise DataError(f"all rows to learn from have the same class in {target.name}: {classes[0]}")
    return values


def _taken(scores: Any, positions: "np.ndarray[Any, Any]") -> Any:
    if scores is None:
        return None
    return scores.iloc[positions] if hasattr(scores, "iloc") else scores[positions]

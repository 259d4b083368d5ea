"""Judges a trained model on the test rows, by itself and against the champion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.training import TrainingConfig
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.ledger.entries import Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.integrity import require_own_model
from mlops_config.runtime.model.gates import (
    NOT_WORSE,
    UNKNOWN,
    WORSE,
    GateResult,
    failures,
    judge,
    not_worse,
)
from mlops_config.runtime.tracking.interface import ModelVersion
from mlops_config.runtime.training.fitting import Evaluation, Fitted, evaluate, judge_slices

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Judged:
    """How the model did by itself, and beside the champion."""

    evaluation: Evaluation
    gates: tuple[GateResult, ...]
    champion: ModelVersion | None = None
    """Whom it was compared with."""
    champions: Evaluation | None = None
    """The champion's, on the same rows."""
    comparison: Reason | None = None
    """Whether it is no worse: what a promotion without anybody's approval rests on."""


def judge_model(
    context: JobContext, training: TrainingConfig, fitted: Fitted, test: "pd.DataFrame"
) -> Judged:
    """The model on the test rows, against the training file's conditions and, where asked, the champion.

    Raises:
        UsageError: a condition is about a gain on the champion, which cannot be judged on these rows.
        IntegrityError: such a champion is another environment's, or not what the registry says.
    """
    with context.console.stage("judge") as log:
        evaluation = evaluate(fitted.pipeline, test, training)
        version, champion, comparison = _against_champion(context, training, evaluation, test)
        missing = champion is None and context.configs.retrain.evaluation.on_missing_champion == "accept"
        wanted = _alone(training) if missing else training
        rules = wanted.evaluation
        gates = judge(rules.thresholds, evaluation.metrics, champion.metrics if champion else None)
        gates += judge_slices(rules.slices, evaluation, champion)
        failed = len(failures(gates))
        log.done(
            ", ".join(f"{name} {value:.6g}" for name, value in evaluation.metrics.items())
            + (f"; {failed} of {len(gates)} conditions failed" if failed else "")
        )
    return Judged(evaluation, gates, version, champion, comparison)


def _against_champion(
    context: JobContext, training: TrainingConfig, evaluation: Evaluation, test: "pd.DataFrame"
) -> tuple[ModelVersion | None, Evaluation | None, Reason | None]:
    """The champion, how it does on the same rows, and whether the new model is no worse.

    It is asked only where something depends on it: a threshold on a gain, or a promotion by itself.

    Raises:
        UsageError: a threshold is about a gain on it, and it cannot be judged on these rows.
    """
    must = _compares(training)
    if not must and context.configs.retrain.promotion.mode != "automatic":
        return None, None, None
    alias = context.configs.retrain.promotion.alias_to
    version = context.registry.by_alias(training.tracking.registered_model_name, alias)
    if version is None:
        return None, None, None
    try:
        champion = _judged_champion(context, training, version, test)
    except (IntegrityError, UsageError, DataError, KeyError, ValueError) as error:
        if must:
            raise
        text = f"the champion, version {version.version}, cannot be judged on these rows: {error}"
        return version, None, Reason(code=UNKNOWN, text=text)
    result = not_worse(training.evaluation.primary, evaluation.metrics, champion.metrics)
    return version, champion, Reason(code=NOT_WORSE if result.passed else WORSE, text=result.text)


def _compares(training: TrainingConfig) -> bool:
    """Whether any threshold is about a gain on the champion."""
    rules = [training.evaluation.thresholds, *(part.thresholds for part in training.evaluation.slices)]
    return any(
        each.min_absolute_change is not None or each.min_relative_change is not None
        for thresholds in rules
        for each in thresholds.values()
    )


def _alone(training: TrainingConfig) -> TrainingConfig:
    """The training file without conditions on a gain: there is nobody to gain on, and that is accepted."""

    def alone(thresholds: Mapping[Any, Any]) -> dict[Any, Any]:
        gone = {"min_absolute_change": None, "min_relative_change": None}
        kept = {name: each.model_copy(update=gone) for name, each in thresholds.items()}
        return {name: each for name, each in kept.items() if each.threshold is not None}

    rules = training.evaluation
    slices = tuple(part.model_copy(update={"thresholds": alone(part.thresholds)}) for part in rules.slices)
    judged = rules.model_copy(update={"thresholds": alone(rules.thresholds), "slices": slices})
    return training.model_copy(update={"evaluation": judged})


def _judged_champion(
    context: JobContext, training: TrainingConfig, version: ModelVersion, test: "pd.DataFrame"
) -> Evaluation:
    """The champion on the same test rows.

    Raises:
        IntegrityError: it is another environment's, or its package is not what the registry says.
        UsageError: it needs other columns, or predicts something else.
    """
    require_own_model(version, context)
    package = context.registry.fetch(version, context.scratch / f"champion-{version.version}")
    missing = [each.name for each in package.schema.features if each.name not in test.columns]
    if missing or package.schema.target != training.schema_.target:
        raise UsageError(
            f"the champion, version {version.version}, was trained with another schema and cannot be judged"
            " on these rows",
            hint="leave min_absolute_change and min_relative_change out until a model of this schema serves",
        )
    return evaluate(package.pipeline, test, training.model_copy(update={"schema_": package.schema}))

"""Challenger against champion: judged on the same rows, which neither of them learned from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_config.contract.models.retrain import RetrainEvaluation
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.ledger.entries import Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.integrity import require_own_model
from mlops_config.runtime.model.gates import GateResult, failures, judge, not_worse, passed
from mlops_config.runtime.retraining.deploying import model_folder
from mlops_config.runtime.tracking.interface import ModelVersion
from mlops_config.runtime.training.fitting import Evaluation, Fitted, evaluate, judge_slices

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Contest:
    """Both models on the same holdout, and what the gates make of it."""

    fitted: Fitted
    challenger: Evaluation
    champion: Evaluation | None
    results: tuple[GateResult, ...]
    accepted: bool

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What it failed, or else everything it passed."""
        shown = self.results if self.accepted else failures(self.results)
        return tuple(Reason(code=result.code, text=result.text) for result in shown)

    @property
    def summary(self) -> str:
        """The verdict as one line for people."""
        verdict = "challenger accepted" if self.accepted else "challenger refused"
        return f"{verdict}: " + "; ".join(reason.text for reason in self.reasons)


def contest(
    context: JobContext,
    training: TrainingConfig,
    fitted: Fitted,
    holdout: "pd.DataFrame",
    champion: ModelVersion | None,
) -> Contest:
    """Judges the fitted challenger and the champion on the holdout. What cannot be judged is refused."""
    settings = context.configs.retrain.evaluation
    slices = (*settings.slices, *training.evaluation.slices)
    own = evaluate(fitted.pipeline, holdout, training, slices=slices)
    theirs = None
    if champion is not None:
        try:
            theirs = _evaluation_of(context, champion, holdout, training, settings)
        except (IntegrityError, UsageError, DataError, KeyError, ValueError) as error:
            verdict = GateResult(
                "champion.unknown",
                False,
                f"the champion, version {champion.version}, cannot be judged on these rows: {error}",
            )
            return Contest(fitted, own, None, (verdict,), accepted=False)
    return _judged(settings, training, fitted, own, theirs)


def _judged(
    settings: RetrainEvaluation,
    training: TrainingConfig,
    fitted: Fitted,
    own: Evaluation,
    theirs: Evaluation | None,
) -> Contest:
    if theirs is None and settings.on_missing_champion == "accept":
        # With nobody to compare with, only what the model must reach by itself is left to judge.
        thresholds = {
            name: wanted.model_copy(update={"min_absolute_change": None, "min_relative_change": None})
            for name, wanted in settings.thresholds.items()
        }
    else:
        thresholds = settings.thresholds
    metrics = theirs.metrics if theirs else None
    gates = judge(thresholds, own.metrics, metrics)
    primary = (
        not_worse(training.evaluation.primary, own.metrics, theirs.metrics) if theirs else _alone(settings)
    )
    parts = judge_slices(settings.slices, own, theirs)
    accepted = (
        primary.passed
        and passed(gates, require_all=settings.require_all)
        and passed(parts, require_all=settings.require_all)
    )
    return Contest(fitted, own, theirs, (primary, *gates, *parts), accepted)


def _alone(settings: RetrainEvaluation) -> GateResult:
    accepts = settings.on_missing_champion == "accept"
    return GateResult(
        "champion.missing",
        accepts,
        "there is no champion to compare with"
        + (
            ""
            if accepts
            else "; promote a first model by hand, or set evaluation.on_missing_champion: accept"
        ),
    )


def _evaluation_of(
    context: JobContext,
    champion: ModelVersion,
    holdout: "pd.DataFrame",
    training: TrainingConfig,
    settings: RetrainEvaluation,
) -> Evaluation:
    """The champion on the holdout, shown the columns it learned from.

    Raises:
        UsageError: the rows lack a column it needs, or it predicts something else.
        IntegrityError: its package is not what the registry says, or another environment's.
    """
    require_own_model(champion, context)
    package = context.registry.fetch(champion, model_folder(context, champion))
    needed = [feature.name for feature in package.schema.features]
    missing = [name for name in needed if name not in holdout.columns]
    if missing:
        raise UsageError(f"it needs the columns {', '.join(missing)}, which the data no longer has")
    if package.schema.target != training.schema_.target:
        raise UsageError(f"it predicts {package.schema.target.name} as the schema had it then")
    as_it_learned = training.model_copy(update={"schema_": package.schema})
    return evaluate(package.pipeline, holdout, as_it_learned, slices=settings.slices)

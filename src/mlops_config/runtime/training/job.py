"""The training job: reads, checks and splits the data, fits and judges a model, and records it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.training import TrainingConfig
from mlops_config.errors import IntegrityError, JobRefusedError, UsageError
from mlops_config.ledger.entries import Draft, Event, ModelReference, Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.checking import Checked, check, known_columns
from mlops_config.runtime.data.dataset import Dataset, open_dataset
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.data.splitting import Split, split
from mlops_config.runtime.data.versions import check_version
from mlops_config.runtime.integrity import require_own_model
from mlops_config.runtime.model.gates import GateResult, failures, judge, passed
from mlops_config.runtime.tracking.interface import ModelVersion
from mlops_config.runtime.training.fitting import Evaluation, Fitted, evaluate, fit, judge_slices
from mlops_config.runtime.training.limits import time_limit
from mlops_config.runtime.training.packaging import data_document, evaluation_document, package_of, run_of

if TYPE_CHECKING:
    import pandas as pd


class GateRefusedError(JobRefusedError):
    """The model does not reach what the training file demands; nothing was registered."""


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """A model that passed its gates and is registered."""

    version: ModelVersion
    alias: str
    metrics: Mapping[str, float]
    """On the test rows."""
    gates: tuple[GateResult, ...]
    rows: Mapping[str, int]
    """Rows: learned from (with validation), test, refused."""
    fingerprint: str
    """Of the data."""

    @property
    def summary(self) -> str:
        """One line for people."""
        shown = ", ".join(f"{name} {value:.6g}" for name, value in self.metrics.items())
        return f"{self.version.name} version {self.version.version} is the {self.alias}: {shown}"

    def document(self) -> dict[str, Any]:
        """The outcome for programs."""
        return {
            "model": self.version.name,
            "version": self.version.version,
            "run_id": self.version.run_id,
            "alias": self.alias,
            "metrics": dict(self.metrics),
            "gates": _plain(self.gates),
            "rows": dict(self.rows),
            "data_fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class _Read:
    dataset: Dataset
    fingerprint: str
    checked: Checked
    rows: "pd.DataFrame"
    """Valid rows within the window."""
    total: int


def run(context: JobContext, *, overrides: Mapping[str, Any] | None = None) -> TrainingOutcome:
    """Trains what the training file says and registers the model under the alias of a challenger.

    Nothing is registered before everything else is done, so a run that is stopped or fails leaves no trace
    but its log, and running it again starts from the beginning. ``overrides`` are values by dotted path that
    stand in for the training file's.

    Raises:
        DataError: the data is not what the schema says, or too little.
        GateRefusedError: the model missed a threshold; the run and the ledger hold the numbers.
        IntegrityError: the data is not the pinned version, or changed while it was read.
        ServiceError: data, registry or ledger stay away.
        TimeLimitError: it took longer than ``compute.max_runtime``.
    """
    training = _training(context, overrides or {})
    with time_limit(training.compute.max_runtime):
        read = _read(context, training)
        parts = split(read.rows, training)
        fitted = _fit(context, training, parts)
        evaluation, champion, gates = _judge(context, training, fitted, parts.test)
        documents = {
            "evaluation.json": evaluation_document(evaluation, gates, fitted, champion),
            "data.json": _data_document(read),
        }
        fingerprint = read.fingerprint
        about = run_of(context, training, fitted, evaluation.metrics, documents, fingerprint=fingerprint)
        if not passed(gates):
            context.registry.record_refused(about)
            _enter(context, training, read, evaluation, failures(gates), None)
            raise _refusal(training, evaluation, gates, fingerprint)
        learned = read.rows.drop(index=parts.test.index)
        with context.console.stage("profile") as log:
            package = package_of(context, training, fitted, learned, parts.test, fingerprint=fingerprint)
            _require_unchanged(read)
            log.done(f"package of {len(package.schema.features)} features, profile of {len(learned)} rows")
    # From here on it is only written down: out of time no longer counts.
    with context.console.stage("register") as log:
        name = training.tracking.registered_model_name
        version = context.registry.record(about, package, registered_model_name=name)
        alias = context.configs.retrain.promotion.alias_from
        context.registry.set_alias(name, alias, version.version)
        _enter(context, training, read, evaluation, (), version)
        log.done(f"{name} version {version.version} is the {alias}")
    rows = {
        "learned": fitted.rows,
        "test": len(parts.test),
        "refused": read.total - len(read.checked.rows),
    }
    return TrainingOutcome(version, alias, evaluation.metrics, gates, rows, fingerprint)


def _training(context: JobContext, overrides: Mapping[str, Any]) -> TrainingConfig:
    from mlops_config.runtime.retraining.overriding import overridden

    if not overrides:
        return context.configs.training
    retrain = context.configs.retrain
    asked = retrain.model_copy(
        update={"training": retrain.training.model_copy(update={"overrides": dict(overrides)})}
    )
    return overridden(replace(context.configs, retrain=asked))


def _read(context: JobContext, training: TrainingConfig) -> _Read:
    source = training.data.source
    with context.console.stage("read") as log:
        log.progress(source.uri)
        dataset = open_dataset(source.uri, source.format, context.root, schema=training.schema_)
        check_version(dataset, source.version)
        fingerprint = dataset.fingerprint  # before the rows are read: compared again once they are learned
        known = set(known_columns(training.schema_))
        frame = dataset.frame([name for name in dataset.columns if name in known])
        checked = check(frame, training.schema_, with_target=True)
        extra = tuple(name for name in dataset.columns if name not in known)
        checked = replace(checked, extra=extra)
        _require_rows(dataset, checked, len(frame))
        rows = _in_window(checked.rows, training)
        told = f"; refused {len(checked.refused)}: {checked.explained}" if checked.counts else ""
        ignored = f"; columns not in the schema: {', '.join(extra)}" if extra else ""
        log.done(f"{len(rows)} of {len(frame)} rows{told}{ignored}")
    return _Read(dataset, fingerprint, checked, rows, len(frame))


def _require_rows(dataset: Dataset, checked: Checked, total: int) -> None:
    if not total:
        raise DataError(f"the data at {dataset.uri} has no rows")
    if checked.rows.empty:
        raise DataError(
            f"all {total} rows at {dataset.uri} were refused: {checked.explained}",
            hint="correct the data, or the schema in the training file",
        )
    for name, share in checked.incomplete.items():
        raise DataError(
            f"{name} has a value in {share:.1%} of the rows at {dataset.uri}, fewer than"
            " completeness_min_fraction asks for",
            hint="find out why values are missing, or lower completeness_min_fraction",
        )


def _in_window(rows: "pd.DataFrame", training: TrainingConfig) -> "pd.DataFrame":
    """The rows of ``data.window``, which ends with the newest row: equal data gives equal rows on any day."""
    window, column = training.data.window, training.data.timestamp_column
    if window is None or column is None:
        return rows
    moments = rows[column]
    recent: pd.DataFrame = rows.loc[moments > moments.max() - window]
    return recent


def _fit(context: JobContext, training: TrainingConfig, parts: Split) -> Fitted:
    with context.console.stage("fit") as log:
        log.progress(training.estimator.name)
        fitted = fit(training, parts.train, parts.validation)
        trials = f", the best of {len(fitted.trials)} trials" if fitted.trials else ""
        log.done(f"{training.estimator.name} on {fitted.rows} rows{trials}")
    return fitted


def _judge(
    context: JobContext, training: TrainingConfig, fitted: Fitted, test: "pd.DataFrame"
) -> tuple[Evaluation, Evaluation | None, tuple[GateResult, ...]]:
    with context.console.stage("judge") as log:
        evaluation = evaluate(fitted.pipeline, test, training)
        champion = _champion(context, training, test) if _compares(training) else None
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
    return evaluation, champion, gates


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


def _champion(context: JobContext, training: TrainingConfig, test: "pd.DataFrame") -> Evaluation | None:
    """The champion on the same test rows; ``None`` when there is none.

    Raises:
        UsageError: it needs other columns, or predicts something else.
    """
    name = training.tracking.registered_model_name
    version = context.registry.by_alias(name, context.configs.retrain.promotion.alias_to)
    if version is None:
        return None
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


def _require_unchanged(read: _Read) -> None:
    """The fingerprint is of the bytes that were read: files that changed meanwhile would make it a lie."""
    again = replace(read.dataset)  # a copy remembers nothing it has looked up
    if again.fingerprint != read.fingerprint:
        raise IntegrityError(
            f"the data at {again.uri} changed while the model was trained",
            hint="train it again when nobody writes there, or on a snapshot",
        )


def _data_document(read: _Read) -> bytes:
    checked = read.checked
    return data_document(
        read.dataset, read=read.total, used=len(read.rows), refused=checked.counts, extra=checked.extra
    )


def _refusal(
    training: TrainingConfig, evaluation: Evaluation, gates: tuple[GateResult, ...], fingerprint: str
) -> GateRefusedError:
    texts = "; ".join(each.text for each in failures(gates))
    return GateRefusedError(
        f"the model was refused: {texts}",
        hint="the run in the registry holds all numbers; nothing was registered",
        document={
            "model": training.tracking.registered_model_name,
            "version": None,
            "metrics": dict(evaluation.metrics),
            "gates": _plain(gates),
            "reasons": [{"code": each.code, "text": each.text} for each in failures(gates)],
            "data_fingerprint": fingerprint,
        },
    )


def _plain(gates: tuple[GateResult, ...]) -> list[dict[str, Any]]:
    return [{"code": each.code, "passed": each.passed, "text": each.text} for each in gates]


def _enter(
    context: JobContext,
    training: TrainingConfig,
    read: _Read,
    evaluation: Evaluation,
    failed: tuple[GateResult, ...],
    version: ModelVersion | None,
) -> None:
    """Writes the outcome into the ledger."""
    oldest, newest = _span(read.rows, training.data.timestamp_column)
    name = training.tracking.registered_model_name
    model = ModelReference(name=name, version=version.version, run_id=version.run_id) if version else None
    context.ledger.append(
        Draft(
            event=Event.TRAINED,
            time=context.now,
            outcome="succeeded" if version else "refused",
            job_id=context.job_id,
            **context.subject(),
            model=model,
            data_fingerprint=read.fingerprint,
            window_start=oldest,
            window_end=newest,
            rows=read.total,
            metrics={name: value for name, value in evaluation.metrics.items() if value == value},
            reasons=tuple(Reason(code=each.code, text=each.text) for each in failed),
        )
    )


def _span(rows: "pd.DataFrame", column: str | None) -> tuple[datetime | None, datetime | None]:
    if column is None:
        return None, None
    return rows[column].min().to_pydatetime(), rows[column].max().to_pydatetime()

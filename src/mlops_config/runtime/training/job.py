"""The training job: reads, checks and splits the data, fits and judges a model, and records it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.training import TrainingConfig
from mlops_config.errors import IntegrityError, JobRefusedError
from mlops_config.ledger.entries import Draft, Event, ModelReference, Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.checking import Checked, check, known_columns
from mlops_config.runtime.data.dataset import Dataset, open_dataset
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.data.splitting import Split, split
from mlops_config.runtime.data.versions import check_version
from mlops_config.runtime.model.gates import GateResult, failures, passed
from mlops_config.runtime.tracking.interface import ModelVersion
from mlops_config.runtime.training.fitting import Evaluation, Fitted, fit
from mlops_config.runtime.training.judging import Judged, judge_model
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
        judged = judge_model(context, training, fitted, parts.test)
        evaluation, gates = judged.evaluation, judged.gates
        documents = {
            "evaluation.json": evaluation_document(evaluation, gates, fitted, judged.champions),
            "data.json": _data_document(read),
        }
        fingerprint = read.fingerprint
        about = run_of(context, training, fitted, evaluation.metrics, documents, fingerprint=fingerprint)
        if not passed(gates):
            context.registry.record_refused(about)
            _enter(context, training, read, judged, None)
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
        _enter(context, training, read, judged, version)
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
    judged: Judged,
    version: ModelVersion | None,
) -> None:
    """Writes the outcome into the ledger, once: an earlier try of the DAG run may have done so."""
    if version is not None and _is_entered(context, version):
        return
    oldest, newest = _span(read.rows, training.data.timestamp_column)
    refused = tuple(Reason(code=each.code, text=each.text) for each in failures(judged.gates))
    compared = (judged.comparison,) if judged.comparison else ()
    metrics = judged.evaluation.metrics
    context.ledger.append(
        Draft(
            event=Event.TRAINED,
            time=context.now,
            outcome="succeeded" if version else "refused",
            job_id=context.job_id,
            **context.subject(),
            model=_reference(version),
            champion=_reference(judged.champion),
            data_fingerprint=read.fingerprint,
            window_start=oldest,
            window_end=newest,
            rows=read.total,
            metrics={name: value for name, value in metrics.items() if value == value},
            reasons=compared if version else refused,
        )
    )


def _is_entered(context: JobContext, version: ModelVersion) -> bool:
    return context.dag_run is not None and any(
        entry.event is Event.TRAINED
        and entry.dag_run == context.dag_run
        and entry.model is not None
        and entry.model.version == version.version
        for entry in context.ledger.entries()
    )


def _reference(version: ModelVersion | None) -> ModelReference | None:
    if version is None:
        return None
    return ModelReference(name=version.name, version=version.version, run_id=version.run_id)


def _span(rows: "pd.DataFrame", column: str | None) -> tuple[datetime | None, datetime | None]:
    if column is None:
        return None, None
    return rows[column].min().to_pydatetime(), rows[column].max().to_pydatetime()

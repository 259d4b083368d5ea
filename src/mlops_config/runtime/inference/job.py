"""The inference job: predicts a batch, part by part, so that a run that was stopped goes on where it was."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from mlops_config.contract.models.inference import Batch as BatchConfig
from mlops_config.errors import UsageError
from mlops_config.ledger.entries import Draft, Event, Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.dataset import Dataset, open_dataset
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.inference.notes import read_note, write_note
from mlops_config.runtime.inference.planning import (
    Plan,
    PlanOutcome,
    chosen,
    read_plan,
    require_planned,
    write_plan,
)
from mlops_config.runtime.inference.scoring import Batch, Scored, score
from mlops_config.runtime.inference.units import UNIT_ROWS, Unit, units_of
from mlops_config.runtime.serving.loading import Loaded, load

SUCCESS = "_SUCCESS.json"
STARTED = "_STARTED.json"


@dataclass(frozen=True, slots=True)
class InferenceOutcome:
    """A batch that is complete."""

    job_id: str
    uri: str
    """The folder with the predictions."""
    model_version: int
    fingerprint: str
    rows: int
    predicted: int
    reasons: dict[str, int] = field(default_factory=dict)
    """Quarantined rows by reason."""
    extra: tuple[str, ...] = ()
    already: bool = False
    """Whether an earlier run had completed it."""

    @property
    def summary(self) -> str:
        """One line for people."""
        aside = self.rows - self.predicted
        words = f"predicted {self.predicted:,} of {self.rows:,} rows with version {self.model_version}"
        if aside:
            words += f", {aside:,} in quarantine"
        return f"{words}: {self.uri}{' (was done already)' if self.already else ''}"

    def document(self) -> dict[str, Any]:
        """For ``--format json``."""
        return {
            "job_id": self.job_id,
            "uri": self.uri,
            "model_version": self.model_version,
            "fingerprint": self.fingerprint,
            "rows": self.rows,
            "predicted": self.predicted,
            "quarantined": self.rows - self.predicted,
            "reasons": self.reasons,
            "extra_columns": list(self.extra),
            "already": self.already,
        }


@dataclass(frozen=True, slots=True)
class PartsOutcome:
    """Some parts of a batch, done."""

    job_id: str
    uri: str
    """The folder with the predictions."""
    model_version: int
    parts: tuple[Scored, ...]

    @property
    def summary(self) -> str:
        """One line for people."""
        names = ", ".join(part.name for part in self.parts)
        predicted, rows = sum(part.predicted for part in self.parts), sum(part.rows for part in self.parts)
        return f"predicted {predicted:,} of {rows:,} rows of {names} with version {self.model_version}"

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "job_id": self.job_id,
            "uri": self.uri,
            "model_version": self.model_version,
            "rows": sum(part.rows for part in self.parts),
            "predicted": sum(part.predicted for part in self.parts),
            "parts": [part.document() for part in self.parts],
        }


def run(
    context: JobContext,
    *,
    engine: Literal["local", "spark"] = "local",
    package: str | None = None,
    model_version: int | None = None,
    unit_rows: int = UNIT_ROWS,
    plan: bool = False,
    parts: Sequence[str] = (),
) -> InferenceOutcome | PlanOutcome | PartsOutcome:
    """Predicts the rows at ``batch.input_uri`` and writes them below ``batch.output_uri``.

    A batch is its input's content, its configuration and its model version: of these its id is made. The same
    batch again writes nothing; one that was stopped goes on with the parts that are missing, and ends with
    the files it would have had.

    Args:
        context: The configuration to obey.
        engine: ``local`` on this machine, ``spark`` with one task a part.
        package: Instead of the registry's model; see :mod:`mlops_config.runtime.serving.loading`.
        model_version: Of that package.
        unit_rows: A Parquet file with more rows is worked on in several parts.
        plan: Only name the parts; every process of the DAG run then works on this very batch.
        parts: Only these, as the plan named them. Processes may do theirs at the same time; a run without
            ``parts`` then does what is missing and completes the batch.

    Raises:
        DataError: rows are missing, broken, or too many of them cannot be predicted.
        IntegrityError: the model's files are not what its package says, or the input is not what was planned.
        ServiceError: a store or the registry stays away.
        UsageError: the inference file describes no batch, there is no model, or no such part.
    """
    settings = _batch_settings(context)
    planned = None if plan else read_plan(context, settings.output_uri)
    if planned is not None:
        model_version = planned.model_version
    with context.console.stage("model") as stage:
        loaded = load(context, package, model_version)
        stage.done(loaded.origin)
    with context.console.stage("input") as stage:
        dataset = open_dataset(
            settings.input_uri, settings.format, context.root, schema=loaded.package.schema
        )
        job_id = batch_id(context.config_digest, loaded.model.version, dataset.fingerprint)
        stage.done(f"{len(dataset.files)} file{'s' * (len(dataset.files) != 1)}, {dataset.fingerprint}")
    folder = f"{settings.output_uri.rstrip('/')}/run={job_id}"
    if parts or planned is not None:
        started = read_note(f"{folder}/{STARTED}", context.root) is not None
        require_planned(planned, dataset, job_id, started=started)
    found = read_note(f"{folder}/{SUCCESS}", context.root)
    if plan:
        units = units_of(dataset, unit_rows=unit_rows) if found is None else []
        _batch(context, settings, loaded, job_id, folder)
        this = Plan(job_id, loaded.model.version, dataset.fingerprint)
        write_plan(context, settings.output_uri, this)
        return PlanOutcome(this, tuple(unit.name for unit in units))
    if parts:
        units = chosen(units_of(dataset, unit_rows=unit_rows), parts)
        batch = _batch(context, settings, loaded, job_id, folder)
        with context.console.stage("predict") as stage:
            some = tuple(_all_scored(units, batch, loaded, settings.max_concurrent, engine))
            stage.done(f"{len(some)} part{'s' * (len(some) != 1)}")
        return PartsOutcome(job_id, folder, loaded.model.version, some)
    if found is not None:
        outcome = _outcome_of(found, folder)
        _record(context, loaded, outcome)
        return outcome
    batch = _batch(context, settings, loaded, job_id, folder)
    with context.console.stage("predict") as stage:
        units = units_of(dataset, unit_rows=unit_rows)
        scored = []
        for one in _all_scored(units, batch, loaded, settings.max_concurrent, engine):
            scored.append(one)
            stage.progress(f"{len(scored)} of {len(units)} parts")
        outcome = _completed(context, settings, loaded, dataset, batch, scored)
        stage.done(f"{outcome.predicted:,} of {outcome.rows:,} rows")
    _record(context, loaded, outcome)
    return outcome


def batch_id(config_digest: str, model_version: int, fingerprint: str) -> str:
    """16 hex digits: the same for the same configuration, model and input, whenever it runs."""
    return hashlib.sha256(f"{config_digest}\n{model_version}\n{fingerprint}\n".encode()).hexdigest()[:16]


def _batch_settings(context: JobContext) -> BatchConfig:
    settings = context.configs.inference.batch
    if settings is None:
        raise UsageError(
            f"the inference file of {context.environment} describes no batch",
            hint="add batch:, and set mode to batch or both",
        )
    return settings


def _batch(context: JobContext, settings: BatchConfig, loaded: Loaded, job_id: str, folder: str) -> Batch:
    note = f"{folder}/{STARTED}"
    started = read_note(note, context.root)
    if started is None:
        # A run that goes on writes what the first would have written, its time included.
        started = {"job_id": job_id, "started_at": _moment(context.now)}
        write_note(note, started, context.root)
    return Batch(
        job_id=job_id,
        folder=folder,
        format=settings.format,
        root=context.root.resolve(),
        event_time=datetime.fromisoformat(started["started_at"]),
        model_version=loaded.model.version,
        config_digest=context.config_digest,
        extra_columns=context.configs.inference.record.extra_columns,
        on_invalid_row=settings.on_invalid_row,
    )


def _all_scored(
    units: Sequence[Unit], batch: Batch, loaded: Loaded, most: int, engine: str
) -> Iterator[Scored]:
    if engine == "spark":
        from mlops_config.runtime.inference.spark import score_with_spark

        yield from score_with_spark(units, batch, loaded.package)
        return
    yield from _in_turns(units, lambda unit: score(unit, batch, loaded.package), most)


def _in_turns(units: Sequence[Unit], work: Callable[[Unit], Scored], most: int) -> Iterator[Scored]:
    """At most ``most`` at a time; after a failure or an interruption none is begun any more."""
    pool = ThreadPoolExecutor(most, thread_name_prefix="score")
    try:
        yield from pool.map(work, units)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _completed(
    context: JobContext,
    settings: BatchConfig,
    loaded: Loaded,
    dataset: Dataset,
    batch: Batch,
    scored: Sequence[Scored],
) -> InferenceOutcome:
    """The outcome, written down last: without that note the batch is not complete."""
    reasons: Counter[str] = Counter()
    for one in scored:
        reasons.update(one.reasons)
    outcome = InferenceOutcome(
        job_id=batch.job_id,
        uri=batch.folder,
        model_version=batch.model_version,
        fingerprint=dataset.fingerprint,
        rows=sum(one.rows for one in scored),
        predicted=sum(one.predicted for one in scored),
        reasons=dict(sorted(reasons.items())),
        extra=tuple(sorted({name for one in scored for name in one.extra})),
    )
    _require_enough(context, settings, loaded, outcome)
    document = {
        **{name: value for name, value in outcome.document().items() if name not in ("already", "uri")},
        "config_digest": context.config_digest,
        "model_name": loaded.model.name,
        "commit": context.provenance.commit,
        "release": context.provenance.release,
        "started_at": _moment(batch.event_time),
        "parts": [one.document() for one in scored],
    }
    write_note(f"{batch.folder}/{SUCCESS}", document, context.root)
    return outcome


def _require_enough(
    context: JobContext, settings: BatchConfig, loaded: Loaded, outcome: InferenceOutcome
) -> None:
    refused = outcome.rows - outcome.predicted
    if refused <= settings.max_invalid_fraction * outcome.rows:
        return
    share = refused / outcome.rows
    text = (
        f"{refused:,} of {outcome.rows:,} rows ({share:.1%}) cannot be predicted,"
        f" more than max_invalid_fraction {settings.max_invalid_fraction:g} allows:"
        f" {', '.join(f'{count:,} {reason}' for reason, count in outcome.reasons.items())}"
    )
    reason = Reason(code="too_many_invalid_rows", text=text)
    context.ledger.append(_draft(context, loaded, outcome, outcome="failed", reasons=(reason,)))
    raise DataError(text, hint=f"the rows and their reasons are in {outcome.uri}/quarantine")


def _outcome_of(document: dict[str, Any], folder: str) -> InferenceOutcome:
    return InferenceOutcome(
        job_id=document["job_id"],
        uri=folder,
        model_version=document["model_version"],
        fingerprint=document["fingerprint"],
        rows=document["rows"],
        predicted=document["predicted"],
        reasons=document["reasons"],
        extra=tuple(document["extra_columns"]),
        already=True,
    )


def _record(context: JobContext, loaded: Loaded, outcome: InferenceOutcome) -> None:
    """Adds the batch to the ledger, once: a run may have been stopped between its last file and this."""
    if outcome.already and any(
        entry.event is Event.SCORED and entry.outcome == "succeeded" and entry.job_id == outcome.job_id
        for entry in context.ledger.entries()
    ):
        return
    context.ledger.append(_draft(context, loaded, outcome))


def _draft(
    context: JobContext,
    loaded: Loaded,
    batch: InferenceOutcome,
    *,
    outcome: Literal["succeeded", "failed"] = "succeeded",
    reasons: tuple[Reason, ...] = (),
) -> Draft:
    return Draft(
        event=Event.SCORED,
        time=context.now,
        outcome=outcome,
        job_id=batch.job_id,
        model=loaded.model,
        data_fingerprint=batch.fingerprint,
        uri=batch.uri,
        rows=batch.predicted,
        reasons=reasons,
        **context.subject(),
    )


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()

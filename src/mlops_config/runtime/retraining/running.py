"""One retraining: rows, challenger, contest, and the challenger's version in the registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.training import TrainingConfig
from mlops_config.ledger.entries import LedgerEntry
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.dataset import Dataset, open_dataset
from mlops_config.runtime.monitoring.report import MonitoringReport
from mlops_config.runtime.retraining.challenging import Contest, contest
from mlops_config.runtime.retraining.facts import last_learnt
from mlops_config.runtime.retraining.resuming import NEWEST_TAG, ROWS_TAG
from mlops_config.runtime.retraining.rows import Rows, rows_of
from mlops_config.runtime.tracking.interface import ModelVersion, Run
from mlops_config.runtime.training.fitting import fit
from mlops_config.runtime.training.limits import time_limit
from mlops_config.runtime.training.packaging import data_document, evaluation_document, package_of, run_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out of it."""

    rows: Rows
    fingerprint: str
    """Of the data."""
    contest: Contest
    champion: ModelVersion | None
    version: ModelVersion | None
    """The challenger's; ``None`` when it was refused."""
    smoke_rows: tuple[Mapping[str, Any], ...]
    """Of the holdout: what a new deployment is asked."""


def data_of(context: JobContext, training: TrainingConfig) -> Dataset:
    """The training file's data as it is now: a retraining is about rows that a pinned snapshot has not."""
    source = training.data.source
    return open_dataset(source.uri, source.format, context.root, schema=training.schema_)


def train_challenger(
    context: JobContext,
    training: TrainingConfig,
    seen: Sequence[MonitoringReport],
    ledger: Sequence[LedgerEntry],
) -> Trained:
    """A challenger, judged with the champion; registered when it was accepted.

    Raises:
        DataError: the data is not what the schema says, or too little.
        ServiceError: data or registry stay away; nothing is registered.
        TimeLimitError: it took longer than ``compute.max_runtime``.
    """
    promotion = context.configs.retrain.promotion
    name = training.tracking.registered_model_name
    with time_limit(training.compute.max_runtime):
        rows, fingerprint, document = _read(context, training, seen, ledger)
        with context.console.stage("train") as log:
            log.progress(training.estimator.name)
            fitted = fit(training, rows.train, rows.validation)
            log.done(f"{training.estimator.name} on {fitted.rows} rows")
        champion = context.registry.by_alias(name, promotion.alias_to)
        with context.console.stage("contest") as log:
            judged = contest(context, training, fitted, rows.holdout, champion)
            log.done(f"{'accepted' if judged.accepted else 'refused'} on {len(rows.holdout)} rows")
        documents = {
            "evaluation.json": evaluation_document(
                judged.challenger, judged.results, fitted, judged.champion
            ),
            "data.json": document,
        }
        metrics = judged.challenger.metrics
        run = _told_rows(run_of(context, training, fitted, metrics, documents, fingerprint=fingerprint), rows)
        if not judged.accepted:
            context.registry.record_refused(run)
            return Trained(rows, fingerprint, judged, champion, None, ())
        package = package_of(context, training, fitted, rows.learned, rows.holdout, fingerprint=fingerprint)
    with context.console.stage("register") as log:
        version = context.registry.record(run, package, registered_model_name=name)
        context.registry.set_alias(name, promotion.alias_from, version.version)
        log.done(f"{name} version {version.version} is the {promotion.alias_from}")
    asked = context.configs.retrain.redeploy.smoke_test.rows
    smoke_rows = _requests(rows.holdout, training, asked)
    return Trained(rows, fingerprint, judged, champion, version, smoke_rows)


def _told_rows(run: Run, rows: Rows) -> Run:
    """The run with what the ledger is told of its rows; should the job be killed, the version has it."""
    newest = {NEWEST_TAG: rows.newest.isoformat()} if rows.newest else {}
    return replace(run, tags={**run.tags, ROWS_TAG: str(rows.total), **newest})


def _read(
    context: JobContext,
    training: TrainingConfig,
    seen: Sequence[MonitoringReport],
    ledger: Sequence[LedgerEntry],
) -> tuple[Rows, str, bytes]:
    with context.console.stage("read") as log:
        dataset = data_of(context, training)
        log.progress(dataset.uri)
        fingerprint = dataset.fingerprint
        last = last_learnt(ledger)
        rows = rows_of(context, dataset, training, seen, last.window_end if last else None)
        used = len(rows.learned) + len(rows.holdout)
        document = data_document(dataset, read=rows.total, used=used, refused=rows.refused, extra=())
        log.done(f"{len(rows.learned)} rows to learn from, the newest {len(rows.holdout)} held out")
    return rows, fingerprint, document


def _requests(holdout: "pd.DataFrame", training: TrainingConfig, most: int) -> tuple[Mapping[str, Any], ...]:
    """Rows of the holdout as a client sends them: its features, moments in ISO-8601, gaps as null."""
    import json

    features = holdout[[feature.name for feature in training.schema_.features]].tail(most)
    return tuple(json.loads(features.to_json(orient="records", date_format="iso")))

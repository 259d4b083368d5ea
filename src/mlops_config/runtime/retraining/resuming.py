"""What an earlier try of the same DAG run left: Airflow tries a task again whose process was killed."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.tracking.interface import ModelVersion
from mlops_config.runtime.training.packaging import JOB_TAG

ROWS_TAG, NEWEST_TAG = "mlops.rows_read", "mlops.newest_row"
"""Tags of a retrained version: what the ledger is told of it, should its job be killed before it could."""


class EarlierTry(NamedTuple):
    """A retraining that another process of the same DAG run began."""

    start: LedgerEntry
    """Its last one."""
    end: LedgerEntry | None
    """``None``: the process was killed before it wrote one."""

    @property
    def refused(self) -> bool:
        """Whether its challenger was refused: there is nothing left to do."""
        return self.end is not None and self.end.outcome == "refused"


def earlier_try(ledger: Sequence[LedgerEntry], dag_run: str | None) -> EarlierTry | None:
    """What the DAG run's own retraining has written; ``None``: nothing, or there is no DAG run."""
    if dag_run is None:
        return None
    start: LedgerEntry | None = None
    end: LedgerEntry | None = None
    for entry in sorted(ledger, key=lambda each: each.sequence):
        if entry.event is Event.RETRAIN_STARTED and entry.dag_run == dag_run:
            start, end = entry, None
        elif entry.event is Event.RETRAIN_ENDED and start is not None and entry.job_id == start.job_id:
            end = entry
    return EarlierTry(start, end) if start is not None else None


def registered(context: JobContext, earlier: EarlierTry) -> ModelVersion | None:
    """The challenger that the earlier try registered, if its promotion is still its own to complete.

    Only an accepted challenger is registered. It is no longer its own once something else happened: another
    challenger took its place, it waited too long, or it was promoted and then went back.
    """
    name = context.configs.training.tracking.registered_model_name
    promotion = context.configs.retrain.promotion
    version = _made_by(context, name, earlier)
    if version is None:
        return None
    champion = context.registry.by_alias(name, promotion.alias_to)
    challenger = context.registry.by_alias(name, promotion.alias_from)
    if version.version in (each.version for each in (champion, challenger) if each is not None):
        return version
    killed_before_alias = earlier.end is None and challenger is None and not _entered(context, version)
    if not killed_before_alias:
        return None
    context.registry.set_alias(name, promotion.alias_from, version.version)
    return version


def _made_by(context: JobContext, name: str, earlier: EarlierTry) -> ModelVersion | None:
    if earlier.end is not None and earlier.end.model is not None:
        return context.registry.by_version(name, earlier.end.model.version)
    found = context.registry.with_tags(name, {JOB_TAG: earlier.start.job_id or ""})
    return found[0] if found else None


def _entered(context: JobContext, version: ModelVersion) -> bool:
    """Whether the ledger has told of the version: then its alias was there, and somebody took it away."""
    return any(
        entry.model is not None and entry.model.version == version.version
        for entry in context.ledger.entries()
    )


def newest_row(version: ModelVersion) -> datetime | None:
    """Of the data the version learned from; ``None`` where it has no time."""
    text = version.tags.get(NEWEST_TAG)
    return datetime.fromisoformat(text) if text else None


def rows_read(version: ModelVersion) -> int | None:
    """How many rows its data had."""
    text = version.tags.get(ROWS_TAG)
    return int(text) if text else None

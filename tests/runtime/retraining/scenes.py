"""Reports and ledgers to decide on, with only what a test cares about spelled out."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlops_config.contract.models.monitoring import MonitoringConfig
from mlops_config.contract.models.retrain import RetrainConfig
from mlops_config.contract.validation import validate
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Draft, Event, LedgerEntry
from mlops_config.runtime.monitoring.report import (
    Comparison,
    MonitoringReport,
    PerformanceResult,
    SignalResult,
)
from mlops_config.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "sha256:" + "ab" * 32
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

_DEV = validate(ROOT, Settings(), ["dev"]).environment("dev")
MONITORING: MonitoringConfig = _DEV.monitoring


def retrain_config(triggers: list[dict[str, Any]] | None = None, **changes: Any) -> RetrainConfig:
    """The dev environment's retrain file with no guard that holds, but for what is given."""
    document = dict(_DEV.files[Kind.RETRAIN].document.data)
    document["triggers"] = triggers or [{"type": "drift"}, {"type": "manual"}]
    document["guards"] = {
        "cooldown": "PT1S",
        "max_retrains": {"count": 1000, "per": "P1D"},
        "min_new_rows": 0,
        **changes.pop("guards", {}),
    }
    return RetrainConfig.model_validate(_as_written({**document, **changes}))


def _as_written(value: Any) -> Any:
    """The value as a YAML file has it."""
    if isinstance(value, timedelta):
        return f"P{value.days}DT{value.seconds}S"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, dict):
        return {key: _as_written(each) for key, each in value.items()}
    return [_as_written(each) for each in value] if isinstance(value, (list, tuple)) else value


def report(
    end: datetime = NOW - HOUR,
    *,
    drifted: Iterable[str] = (),
    features: Iterable[str] = ("a", "b", "c", "d"),
    important: Iterable[str] = (),
    confirmed: bool = True,
    performance: dict[str, float] | None = None,
    predictions_drift: bool = False,
) -> MonitoringReport:
    """A report on the day before ``end``; what drifts is confirmed unless said otherwise."""
    drifted, important = set(drifted), set(important)
    start = end - DAY
    signals = [
        SignalResult(signal="drift", violated=bool(drifted), confirmed=bool(drifted) and confirmed),
        SignalResult(
            signal="prediction_drift", violated=predictions_drift, confirmed=predictions_drift and confirmed
        ),
        SignalResult(
            signal="performance", violated=bool(performance), confirmed=bool(performance) and confirmed
        ),
    ]
    return MonitoringReport(
        window_id=f"{start:%Y%m%dT%H%M%SZ}-{end:%Y%m%dT%H%M%SZ}",
        window_start=start,
        window_end=end,
        created_at=end,
        project="city-taxi",
        model_name="trip-fare",
        environment="dev",
        config_digest=DIGEST,
        job_id="0" * 16,
        registered_model_name="trip-fare-dev",
        model_version=1,
        rows=5000,
        reference=None,
        drift=tuple(
            Comparison(
                name=name,
                family="numeric",
                method="psi",
                threshold=0.2,
                direction="above",
                value=0.5 if name in drifted else 0.01,
                drifted=name in drifted,
                important=name in important,
                rows=5000,
                reference_rows=5000,
            )
            for name in features
        ),
        performance=tuple(
            PerformanceResult(metric=metric, value=value, threshold=3.0, violated=True)
            for metric, value in (performance or {}).items()
        ),
        signals=tuple(signals),
    )


def ledger(*drafts: Draft) -> tuple[LedgerEntry, ...]:
    """A chain of the drafts, in their order."""
    entries: list[LedgerEntry] = []
    for draft in drafts:
        entries.append(
            LedgerEntry(
                **draft.model_dump(),
                sequence=len(entries) + 1,
                previous=entries[-1].digest if entries else None,
                project="city-taxi",
                model_name="trip-fare",
                environment="dev",
            )
        )
    return tuple(entries)


def started(time: datetime, job: int = 1) -> Draft:
    """A retraining began."""
    return Draft(event=Event.RETRAIN_STARTED, time=time, job_id=f"{job:016x}")


def ended(time: datetime, job: int = 1, outcome: Any = "succeeded", **more: Any) -> Draft:
    """It ended."""
    return Draft(event=Event.RETRAIN_ENDED, time=time, job_id=f"{job:016x}", outcome=outcome, **more)

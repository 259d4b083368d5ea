"""Captured rows, configurations and a day to monitor, with only what a test cares about spelled out."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_config.contract.models.by_kind import InferenceConfig, MonitoringConfig, TrainingConfig
from mlops_config.contract.models.monitoring import Performance, PreviousWindowReference, UriReference
from mlops_config.contract.validation import EnvironmentConfigs, validate
from mlops_config.kinds import Kind
from mlops_config.runtime.context import Configs
from mlops_config.runtime.monitoring.windows import Window
from mlops_config.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 10, 2, 7, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = Window(datetime(2026, 10, 1, 6, 30, tzinfo=UTC), datetime(2026, 10, 2, 6, 30, tzinfo=UTC))
JOB = "0123456789abcdef"
DIGEST = "sha256:" + "cd" * 32

DEV: EnvironmentConfigs = validate(ROOT, Settings(), ["dev"]).environment("dev")


def configs(
    *,
    mode: str = "endpoint",
    reference: PreviousWindowReference | UriReference | None = None,
    performance: Performance | None = None,
    **monitoring: Any,
) -> Configs:
    """The dev environment's, with windows of a hundred rows judged, and what a test changes."""
    inference: InferenceConfig = DEV.model(Kind.INFERENCE).model_copy(update={"mode": mode})
    watched: MonitoringConfig = DEV.model(Kind.MONITORING)
    changes: dict[str, Any] = {
        "drift": watched.drift.model_copy(update={"min_samples": 100}),
        "prediction_drift": watched.prediction_drift.model_copy(update={"min_samples": 100}),
        "performance": performance,
        **monitoring,
    }
    if reference is not None:
        changes["reference"] = reference
    return Configs(
        training=DEV.model(Kind.TRAINING),
        inference=inference,
        monitoring=watched.model_copy(update=changes),
        retrain=DEV.model(Kind.RETRAIN),
    )


CONFIGS = configs()
TRAINING: TrainingConfig = CONFIGS.training


def features(rows: int, *, seed: int = 1, shift: float = 0.0) -> dict[str, list[Any]]:
    """Rows of the example's features; ``shift`` from 0 to 1 makes trips longer and moves them outwards."""
    draw = random.Random(seed)  # noqa: S311 - rows to look at, not a secret
    zones = ["airport", "centre", "north", "south", "west"]
    weights = [0.12 + 0.4 * shift, 0.38 * (1 - shift), 0.2, 0.18, 0.12]
    distances = [
        round(min(100.0, max(0.4, 4.5 * (1 + shift) * draw.lognormvariate(0, 0.5))), 2) for _ in range(rows)
    ]
    return {
        "distance_km": distances,
        "expected_minutes": [round(2 * each + draw.uniform(1, 6), 1) for each in distances],
        "pickup_hour": [draw.randrange(24) for _ in range(rows)],
        "weekday": [draw.randrange(7) for _ in range(rows)],
        "passengers": [draw.randrange(1, 7) for _ in range(rows)],
        "pickup_zone": draw.choices(zones, weights, k=rows),
        "raining": [draw.random() < 0.2 for _ in range(rows)],
    }


def captured(
    rows: int = 400,
    *,
    window: Window = WINDOW,
    seed: int = 1,
    shift: float = 0.0,
    job: str = JOB,
    version: int = 1,
    **columns: Sequence[Any] | None,
) -> dict[str, Any]:
    """Captured rows spread evenly over the window; ``columns`` replaces or, with ``None``, leaves out."""
    data = features(rows, seed=seed, shift=shift)
    step = window.length / max(rows, 1)
    table: dict[str, Any] = {
        "prediction_id": [f"{job}-{seed}{number:06d}" for number in range(rows)],
        "event_time": pa.array(
            [window.start + step * number for number in range(rows)], pa.timestamp("us", "UTC")
        ),
        "model_version": pa.array([version] * rows, pa.int64()),
        "config_digest": [DIGEST] * rows,
        **data,
        "trip_id": [f"T{seed}-{number:06d}" for number in range(rows)],
        "fare_eur": [round(4 + 2.5 * each, 2) for each in data["distance_km"]],
    }
    table.update(columns)
    return {name: values for name, values in table.items() if values is not None}


def write_capture(
    root: Path, rows: Mapping[str, Any], *, name: str = f"{JOB}-0", day: str = "2026-10-01"
) -> Path:
    """Writes a capture as the model server does."""
    path = root / "build" / "dev" / "capture" / f"date={day}" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(rows)), path)
    return path


def without_entity_key(training: TrainingConfig) -> TrainingConfig:
    """The training file without an entity key."""
    return training.model_copy(update={"data": training.data.model_copy(update={"entity_key": None})})


def at(now: datetime, base: Any) -> Any:
    """The context at another time."""
    return replace(base, now=now)

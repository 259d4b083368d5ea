"""Captured rows, configurations and a day to monitor, with only what a test cares about spelled out."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_config.console import TerminalConsole
from mlops_config.contract.models.by_kind import InferenceConfig, MonitoringConfig, TrainingConfig
from mlops_config.contract.models.monitoring import Performance, PreviousWindowReference, UriReference
from mlops_config.contract.validation import EnvironmentConfigs, validate
from mlops_config.kinds import Kind
from mlops_config.ledger.ledger import Ledger
from mlops_config.pipeline import bundle_of, files_of
from mlops_config.runtime.context import Configs, JobContext, Provenance
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.monitoring.windows import Window
from mlops_config.runtime.profile.making import reference_profile
from mlops_config.runtime.profile.profile import Profile
from mlops_config.runtime.tracking.interface import ModelRegistry, ModelVersion, Run
from mlops_config.settings import Settings
from mlops_config.store import open_store

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 10, 2, 7, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = Window(datetime(2026, 10, 1, 6, 30, tzinfo=UTC), datetime(2026, 10, 2, 6, 30, tzinfo=UTC))
JOB = "0123456789abcdef"
DIGEST = "sha256:" + "cd" * 32
FOREIGN_WARNINGS = (
    pytest.mark.filterwarnings("ignore:fetch_\\w+\\(\\) is deprecated, use:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'future.infer_string' option is deprecated:DeprecationWarning"),
)
"""What DuckDB 2 and pandas 3 say of calls that ibis makes."""

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


class Registry(ModelRegistry):
    """A registry that knows some versions of the dev model; each has a baseline and nothing else."""

    def __init__(self, versions: Mapping[int, Profile], metrics: Mapping[str, float] | None = None) -> None:
        self.uri = "memory:"
        self._profiles = dict(versions)
        self._metrics = metrics or {}
        self.fetched: list[int] = []

    def by_version(self, name: str, version: int) -> ModelVersion | None:
        if version not in self._profiles:
            return None
        return ModelVersion(name, version, f"run{version}", {}, ("champion",), NOW, self._metrics)

    def fetch(self, version: ModelVersion, folder: Path) -> ModelPackage:
        assert folder.is_dir()
        self.fetched.append(version.version)
        return ModelPackage(None, TRAINING.schema_, self._profiles[version.version], {}, {})

    def by_alias(self, name: str, alias: str) -> ModelVersion | None:
        raise NotImplementedError

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        raise NotImplementedError

    def record(self, run: Run, package: ModelPackage, *, registered_model_name: str) -> ModelVersion:
        raise NotImplementedError

    def record_refused(self, run: Run) -> str:
        raise NotImplementedError

    def set_alias(self, name: str, alias: str, version: int) -> None:
        raise NotImplementedError

    def drop_alias(self, name: str, alias: str) -> None:
        raise NotImplementedError

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        raise NotImplementedError


@cache
def baseline(seed: int = 9) -> Profile:
    """The training baseline of the example's model."""
    rows = features(4000, seed=seed)
    predictions = [round(4 + 2.5 * each, 2) for each in rows["distance_km"]]
    return reference_profile(pa.table(rows), TRAINING, predictions=predictions)


def job_context(
    root: Path,
    *,
    now: datetime = NOW,
    registry: ModelRegistry | None = None,
    obeyed: Configs = CONFIGS,
    job_id: str = "fedcba9876543210",
) -> JobContext:
    """A context of the dev environment with its ledger below ``root``."""
    bundle = bundle_of(DEV)
    store = open_store((root / "store").as_uri())
    return JobContext(
        bundle=bundle,
        files=files_of(DEV, bundle),
        configs=obeyed,
        provenance=Provenance(commit="0" * 40),
        root=root,
        scratch=root / "scratch",
        job_id=job_id,
        now=now,
        console=TerminalConsole(quiet=True),
        registry=registry or Registry({1: baseline()}),
        ledger=Ledger(store, bundle.project, bundle.model_name, bundle.environment),
    )

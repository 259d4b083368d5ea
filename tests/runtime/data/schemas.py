"""Schemas, training files and frames that the tests of the data modules share."""

from typing import Any

import pandas as pd

from mlops_config.contract.models.by_kind import TrainingConfig
from mlops_config.contract.models.tables import TableSchema
from mlops_config.kinds import Kind
from tests.contract.documents import changed, document

DEV = document("dev", Kind.TRAINING)
TRIPS = TrainingConfig.model_validate(DEV).schema_


def schema(*features: dict[str, Any], target: dict[str, Any] | None = None) -> TableSchema:
    """A schema with these features and, unless given, a regression target ``y``."""
    chosen = target or {"name": "y", "problem_type": "regression"}
    return TableSchema.model_validate({"features": list(features), "target": chosen})


def training(**values: Any) -> TrainingConfig:
    """The example's training file with other values; ``a__b`` stands for ``a.b``."""
    data = DEV
    for path, value in values.items():
        data = changed(data, tuple(path.split("__")), value)
    return TrainingConfig.model_validate(data)


def trips(rows: int = 3) -> pd.DataFrame:
    """Valid rows of the example, in the types checked rows have."""
    start = pd.Timestamp("2026-01-01", tz="UTC")
    moments = pd.Series(pd.date_range(start, periods=rows, freq="min")).astype("datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "trip_id": pd.Series([f"T{number:04d}" for number in range(rows)], dtype="str"),
            "pickup_time": moments,
            "distance_km": [1.0 + number % 50 for number in range(rows)],
            "expected_minutes": [2.0 + number % 90 for number in range(rows)],
            "pickup_hour": [number % 24 for number in range(rows)],
            "weekday": [number % 7 for number in range(rows)],
            "passengers": [1 + number % 6 for number in range(rows)],
            "pickup_zone": pd.Series(["centre", "north"][number % 2] for number in range(rows)).astype("str"),
            "raining": [number % 3 == 0 for number in range(rows)],
            "fare_eur": [5.0 + number % 100 for number in range(rows)],
        }
    )

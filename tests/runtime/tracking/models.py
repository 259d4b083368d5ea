"""A small model package and a run to record, for the tests of tracking."""

import json
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.model.transforming import moments_as_numbers
from mlops_config.runtime.profile.profile import Profile
from mlops_config.runtime.tracking.interface import Run

DIGEST = f"sha256:{'a' * 64}"
FEATURES = [
    {"name": "distance_km", "type": "fractional"},
    {"name": "passengers", "type": "integral"},
    {"name": "zone", "type": "string"},
    {"name": "raining", "type": "boolean"},
]
ROWS = pd.DataFrame(
    {
        "distance_km": [float(number) for number in range(60)],
        "passengers": [1 + number % 5 for number in range(60)],
        "zone": ["centre", "airport", "Küste"] * 20,
        "raining": [True, False] * 30,
    }
)


def package(commit: str = "4c879ba", *, iterations: int = 2) -> ModelPackage:
    """A fitted package; another commit is another package."""
    columns = ColumnTransformer(
        [("zone", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["zone"])],
        remainder="passthrough",
    )
    pipeline = Pipeline(
        [("columns", columns), ("model", HistGradientBoostingRegressor(max_iter=iterations, random_state=1))]
    )
    target = {"name": "fare", "problem_type": "regression"}
    return ModelPackage(
        pipeline=pipeline.fit(ROWS, 3 + 2 * ROWS["distance_km"]),
        schema=TableSchema.model_validate_json(json.dumps({"features": FEATURES, "target": target})),
        profile=Profile(rows=len(ROWS)),
        tags=tags(commit),
        example={name: list(values[:3]) for name, values in ROWS.items()},
    )


def tags(commit: str = "4c879ba") -> dict[str, str]:
    """The tags a job gives."""
    hashes = {
        f"mlops.{kind}_sha256": f"{number}" * 64
        for number, kind in enumerate(("training", "inference", "monitoring", "retrain"))
    }
    return {
        "mlops.project": "city-taxi",
        "mlops.config_digest": DIGEST,
        "mlops.commit": commit,
        "mlops.release": "1.2.0",
        "mlops.image_digest": f"sha256:{'b' * 64}",
        "mlops.data_fingerprint": f"sha256:{'c' * 64}",
        **hashes,
    }


def run(experiment: str, commit: str = "4c879ba", **changes: Any) -> Run:
    """A run with parameters, metrics and documents."""
    content: dict[str, Any] = {
        "experiment": experiment,
        "name": "training-1",
        "parameters": {"estimator": "hist", "max_iter": 2, "early_stopping": False, "max_depth": None},
        "metrics": {"rmse": 4.25, "slices/zone/centre/rmse": 3.5},
        "tags": tags(commit),
        "documents": {"evaluation.json": b"{}\n", "configs/training.yaml": b"kind: training\n"},
    }
    return Run(**{**content, **changes})


def dated_rows() -> pd.DataFrame:
    """Rows with a point in time in UTC and nullable columns."""
    return pd.DataFrame(
        {
            "pickup": pd.date_range("2026-03-01", periods=6, freq="h", tz="UTC"),
            "passengers": pd.array([1, 2, 3, 4, 5, 6], dtype="Int64"),
            "raining": pd.array([True, False, True, False, True, False], dtype="boolean"),
        }
    )


def dated_package() -> ModelPackage:
    """A package with a timestamp among its features, and gaps in its example."""
    features = [
        {"name": "pickup", "type": "timestamp"},
        {"name": "passengers", "type": "integral"},
        {"name": "raining", "type": "boolean"},
    ]
    columns = ColumnTransformer(
        [
            ("times", FunctionTransformer(moments_as_numbers), ["pickup"]),
            ("numbers", StandardScaler(with_mean=False, with_std=False), ["passengers", "raining"]),
        ]
    )
    model = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=1)
    pipeline = Pipeline([("columns", columns), ("model", model)])
    target = {"name": "fare", "problem_type": "regression"}
    first, second = (moment.to_pydatetime() for moment in dated_rows()["pickup"][:2])
    return ModelPackage(
        pipeline=pipeline.fit(dated_rows(), range(6)),
        schema=TableSchema.model_validate_json(json.dumps({"features": features, "target": target})),
        profile=Profile(rows=6),
        tags=tags(),
        example={"pickup": [first, second], "passengers": [1, None], "raining": [None, False]},
    )

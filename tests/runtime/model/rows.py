"""Rows with every type of feature and a target of every problem, for estimators to learn from."""

from typing import Any

import numpy as np
import pandas as pd

from mlops_config.contract.models.by_kind import TrainingConfig
from mlops_config.contract.registry import ESTIMATORS
from mlops_config.runtime.data.checking import check
from tests.runtime.data.schemas import training

GAPS = {"completeness_min_fraction": 0.0}
FEATURES: list[dict[str, Any]] = [
    {"name": "count", "type": "integral"},
    {"name": "gappy_count", "type": "integral"} | GAPS,
    {"name": "size", "type": "fractional"} | GAPS,
    {"name": "zone", "type": "string"},
    {"name": "street", "type": "string"} | GAPS,
    {"name": "wet", "type": "boolean"},
    {"name": "gappy_flag", "type": "boolean"} | GAPS,
    {"name": "moment", "type": "timestamp"},
    {"name": "never", "type": "fractional"} | GAPS,
]
TARGETS: dict[str, dict[str, Any]] = {
    "number": {"name": "y", "problem_type": "regression"},
    "truth": {"name": "y", "problem_type": "binary_classification"},
    "word": {"name": "y", "problem_type": "binary_classification", "positive_class": "yes"},
    "code": {"name": "y", "problem_type": "binary_classification", "positive_class": 7},
    "words": {"name": "y", "problem_type": "multiclass_classification"},
}
METRICS = {
    "regression": ["rmse", "r2"],
    "binary_classification": ["roc_auc", "f1", "log_loss"],
    "multiclass_classification": ["accuracy", "roc_auc_ovr", "log_loss"],
}
SMALL = {"random_forest": {"n_estimators": 8}, "hist": {"max_iter": 8}, "gbm": {"n_estimators": 8}}
SMALL["xgb"] = SMALL["gbm"]


def config(name: str, target: str, **values: Any) -> TrainingConfig:
    """A training file for the rows below; the estimator is small."""
    problem = TARGETS[target]["problem_type"]
    size = next((each for part, each in SMALL.items() if part in name), {})
    names = METRICS[problem]
    settings: dict[str, Any] = {
        "schema": {"features": FEATURES, "target": TARGETS[target]},
        "data__timestamp_column": None,
        "data__entity_key": None,
        "split": {"strategy": "random"},
        "estimator": {"name": name, "hyperparameters": size},
        "evaluation": {"metrics": names, "primary": names[0]},
    }
    return training(**settings | values)


def rows(target: str, number: int = 400, seed: int = 7) -> pd.DataFrame:
    """Checked rows whose target follows from the features."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "count": draw.integers(0, 9, number),
            "gappy_count": pd.array(draw.integers(0, 9, number), dtype="Int64"),
            "size": draw.normal(size=number),
            "zone": draw.choice(["airport", "centre", "Küste"], number),
            "street": [f"street {each}" for each in draw.integers(0, 300, number)],
            "wet": draw.random(number) > 0.5,
            "gappy_flag": pd.array(draw.random(number) > 0.5, dtype="boolean"),
            "moment": pd.date_range("2026-01-01", periods=number, freq="h", tz="UTC"),
            "never": np.nan,
        }
    )
    score = frame["count"] + 3 * frame["size"] + 4 * (frame["zone"] == "airport")
    for name, gap in (("gappy_count", pd.NA), ("size", np.nan), ("street", None), ("gappy_flag", pd.NA)):
        frame.loc[draw.random(number) < 0.1, name] = gap
    positive = score > score.median()
    frame["y"] = {
        "number": score + 20,
        "truth": positive,
        "word": np.where(positive, "yes", "no"),
        "code": np.where(positive, 7, 3),
        "words": np.select([score < 3, score < 7], ["low", "middle"], default="high"),
    }[target]
    checked = check(frame, config("ridge", target, **_any_estimator(target)).schema_, with_target=True)
    assert not checked.counts
    return checked.rows


def _any_estimator(target: str) -> dict[str, Any]:
    return {} if target == "number" else {"estimator": {"name": "logistic_regression"}}


def combinations() -> list[tuple[str, str]]:
    """Every estimator with a target of every kind that it solves; classes that are numbers with one alone."""
    return [
        (name, target)
        for name, entry in ESTIMATORS.items()
        for target, described in TARGETS.items()
        if described["problem_type"] in entry.problem_types
        and (target != "code" or name == "xgboost_classifier")
    ]

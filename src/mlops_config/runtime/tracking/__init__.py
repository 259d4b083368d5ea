"""Runs and model versions, in MLflow."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_config.runtime.tracking.interface import ModelRegistry


def registry_from_environment(root: Path) -> "ModelRegistry":
    """The registry ``MLFLOW_TRACKING_URI`` names, by default a SQLite file below ``root``."""
    from mlops_config.runtime.tracking.mlflow import from_environment

    return from_environment(root)

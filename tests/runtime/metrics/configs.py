"""Monitoring models made from the example of dev, with only what a test cares about changed."""

from typing import Any

from mlops_config.contract.models.by_kind import MonitoringConfig
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind
from tests.contract.documents import changed, document


def monitoring(*changes: tuple[ConfigPath, Any], environment: str = "dev") -> MonitoringConfig:
    """An environment's monitoring file with each value put at its path."""
    data = document(environment, Kind.MONITORING)
    for path, value in changes:
        data = changed(data, path, value)
    return MonitoringConfig.model_validate(data)


def metrics(**settings: Any) -> MonitoringConfig:
    """With these ``metrics`` settings."""
    return monitoring((("metrics",), settings))

"""The four models of the contract, by kind."""

from collections.abc import Mapping
from types import MappingProxyType

from mlops_config.contract.models.header import Header, Metadata
from mlops_config.contract.models.inference import InferenceConfig
from mlops_config.contract.models.model_base import ConfigModel
from mlops_config.contract.models.monitoring import MonitoringConfig
from mlops_config.contract.models.retrain import RetrainConfig
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.kinds import Kind

__all__ = [
    "MODELS",
    "ConfigModel",
    "Header",
    "InferenceConfig",
    "Metadata",
    "MonitoringConfig",
    "RetrainConfig",
    "TrainingConfig",
]

MODELS: Mapping[Kind, type[Header]] = MappingProxyType(
    {
        Kind.TRAINING: TrainingConfig,
        Kind.INFERENCE: InferenceConfig,
        Kind.MONITORING: MonitoringConfig,
        Kind.RETRAIN: RetrainConfig,
    }
)
"""The model each kind of file is validated with."""

"""Deployers: the same steps on this machine, on SageMaker and on Vertex AI."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import InferenceConfig
    from mlops_config.deploy.alarms import Alarms
    from mlops_config.deploy.interface import Deployer
    from mlops_config.deploy.rollout import Pace


def open_deployer(
    inference: "InferenceConfig",
    *,
    root: Path,
    pace: "Pace | None" = None,
    alarms: "Alarms | None" = None,
) -> "Deployer":
    """The deployer of ``deployer.target``; nothing is asked or changed yet.

    ``root`` is what relative paths are relative to. ``pace`` and ``alarms`` are the clock and the source of
    firing alarms; by default real time, and the Prometheus of ``MLOPS_PROMETHEUS_URL``.

    Raises:
        UsageError: the target's extra is not installed, or a secret it needs is not there.
        ServiceError: the provider's own configuration is broken.
    """
    deployer = inference.deployer
    if deployer.target == "local":
        from mlops_config.deploy.local.deployer import LocalDeployer

        return LocalDeployer(root, pace=pace, alarms=alarms)
    if deployer.target == "aws":
        from mlops_config.deploy.aws.deployer import SageMakerDeployer

        return SageMakerDeployer(deployer, pace=pace)
    from mlops_config.deploy.gcp.deployer import VertexDeployer

    return VertexDeployer(deployer, pace=pace, alarms=alarms)

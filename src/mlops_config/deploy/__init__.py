"""Deployers: the same steps on this machine, on SageMaker and on Vertex AI."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import InferenceConfig
    from mlops_config.deploy.interface import Deployer


def open_deployer(inference: "InferenceConfig", *, root: Path) -> "Deployer":
    """The deployer of ``deployer.target``; nothing is asked or changed yet.

    ``root`` is what relative paths are relative to.

    Raises:
        UsageError: the target's extra is not installed, or a secret it needs is not there.
        ServiceError: the provider's own configuration is broken.
    """
    deployer = inference.deployer
    if deployer.target == "local":
        from mlops_config.deploy.local.deployer import LocalDeployer

        return LocalDeployer(root)
    if deployer.target == "aws":
        from mlops_config.deploy.aws.deployer import SageMakerDeployer

        return SageMakerDeployer(deployer)
    from mlops_config.deploy.gcp.deployer import VertexDeployer

    return VertexDeployer(deployer)

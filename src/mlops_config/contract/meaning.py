"""From what validation handed out to the full model, for code that dumps, compares or documents it."""

from pydantic import BaseModel

from mlops_config.contract.compiled import StandIn
from mlops_config.contract.models import MODELS
from mlops_config.contract.validation import ConfigFile


def model_of(file: ConfigFile) -> BaseModel:
    """The file's model as an object of its class, built anew where validation made a stand-in.

    Raises:
        ValueError: the file is not valid, so it has none.
    """
    if file.model is None:
        raise ValueError(f"{file.path} is not valid")
    if isinstance(file.model, StandIn):
        return MODELS[file.kind].model_validate(file.document.data)
    model: BaseModel = file.model
    return model

"""The training configuration of a retraining: the training file's, with the retrain file's overrides."""

import json
from typing import Any

from mlops_config.contract.models.training import TrainingConfig
from mlops_config.errors import UsageError
from mlops_config.runtime.context import Configs


def overridden(configs: Configs) -> TrainingConfig:
    """The training file with the retrain file's overrides in place, validated again.

    Raises:
        UsageError: the result breaks the contract.
    """
    from pydantic import ValidationError

    overrides = configs.retrain.training.overrides
    if not overrides:
        return configs.training
    document = configs.training.model_dump(mode="json")
    for path, value in overrides.items():
        *parents, last = path.split(".")
        place: Any = document
        for step in parents:
            place = place.setdefault(step, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            raise UsageError(f"training.overrides names {path}, and the training file has no such value")
        place[last] = value
    try:
        return type(configs.training).model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"training.overrides breaks the training file at {place_of(first['loc'])}: {first['msg']}"
        ) from error


def place_of(path: tuple[int | str, ...]) -> str:
    """The path as a file's reader would write it."""
    return ".".join(map(str, path))

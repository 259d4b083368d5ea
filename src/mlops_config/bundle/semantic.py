"""What a configuration means, apart from how it is written: defaults applied, order and comments gone."""

from typing import Any

import rfc8785
from pydantic import BaseModel

from mlops_config.bundle.bundle import sha256_of


def meaning(model: BaseModel) -> dict[str, Any]:
    """The validated model as JSON data, every default spelled out."""
    return model.model_dump(mode="json", by_alias=True)


def semantic_sha256(model: BaseModel) -> str:
    """``sha256:<64 hex>`` of the model's meaning as RFC 8785 canonical JSON.

    A comment or a moved key leaves it as it is; a default changed by a new version of the contract does not.
    """
    return sha256_of(rfc8785.dumps(meaning(model)))

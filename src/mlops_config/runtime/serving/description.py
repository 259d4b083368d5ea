"""What the server says about itself: the facts the page, the OpenAPI document and the answers share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.serving.columns import InputColumn, input_columns


@dataclass(frozen=True, slots=True)
class Serving:
    """One model version served with one configuration."""

    project: str
    model_name: str
    environment: str
    model_version: int
    config_digest: str
    job_id: str
    """Prediction ids begin with it."""
    schema: TableSchema
    example: Mapping[str, Any]
    """One row that the server can predict."""
    commit: str | None = None
    """The commit whose configuration serves."""
    trained_commit: str | None = None
    trained_digest: str | None = None
    """Of the configuration the model was trained with."""

    @property
    def columns(self) -> tuple[InputColumn, ...]:
        """Of a request: features, then identifiers."""
        return input_columns(self.schema)

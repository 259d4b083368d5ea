"""A model as it is stored and served: estimator, columns, reference profile, and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.profile.profile import Profile


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """Everything that serving and monitoring need of one model; no registry is asked again."""

    pipeline: Any
    """A fitted scikit-learn pipeline: takes a pandas frame with the schema's features, by name."""
    schema: TableSchema
    """Features and target the model was trained with."""
    profile: Profile
    """Of the features of the rows it learned from; under the target's name, of its predictions on rows it did
    not learn from."""
    tags: Mapping[str, str]
    """``mlops.*`` tags of the job that trained it."""
    example: Mapping[str, list[Any]]
    """A few rows of the features, by column: the signature's example and the smoke test's default."""

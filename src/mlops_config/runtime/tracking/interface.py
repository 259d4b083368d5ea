"""What a model registry offers to the jobs, whatever lies behind it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mlops_config.runtime.model.package import ModelPackage


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model."""

    name: str
    version: int
    run_id: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    created_at: datetime
    """UTC."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of the run that made it, on its test rows."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a training run has to record besides the model."""

    experiment: str
    name: str
    parameters: Mapping[str, str | int | float | bool | None]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    documents: Mapping[str, bytes] = field(default_factory=dict)
    """Files kept with the run, by name: configuration, evaluation, counts of refused rows."""


class ModelRegistry(ABC):
    """Runs, versions and aliases. Every method raises ServiceError when the server stays away."""

    uri: str
    """As configured, without credentials."""

    @abstractmethod
    def record(self, run: Run, package: ModelPackage, *, registered_model_name: str) -> ModelVersion:
        """Records the run and registers its model as a new version. When it fails nothing is registered."""

    @abstractmethod
    def record_refused(self, run: Run) -> str:
        """Records a run whose model passed no gate, marked as such; registers nothing. Returns its id."""

    @abstractmethod
    def by_alias(self, name: str, alias: str) -> ModelVersion | None:
        """The version that carries the alias, or ``None``."""

    @abstractmethod
    def by_version(self, name: str, version: int) -> ModelVersion | None:
        """That version, or ``None``."""

    @abstractmethod
    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """All versions, the newest first."""

    def with_tags(self, name: str, tags: Mapping[str, str]) -> tuple[ModelVersion, ...]:
        """The versions that carry all of the tags, the newest first."""
        return tuple(each for each in self.versions(name) if tags.items() <= each.tags.items())

    @abstractmethod
    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Moves the alias."""

    @abstractmethod
    def drop_alias(self, name: str, alias: str) -> None:
        """Removes the alias; without it nothing happens."""

    @abstractmethod
    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Adds tags to the version."""

    @abstractmethod
    def fetch(self, version: ModelVersion, folder: Path) -> ModelPackage:
        """The version's package, its files written below ``folder`` and its digest checked."""

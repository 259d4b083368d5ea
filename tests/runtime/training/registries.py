"""A registry in memory: what the training job asks of one, and nothing else."""
# ruff: noqa: ARG002 - it holds versions of one model only, whatever name is asked for

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.model.storage import read_package, write_package
from mlops_config.runtime.tracking.interface import ModelRegistry, ModelVersion, Run


@dataclass
class MemoryRegistry(ModelRegistry):
    """Packages are written to ``folder`` and read back, as MLflow's are."""

    folder: Path
    uri: str = "memory://"
    recorded: list[tuple[Run, ModelVersion]] = field(default_factory=list)
    refused: list[Run] = field(default_factory=list)
    aliases: dict[str, int] = field(default_factory=dict)

    def record(self, run: Run, package: ModelPackage, *, registered_model_name: str) -> ModelVersion:
        number = len(self.recorded) + 1
        write_package(package, self.folder / str(number))
        version = ModelVersion(
            registered_model_name, number, f"run-{number}", run.tags, (), datetime.now(UTC), run.metrics
        )
        self.recorded.append((run, version))
        return version

    def record_refused(self, run: Run) -> str:
        self.refused.append(run)
        return "refused"

    def by_alias(self, name: str, alias: str) -> ModelVersion | None:
        number = self.aliases.get(alias)
        return None if number is None else self.by_version(name, number)

    def by_version(self, name: str, version: int) -> ModelVersion | None:
        carried = tuple(alias for alias, number in self.aliases.items() if number == version)
        return next(
            (replace(each, aliases=carried) for _, each in self.recorded if each.version == version), None
        )

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        return tuple(version for _, version in reversed(self.recorded))

    def with_tags(self, name: str, tags: Mapping[str, str]) -> tuple[ModelVersion, ...]:
        return tuple(each for each in self.versions(name) if tags.items() <= each.tags.items())

    def set_alias(self, name: str, alias: str, version: int) -> None:
        self.aliases[alias] = version

    def drop_alias(self, name: str, alias: str) -> None:
        self.aliases.pop(alias, None)

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        raise NotImplementedError("the training job tags a version when it records it")

    def fetch(self, version: ModelVersion, folder: Path) -> ModelPackage:
        return read_package(self.folder / str(version.version))

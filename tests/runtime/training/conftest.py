"""The example project with fewer rows, and its context with a registry in memory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_config.console import TerminalConsole
from mlops_config.kinds import Kind
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.opening import Request, open_context
from mlops_config.runtime.training import fitting
from tests.runtime.projects import Project, write_trips
from tests.runtime.training.registries import MemoryRegistry

ROWS = 2_000


@pytest.fixture(scope="session")
def trips_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trips as the example's data set has them."""
    return write_trips(tmp_path_factory.mktemp("trips") / "trips.csv", rows=ROWS)


@pytest.fixture
def project(tmp_path: Path, trips_file: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder of its own with the dev configuration; its model is small."""
    monkeypatch.setattr(fitting, "processors", lambda: 1)
    found = Project(tmp_path / "project", trips_file)
    found.edit(Kind.TRAINING, "max_iter: 100 ", "max_iter: 20 ")
    return found


@pytest.fixture
def registry(tmp_path: Path) -> MemoryRegistry:
    """An empty registry."""
    return MemoryRegistry(tmp_path / "registry")


@pytest.fixture
def context_of(registry: MemoryRegistry) -> Callable[[Project], JobContext]:
    """Opens the project's dev environment as a job would, but for the registry."""

    def opened(project: Project) -> JobContext:
        console = TerminalConsole(quiet=True)
        context = open_context(Request(environment="dev", root=project.folder), console)
        return replace(context, registry=registry)

    return opened

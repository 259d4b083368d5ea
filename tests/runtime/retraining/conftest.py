"""A project with a champion, and new rows that it does not know."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_config.console import TerminalConsole
from mlops_config.kinds import Kind
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.opening import Request, open_context
from mlops_config.runtime.training.job import run as train
from tests.runtime.projects import Project, write_trips

Open = Callable[[], JobContext]


@pytest.fixture(scope="session")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 trips of the city as it was."""
    return write_trips(tmp_path_factory.mktemp("trips") / "trips.csv", rows=1500)


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory, trips: Path) -> Path:
    """The same trips, and 1,500 more of a city that has grown."""
    folder = tmp_path_factory.mktemp("grown")
    newer = write_trips(folder / "newer.csv", rows=1500, shift=1.0, start="2026-02-01", seed=262)
    both = folder / "trips.csv"
    both.write_text(trips.read_text() + newer.read_text().partition("\n")[2])
    return both


@dataclass(frozen=True)
class Trained:
    """The project after its first training."""

    folder: Path
    database: str
    """MLflow's, with the model, whose files lie beside it and stay there when it is copied."""
    version: int


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, trips: Path, mlflow_tables: Path) -> Trained:
    """The first model and its ledger, learned once: it takes as long as what most tests are about."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copyfile(mlflow_tables, folder / "mlflow.db")
    database = f"sqlite:///{folder / 'mlflow.db'}"
    project = small(folder / "project", trips)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", database)
        context = opened(project)
        version = train(context).version
        context.registry.set_alias(version.name, "champion", version.version)
        context.registry.drop_alias(version.name, "challenger")
    return Trained(project.folder, database, version.version)


def small(folder: Path, trips: Path) -> Project:
    """The dev project, small and without an endpoint to redeploy."""
    project = Project(folder, trips)
    project.edit(Kind.TRAINING, "max_iter: 100 ", "max_iter: 30 ")
    project.edit(Kind.TRAINING, "rmse: {threshold: 5.0}", "rmse: {threshold: 12.0}")
    project.edit(Kind.RETRAIN, "  rmse: {threshold: 5.0}", "  rmse: {threshold: 12.0}")
    project.edit(Kind.RETRAIN, "rollback:", "redeploy: {enabled: false}\n\nrollback:")
    return project


def opened(project: Project) -> JobContext:
    request = Request(environment="dev", root=project.folder, now=datetime.now(UTC))
    return open_context(request, TerminalConsole(quiet=True))


@pytest.fixture
def project(tmp_path: Path, trips: Path, mlflow_database: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A small project with a database of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_database)
    return small(tmp_path / "project", trips)


@pytest.fixture
def open_job(project: Project) -> Open:
    """Opens a context on the project as it is then."""
    return lambda: opened(project)


@pytest.fixture
def champion(project: Project, mlflow_database: str, trained: Trained) -> int:
    """The version of a first model, which is the champion."""
    with (
        closing(sqlite3.connect(file_of(trained.database))) as database,
        closing(sqlite3.connect(file_of(mlflow_database))) as copy,
    ):
        database.backup(copy)
    shutil.copytree(trained.folder / ".mlops-config", project.folder / ".mlops-config")
    return trained.version


def file_of(database: str) -> str:
    return database.removeprefix("sqlite:///")


@pytest.fixture
def newer_rows(project: Project, grown: Path, champion: int) -> None:
    """What the champion has not seen arrives."""
    assert champion
    data = project.folder / "data" / "trips.csv"
    data.unlink()
    data.write_bytes(grown.read_bytes())

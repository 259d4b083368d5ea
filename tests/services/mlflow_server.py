"""A real MLflow: a server process on a free port of loopback, and databases whose tables are made already."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tools.loop.servers import Servers, start_mlflow


@contextmanager
def running_mlflow(folder: Path, database: Path) -> Iterator[str]:
    """The address of a server, such as ``http://127.0.0.1:40123``, that keeps runs in ``database``.

    Artifacts go through the server to ``<folder>/artifacts``.
    """
    with Servers(folder) as servers:
        yield start_mlflow(servers, database, artifacts=folder / "artifacts").until_healthy()


@pytest.fixture(scope="session")
def mlflow_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with MLflow's tables and nothing in them: making them takes seconds, a copy does not."""
    from mlops_config.runtime.tracking.mlflow import MlflowRegistry

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowRegistry(f"sqlite:///{path}").versions("none")
    return path


@pytest.fixture
def mlflow_database(tmp_path: Path, mlflow_tables: Path) -> str:
    """The address of an empty SQLite database of the test's own; its artifacts go beside it."""
    path = tmp_path / "mlflow" / "mlflow.db"
    path.parent.mkdir()
    shutil.copyfile(mlflow_tables, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory, mlflow_tables: Path) -> Iterator[str]:
    """The address of a server that all tests share: use names of your own."""
    folder = tmp_path_factory.mktemp("mlflow-server")
    database = folder / "mlflow.db"
    shutil.copyfile(mlflow_tables, database)
    with running_mlflow(folder, database) as address:
        yield address

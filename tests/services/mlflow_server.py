"""A real MLflow: a server process on a free port of loopback, and databases whose tables are made already."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.services.processes import free_port

_LIMIT_SECONDS = 240.0
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Neither runs here, and each takes processes and seconds.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


@contextmanager
def running_mlflow(folder: Path, database: Path) -> Iterator[str]:
    """The address of a server, such as ``http://127.0.0.1:40123``, that keeps runs in ``database``.

    Artifacts go through the server to ``<folder>/artifacts``. It has a process group of its own, since it
    starts processes that outlive it otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    log = folder / "mlflow.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | _QUIET | {"TMPDIR": str(folder)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _until_healthy(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends the server with all its processes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


def _until_healthy(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"MLflow does not answer on port {port}:\n{log.read_text(errors='replace')[-4000:]}")


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

"""A home and a database of its own for Airflow; without Airflow none of these tests is collected."""

import functools
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("airflow") else ["*"]

if not collect_ignore_glob:
    # Airflow reads its settings when it is imported, and makes files in its home.
    HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))
    for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "MLOPS_"))]:
        del os.environ[_name]
    os.environ |= {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
        "NO_COLOR": "1",
        "TZ": "UTC",
    }


@pytest.fixture(scope="session", autouse=True)
def home() -> Iterator[Path]:
    """Airflow's home, removed at the end."""
    yield HOME
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def database(home: Path) -> Path:  # noqa: ARG001 it lies there
    """Airflow's database with its tables: SQLite in the home."""
    from airflow.sdk.execution_time import supervisor
    from airflow.utils.db import initdb

    initdb()
    # Airflow 3.1 makes its API anew for each task of a test run, which takes seconds; 3.3 does this itself.
    supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)
    return HOME / "airflow.db"

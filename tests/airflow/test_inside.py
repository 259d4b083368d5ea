"""Runs tests/airflow/inside with each Airflow that the DAGs are for, in its own environment."""

import os
import subprocess
from pathlib import Path

import pytest
from tools.environments import AIRFLOW_VERSIONS

from tests.services.airflow import python_with

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("version", AIRFLOW_VERSIONS)
def test_the_dags_hold_inside_airflow(version: str) -> None:
    done = subprocess.run(
        [python_with(version), "-m", "pytest", "-q", "tests/airflow/inside"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout

"""`mlops-config validate` starts fast because it loads little."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {
    "boto3",
    "botocore",
    "docker",
    "requests",
    "urllib3",
    "http.client",
    "rfc8785",
    "subprocess",
    "asyncio",
}


def modules_loaded_by(*arguments: str) -> set[str]:
    """Names of all modules the interpreter imports while the command runs."""
    program = "import sys; from mlops_config.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program, *arguments],
        cwd=ROOT,
        # Measuring coverage in the process would load modules of its own.
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("heavy", sorted(HEAVY))
def test_validate_does_not_load(heavy: str, loaded: set[str]) -> None:
    assert heavy not in loaded


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return modules_loaded_by("validate", "configs")


def test_the_list_of_loaded_modules_is_not_empty_by_mistake(loaded: set[str]) -> None:
    assert {"yaml", "mlops_config.contract"} <= loaded

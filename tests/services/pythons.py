"""Pythons other than the one the tests run in."""

import functools
import subprocess
import sys

from tests.services import unavailable


@functools.cache
def python_with_pip() -> str:
    """This Python, or the one its virtual environment was made from: a runner's Python comes with pip."""
    for python in (sys.executable, sys._base_executable):  # type: ignore[attr-defined]  # not in typeshed
        found = subprocess.run([python, "-I", "-m", "pip", "--version"], capture_output=True, check=False)
        if found.returncode == 0:
            return str(python)
    return unavailable("the bootstrap needs a Python with pip")

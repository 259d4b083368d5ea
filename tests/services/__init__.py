"""Real services the tests run against: started here on loopback, stopped by process id."""

import os
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Ends the test because a service is missing: a skip on a laptop, a failure where ``CI=true``."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI must run this test)", pytrace=False)
    pytest.skip(reason)

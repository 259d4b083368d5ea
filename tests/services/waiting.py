"""Waiting for a condition, where a test must not sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

_LIMIT_SECONDS = 180.0
T = TypeVar("T")


def eventually(what: Callable[[], T | None], otherwise: Callable[[], object] = lambda: "") -> T:
    """What ``what`` returns once that is true; fails with what ``otherwise`` says when it never is."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    pytest.fail(f"it never came: {otherwise()}")

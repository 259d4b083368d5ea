"""Checkouts that Terraform provisions for."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infrastructure.deployments import Checkout


@pytest.fixture
def checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Checkout]:
    """A checkout whose dev has no release and no infrastructure yet."""
    before = signal.getsignal(signal.SIGTERM)
    yield Checkout(tmp_path, capsys)
    signal.signal(signal.SIGTERM, before)

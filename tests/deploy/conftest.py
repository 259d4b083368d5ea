"""The providers that the conformance suite runs against."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.providers import LocalProvider, Provider


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalProvider]:
    """This machine, with nothing deployed; everything is stopped afterwards."""
    provider = LocalProvider(tmp_path)
    yield provider
    provider.close()


@pytest.fixture(params=["local"])
def provider(request: pytest.FixtureRequest) -> Provider:
    """Each provider in turn."""
    found: Provider = request.getfixturevalue(request.param)
    return found

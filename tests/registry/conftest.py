"""Registries the tests of this room talk to."""

from collections.abc import Iterator

import pytest
from tests.services.registry import Registry, password_auth, running_registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that takes everyone."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def locked_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for a user and a password."""
    folder = tmp_path_factory.mktemp("locked-registry")
    with running_registry(folder, auth=password_auth(folder)) as running:
        yield running

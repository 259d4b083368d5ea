"""The stores the tests run against, each a real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services.gcs import VARIABLE
from tests.services.registry import Registry, running_registry
from tests.services.s3 import BUCKET
from tests.store.backends import Backend, GcsBackend, LocalBackend, OciBackend, S3Backend


@pytest.fixture
def store_registry(tmp_path: Path) -> Iterator[Registry]:
    """A container registry that takes everyone; one for each test, since repositories share their blobs."""
    with running_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture(params=["local", "s3", "gcs", "oci"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """An empty store of each kind."""
    return _backend(request, tmp_path)


@pytest.fixture(params=["local", "s3", "gcs"])
def exclusive_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """An empty store of each kind that lets exactly one of several writers in one moment win.

    Registries do not: they know neither create-only tags nor compare-and-swap (docs/stores.md says so).
    """
    return _backend(request, tmp_path)


def _backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    match request.param:
        case "local":
            return LocalBackend(tmp_path / "store")
        case "s3":
            return S3Backend(request.getfixturevalue("s3_client"), BUCKET)
        case "gcs":
            endpoint: str = request.getfixturevalue("gcs_bucket")
            request.getfixturevalue("monkeypatch").setenv(VARIABLE, endpoint)
            return GcsBackend(endpoint, BUCKET)
        case _:
            return OciBackend(request.getfixturevalue("store_registry"))

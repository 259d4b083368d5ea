"""The stores that ledgers are tested in, each a real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.gcs import BUCKET as GCS_BUCKET
from tests.services.gcs import VARIABLE
from tests.services.registry import running_registry
from tests.services.s3 import BUCKET as S3_BUCKET
from tests.store.backends import Backend, GcsBackend, LocalBackend, OciBackend, S3Backend


def backend_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Backend]:
    match kind:
        case "local":
            yield LocalBackend(folder / "store")
        case "s3":
            yield S3Backend(request.getfixturevalue("s3_client"), S3_BUCKET)
        case "gcs":
            endpoint: str = request.getfixturevalue("gcs_bucket")
            request.getfixturevalue("monkeypatch").setenv(VARIABLE, endpoint)
            yield GcsBackend(endpoint, GCS_BUCKET)
        case _:
            with running_registry(folder / "registry") as registry:
                yield OciBackend(registry)


@pytest.fixture(params=["local", "s3", "gcs", "oci"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """An empty store of each kind."""
    yield from backend_of(request.param, request, tmp_path)


@pytest.fixture(params=["local", "s3", "gcs"])
def exclusive_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """An empty store of each kind that lets exactly one of several writers in one moment win."""
    yield from backend_of(request.param, request, tmp_path)

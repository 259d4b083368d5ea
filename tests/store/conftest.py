"""The stores the tests run against, each a real one."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.services.gcs import VARIABLE, make_bucket
from tests.services.registry import Registry, running_registry
from tests.services.s3 import environment, running_s3
from tests.store.backends import Backend, GcsBackend, LocalBackend, OciBackend, S3Backend

from mlops_config.store.s3 import open_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "configs"


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server with one bucket, :data:`BUCKET`."""
    with running_s3(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> "S3Client":
    """A client as our stores make it, shared since making one takes half a second; the bucket is there."""
    with pytest.MonkeyPatch.context() as patch:
        lead_to(s3_endpoint, patch)
        client = open_client()
    client.create_bucket(Bucket=BUCKET)
    return client


def lead_to(endpoint: str, patch: pytest.MonkeyPatch) -> None:
    """Lets the environment lead boto3 to ``endpoint``."""
    for name, value in environment(endpoint).items():
        if value is None:
            patch.delenv(name, raising=False)
        else:
            patch.setenv(name, value)


@pytest.fixture(scope="session")
def gcs_bucket(gcs_endpoint: str) -> str:
    """The endpoint of a Google Cloud Storage server that has :data:`BUCKET`."""
    make_bucket(gcs_endpoint, BUCKET)
    return gcs_endpoint


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

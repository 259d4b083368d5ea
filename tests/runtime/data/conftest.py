"""Places for data: a folder, and buckets of real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.gcs import VARIABLE, make_bucket
from tests.services.s3 import environment, running_s3

BUCKET = "data"


@pytest.fixture(scope="session")
def s3_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server with one bucket, :data:`BUCKET`."""
    import boto3

    with running_s3(tmp_path_factory.mktemp("s3")) as endpoint:
        with pytest.MonkeyPatch.context() as patch:
            lead_to_s3(endpoint, patch)
            boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield endpoint


@pytest.fixture(scope="session")
def gcs_data(gcs_endpoint: str) -> str:
    """The address of a server of Google Cloud Storage with one bucket, :data:`BUCKET`."""
    make_bucket(gcs_endpoint, BUCKET)
    return gcs_endpoint


def lead_to_s3(endpoint: str, patch: pytest.MonkeyPatch) -> None:
    """Lets the environment lead every S3 client to ``endpoint``."""
    for name, value in environment(endpoint).items():
        if value is None:
            patch.delenv(name, raising=False)
        else:
            patch.setenv(name, value)


@pytest.fixture(params=["file", "s3", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place for data at each kind of URI, without a final slash."""
    if request.param == "file":
        return f"file://{tmp_path}/data"
    if request.param == "s3":
        lead_to_s3(request.getfixturevalue("s3_data"), monkeypatch)
    else:
        monkeypatch.setenv(VARIABLE, request.getfixturevalue("gcs_data"))
    return f"{request.param}://{BUCKET}/{tmp_path.name}"

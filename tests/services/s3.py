"""A real S3 server process (ministack, which checks checksums and conditions) on a free port of loopback."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services import unavailable
from tests.services.processes import free_port, server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "configs"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
_UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")


def environment(endpoint: str) -> dict[str, str | None]:
    """The AWS variables that lead boto3 to ``endpoint`` and nowhere else; ``None`` means unset."""
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return dict.fromkeys(_UNSET) | KEYS | nowhere | {"AWS_ENDPOINT_URL_S3": endpoint}


@contextmanager
def running_s3(folder: Path) -> Iterator[str]:
    """The endpoint of a running server, such as ``http://127.0.0.1:40123``; it holds no bucket yet."""
    if importlib.util.find_spec("ministack") is None or importlib.util.find_spec("hypercorn") is None:
        unavailable("no S3 server: pip install ministack hypercorn")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    # Nothing but S3: by default it opens further ports and looks for containers of its own to remove.
    only_s3 = {
        "SERVICES": "s3",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder / 'no-engine.sock'}",
        "TMPDIR": str(folder),
    }
    log = folder / "s3.log"
    command = [sys.executable, "-m", "hypercorn", "ministack.app:app", "--bind", f"127.0.0.1:{port}"]
    with server(command, port, log, env=os.environ | only_s3):
        yield f"http://127.0.0.1:{port}"


def lead_to(endpoint: str, patch: pytest.MonkeyPatch) -> None:
    """Lets the environment lead boto3 to ``endpoint``."""
    for name, value in environment(endpoint).items():
        if value is None:
            patch.delenv(name, raising=False)
        else:
            patch.setenv(name, value)


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server without buckets; shared, so make a bucket of your own in it."""
    with running_s3(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> "S3Client":
    """A client as our stores make it, shared since it takes half a second; :data:`BUCKET` is there."""
    from mlops_config.store.s3 import open_client

    with pytest.MonkeyPatch.context() as patch:
        lead_to(s3_endpoint, patch)
        client = open_client()
    client.create_bucket(Bucket=BUCKET)
    return client

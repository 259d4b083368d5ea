"""What the image room's tests build on: base layouts, registries, and an engine's builder."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError
from tests.image.making import OWN, output_of, traces
from tests.services import unavailable
from tests.services.registry import Registry, password_auth, running_registry

from mlops_config.image.buildx import find_buildx
from mlops_config.image.connection import find_engine
from mlops_config.image.engine import EngineBuilder

ROOT = Path(__file__).parents[2]


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


@pytest.fixture(autouse=True)
def no_images_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Removes what a test built, the nameless images of the classic builder too."""
    OWN.clear()
    client: docker.DockerClient | None = None
    if "engine" in request.fixturenames:
        client = request.getfixturevalue("engine")
    yield
    for bundle in OWN if client else ():
        for image in traces(client, bundle):
            with suppress(APIError):
                client.images.remove(image, force=True)


@pytest.fixture(scope="session")
def skopeo() -> str:
    """Somebody else's client for images, to look at ours with."""
    program = shutil.which("skopeo")
    if program is None:
        unavailable("no skopeo on PATH (Debian: apt-get install skopeo)")
    return program


@pytest.fixture(scope="session")
def base_layout(busybox: str, skopeo: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The busybox base as an OCI image layout, its layer compressed, written by skopeo."""
    folder = tmp_path_factory.mktemp("base") / "busybox"
    output_of(skopeo, "copy", "--insecure-policy", f"docker-daemon:{busybox}", f"oci:{folder}")
    return folder


@pytest.fixture
def classic(engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> EngineBuilder:
    """A builder that uses the engine's classic builder."""
    assert engine.ping()
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    return EngineBuilder(find_engine())


@pytest.fixture
def buildx(engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> EngineBuilder:
    """A builder that uses buildx."""
    assert engine.ping()
    monkeypatch.delenv("DOCKER_BUILDKIT", raising=False)
    _provide_buildx()
    return EngineBuilder(find_engine())


@pytest.fixture(params=["classic", "buildx"])
def builder(request: pytest.FixtureRequest) -> EngineBuilder:
    """Each of the two builders in turn: what holds for one must hold for the other."""
    made: EngineBuilder = request.getfixturevalue(request.param)
    return made


def _provide_buildx() -> None:
    """Links a buildx plug-in that lies under .cache/ or on PATH into this session's Docker configuration."""
    if _has_buildx():
        return
    folder = Path(os.environ["DOCKER_CONFIG"]) / "cli-plugins"
    plugin = shutil.which("docker-buildx") or next(map(str, (ROOT / ".cache").rglob("docker-buildx")), None)
    if plugin:
        folder.mkdir(exist_ok=True)
        (folder / "docker-buildx").symlink_to(plugin)
    if not _has_buildx():
        unavailable("the docker command has no buildx (Debian 13: apt-get install docker-buildx)")


def _has_buildx() -> bool:
    return find_buildx() is not None

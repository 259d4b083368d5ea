"""Makes bundles, layers and images for the tests of the image room."""

import io
import json
import subprocess
import tarfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound

from mlops_config.bundle.bundle import Bundle, sha256_of
from mlops_config.image.interface import ImageSpec
from mlops_config.image.labels import config_labels, environment_variables
from mlops_config.image.layers import Layer, read_layer
from mlops_config.image.opened import OpenedImage
from mlops_config.kinds import Kind

COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ROOT = Path(__file__).parents[2]
SHIPPED_DOCKERFILE = ROOT / "docker" / "Dockerfile"


def a_bundle(environment: str = "prod", project: str = "fares") -> Bundle:
    """Four small files that differ from environment to environment and project to project."""
    data = {
        kind: f"kind: {kind}\nmetadata: {{project: {project}, environment: {environment}}}\n" for kind in Kind
    }
    return Bundle.of(project, "fare", environment, {kind: text.encode() for kind, text in data.items()})


OWN: list[Bundle] = []
"""Bundles made by :func:`own_bundle` in the test that runs."""


def own_bundle(environment: str = "prod") -> Bundle:
    """A bundle nobody else has, so that its traces in an engine can be told from those of other tests."""
    OWN.append(a_bundle(environment, f"p{uuid.uuid4().hex[:12]}"))
    return OWN[-1]


def traces(engine: docker.DockerClient, bundle: Bundle) -> list[str]:
    """IDs of all images in the engine, nameless ones too, that carry the bundle's project or digest."""
    found = []
    for image in engine.api.images(all=True, quiet=True):
        # Another test may have removed it since it was listed.
        with suppress(NotFound):
            config = engine.api.inspect_image(image)["Config"]
            told = [*(config.get("Labels") or {}).values(), *(config.get("Env") or [])]
            if any(bundle.project == item or bundle.digest in item for item in told):
                found.append(image)
    return found


def names(engine: docker.DockerClient, part: str) -> list[str]:
    """All references in the engine that contain ``part``."""
    return [tag for image in engine.api.images() for tag in image["RepoTags"] or () if part in tag]


def a_spec(bundle: Bundle, repository: str = "fares", **changes: Any) -> ImageSpec:
    return ImageSpec(bundle, repository, changes.pop("tags", (COMMIT,)), **changes)


def tar_of(entries: Mapping[str, bytes | str | None]) -> bytes:
    """A tar: bytes make a file, ``None`` a folder, a string a symbolic link to it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def a_layer(entries: Mapping[str, bytes | str | None], name: str = "1 of 1") -> Layer:
    return read_layer(io.BytesIO(tar_of(entries)), name)


def config_entries(bundle: Bundle) -> dict[str, bytes | str | None]:
    """The layer an environment image has for the bundle."""
    return {f"app/configs/{name}": data for name, data in bundle.contents().items()}


def an_image(
    bundle: Bundle,
    *layers: Mapping[str, bytes | str | None],
    labels: Mapping[str, str | None] | None = None,
    variables: Mapping[str, str | None] | None = None,
) -> OpenedImage:
    """An opened image with these layers; labels and variables are the bundle's but for the changes given."""
    told = {**config_labels(bundle), **(labels or {})}
    named = {**environment_variables(bundle), **(variables or {})}
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [sha256_of(tar_of(layer)) for layer in layers]},
        "config": {
            "Labels": {key: value for key, value in told.items() if value is not None},
            "Env": [f"{key}={value}" for key, value in named.items() if value is not None],
        },
    }
    opened = [a_layer(layer, f"{number} of {len(layers)}") for number, layer in enumerate(layers, start=1)]
    return OpenedImage.of("the image", sha256_of(json.dumps(config).encode()), config, opened)


def output_of(*command: str, **options: Any) -> str:
    """What the command prints; the test fails with its complaint if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def ignore(_line: str) -> None:
    """A progress that nobody watches."""

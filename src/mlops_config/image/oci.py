"""Opens an image that lies in blobs, in a registry or an OCI image layout on disk, every digest checked."""

import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlops_config.bundle.bundle import sha256_of
from mlops_config.digests import is_digest
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.image.layers import Hashing, Layer, read_layer
from mlops_config.image.opened import OpenedImage
from mlops_config.registry.content import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)

if TYPE_CHECKING:
    from mlops_config.registry.client import RegistryClient

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
REF_NAME = "org.opencontainers.image.ref.name"

_MAX_DOCUMENT_BYTES = 8 << 20
_SPOOLED_BYTES = 16 << 20


class Blobs(ABC):
    """Where an image's manifests and blobs lie."""

    origin: str
    """For messages."""

    @abstractmethod
    def manifest(self, digest: str) -> Manifest:
        """The manifest, its digest checked."""

    @abstractmethod
    def blob(self, descriptor: Descriptor) -> bytes:
        """A small blob whole, its digest checked."""

    @abstractmethod
    def layer(self, descriptor: Descriptor, name: str) -> Layer:
        """A layer read through to its end, its digest checked."""


class RegistryBlobs(Blobs):
    """The blobs of one repository of a registry."""

    def __init__(self, client: "RegistryClient", origin: str) -> None:
        self._client = client
        self.origin = origin

    def manifest(self, digest: str) -> Manifest:
        found = self._client.manifest(digest)
        if found is None:
            raise IntegrityError(
                f"{self.origin} names the manifest {digest}, which its registry does not have"
            )
        return found

    def blob(self, descriptor: Descriptor) -> bytes:
        _refuse_huge(descriptor, self.origin)
        return self._client.blob(descriptor)

    def layer(self, descriptor: Descriptor, name: str) -> Layer:
        with tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as file:
            # Checked while it is written.
            self._client.blob_to(descriptor, file)
            file.seek(0)
            return read_layer(file, name)


class LayoutBlobs(Blobs):
    """The blobs of an OCI image layout.

    Raises:
        UsageError: ``folder`` is not a layout.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = str(folder)
        if not is_layout(folder):
            raise UsageError(
                f"{folder} is not an OCI image layout: it has no {LAYOUT_FILE} file",
                hint=f"make one from an image with: skopeo copy docker://IMAGE oci:{folder}",
            )

    def index(self) -> list[Descriptor]:
        """What the layout's index lists."""
        document = _parsed(self._read(self.folder / INDEX_FILE), f"{self.folder}/{INDEX_FILE}")
        return [
            Descriptor.from_json(entry, origin=f"{self.folder}/{INDEX_FILE}")
            for entry in document.get("manifests") or ()
        ]

    def path(self, digest: str) -> Path:
        """Where the blob lies, whether it is there or not."""
        if not is_digest(digest):
            raise IntegrityError(
                f"{self.origin} names a blob by {digest!r}; only sha256 digests are read here"
            )
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def manifest(self, digest: str) -> Manifest:
        data = self._read(self.path(digest))
        if sha256_of(data) != digest:
            raise IntegrityError(f"the manifest {digest} in {self.origin} is not what its digest says")
        document = _parsed(data, f"the manifest {digest} in {self.origin}")
        fallback = OCI_INDEX if "manifests" in document else OCI_MANIFEST
        return Manifest(str(document.get("mediaType") or fallback), data, digest)

    def blob(self, descriptor: Descriptor) -> bytes:
        _refuse_huge(descriptor, self.origin)
        data = self._read(self.path(descriptor.digest))
        if sha256_of(data) != descriptor.digest:
            raise IntegrityError(f"the blob {descriptor.digest} in {self.origin} is not what its digest says")
        return data

    def layer(self, descriptor: Descriptor, name: str) -> Layer:
        with self.open(descriptor) as stream:
            return read_layer(stream, name)

    @contextmanager
    def open(self, descriptor: Descriptor) -> Iterator[IO[bytes]]:
        """The blob as a stream; on leaving it has been read to its end and checked."""
        try:
            with self.path(descriptor.digest).open("rb") as file:
                hashing: Any = Hashing(file)
                yield hashing
                hashing.check(
                    descriptor.digest, descriptor.size, f"the blob {descriptor.digest} in {self.origin}"
                )
        except FileNotFoundError as error:
            raise IntegrityError(f"{self.origin} lacks the blob {descriptor.digest}") from error

    def _read(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size > _MAX_DOCUMENT_BYTES:
                    raise IntegrityError(f"{path} is larger than a manifest or image configuration may be")
                return file.read()
        except FileNotFoundError as error:
            raise IntegrityError(f"{self.origin} lacks {path.relative_to(self.folder)}") from error
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Image:
    """An image's manifest and configuration, its layers not yet read."""

    manifest: Manifest
    config_descriptor: Descriptor
    config: dict[str, Any]

    @property
    def platform(self) -> str:
        """Such as ``linux/amd64``."""
        return platform_of(self.config)

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""
        return dict((self.config.get("config") or {}).get("Labels") or {})


def platform_of(document: Mapping[str, Any]) -> str:
    """Operating system, architecture and variant as far as the image configuration or index entry says."""
    return "/".join(str(document[key]) for key in ("os", "architecture", "variant") if document.get(key))


def is_layout(folder: Path) -> bool:
    """Whether ``folder`` is an OCI image layout."""
    return (folder / LAYOUT_FILE).is_file()


def find_image(blobs: Blobs, manifest: Manifest, platform: str | None = None) -> Image:
    """The image the manifest describes; of an index the one for ``platform``, or the only one.

    Raises:
        UsageError: there is none for the platform, or several and no platform is named.
        IntegrityError: it is not an image, or a part is missing or wrong.
    """
    if manifest.media_type in {OCI_INDEX, DOCKER_LIST}:
        return find_image(blobs, blobs.manifest(_choose(manifest, platform, blobs.origin)), platform)
    document = manifest.document()
    if manifest.media_type not in {OCI_MANIFEST, DOCKER_MANIFEST} or "config" not in document:
        raise IntegrityError(f"{blobs.origin} is not an image but {manifest.media_type}")
    descriptor = Descriptor.from_json(document["config"], origin=f"the manifest {manifest.digest}")
    config = _parsed(blobs.blob(descriptor), f"the configuration {descriptor.digest} of {blobs.origin}")
    if "rootfs" not in config:
        raise IntegrityError(f"{blobs.origin} is an artifact, not an image")
    return Image(manifest, descriptor, config)


def open_image(blobs: Blobs, image: Image) -> OpenedImage:
    """The image with all its layers read and checked.

    Raises:
        IntegrityError: a part is missing or not what its digest says.
    """
    layers = image.manifest.layers()
    return OpenedImage.of(
        blobs.origin,
        image.config_descriptor.digest,
        image.config,
        [blobs.layer(layer, f"{number} of {len(layers)}") for number, layer in enumerate(layers, start=1)],
        image.manifest.digest,
    )


def layout_image(blobs: LayoutBlobs, tag: str | None = None, platform: str | None = None) -> Image:
    """The image in a layout that goes by ``tag``; without one, the only image there is.

    Raises:
        UsageError: there is none by that tag, or several to choose from.
    """
    entries = blobs.index()
    if tag is not None:
        entries = [entry for entry in entries if entry.annotations.get(REF_NAME) == tag]
    digests = sorted({entry.digest for entry in entries})
    if len(digests) != 1:
        names = sorted({name for entry in blobs.index() if (name := entry.annotations.get(REF_NAME))})
        wanted = f"no image tagged {tag}" if tag else f"{len(digests)} images"
        raise UsageError(
            f"{blobs.folder} holds {wanted}; expected one",
            hint=f"name one as {blobs.folder}:TAG; it has {', '.join(names) or 'no tags'}",
        )
    return find_image(blobs, blobs.manifest(digests[0]), platform)


def split_layout(text: str) -> tuple[Path, str | None] | None:
    """Folder and tag of ``FOLDER``, ``FOLDER:TAG`` or ``oci:FOLDER[:TAG]`` if that folder is a layout."""
    plain = text.removeprefix("oci:")
    if is_layout(Path(plain)):
        return Path(plain), None
    folder, colon, tag = plain.rpartition(":")
    return (Path(folder), tag) if colon and is_layout(Path(folder)) else None


def _choose(index: Manifest, platform: str | None, origin: str) -> str:
    choices = {}
    for entry in index.document().get("manifests") or ():
        name = platform_of(entry.get("platform") or {})
        # Attestations are listed beside the images they speak of, as of platform unknown.
        if not name.startswith("unknown"):
            choices[name] = Descriptor.from_json(entry, origin=origin).digest
    if platform is None and len(set(choices.values())) == 1:
        return next(iter(choices.values()))
    match = next((name for name in choices if name == platform), None) or next(
        (name for name in choices if platform and name.startswith(f"{platform}/")), None
    )
    if match is None:
        there = ", ".join(f"{name} {digest}" for name, digest in sorted(choices.items())) or "none"
        raise UsageError(
            f"{origin} is not there for {platform}"
            if platform
            else f"{origin} is there for several platforms",
            hint=f"it has {there}; name one of them as the platform, or by its digest",
        )
    return choices[match]


def _refuse_huge(descriptor: Descriptor, origin: str) -> None:
    if descriptor.size > _MAX_DOCUMENT_BYTES:
        raise IntegrityError(f"{origin}: {descriptor.digest} is larger than an image configuration may be")


def _parsed(data: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise IntegrityError(f"{name} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise IntegrityError(f"{name} is not a JSON object")
    return document

"""Opens an image from the tar stream an engine saves it as, in one pass and without holding a layer."""

import json
import posixpath
import tarfile
from collections.abc import Iterable
from typing import IO, Any

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError, MlopsConfigError
from mlops_config.image.layers import Layer, Pushback, read_layer
from mlops_config.image.opened import OpenedImage

_MAX_JSON_BYTES = 8 << 20
"""Of an image configuration or manifest; registries refuse manifests above 4 MiB."""


def open_archive(chunks: Iterable[bytes], origin: str) -> OpenedImage:
    """The one image in the archive ``docker save`` writes, whichever of its layouts the engine uses.

    Engines up to 24 write ``<id>/layer.tar`` and ``<config>.json``, later ones OCI blobs; both end in a
    ``manifest.json`` that says which is which, so every layer is read as it comes by.

    Raises:
        IntegrityError: the archive is cut off or is not an image's.
    """
    documents: dict[str, bytes] = {}
    layers: dict[str, Layer | MlopsConfigError] = {}
    links: dict[str, str] = {}
    stream: Any = Chunks(chunks)
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as archive:
            for member in archive:
                name = posixpath.normpath(member.name)
                if member.issym():
                    links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
                elif member.islnk():
                    links[name] = posixpath.normpath(member.linkname)
                elif content := archive.extractfile(member):
                    _take(content, member.size, name, documents, layers)
    except tarfile.TarError as error:
        raise IntegrityError(f"the engine's archive of {origin} is not readable: {error}") from error
    return _assemble(origin, documents, layers, links)


def _take(
    content: IO[bytes],
    size: int,
    name: str,
    documents: dict[str, bytes],
    layers: dict[str, Layer | MlopsConfigError],
) -> None:
    start = content.read(1)
    if start in (b"{", b"["):
        if size <= _MAX_JSON_BYTES:
            documents[name] = start + content.read()
        return
    rest: Any = Pushback(start, content)
    try:
        layers[name] = read_layer(rest, posixpath.dirname(name)[:12] or name)
    except MlopsConfigError as error:
        # Not every file is a layer. Whether it matters shows when the manifest has been read.
        layers[name] = error


def _assemble(
    origin: str,
    documents: dict[str, bytes],
    layers: dict[str, Layer | MlopsConfigError],
    links: dict[str, str],
) -> OpenedImage:
    entry = _manifest_entry(origin, documents)
    try:
        config = documents[links.get(entry["Config"], entry["Config"])]
        names = [links.get(name, name) for name in entry["Layers"] or []]
        found = [layers[name] for name in names]
        document = json.loads(config)
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"the engine's archive of {origin} lacks a part: {error}") from error
    whole = []
    for index, layer in enumerate(found, start=1):
        if isinstance(layer, MlopsConfigError):
            raise layer
        whole.append(Layer(f"{index} of {len(found)}", layer.entries))
    return OpenedImage.of(origin, sha256_of(config), document, whole)


def _manifest_entry(origin: str, documents: dict[str, bytes]) -> dict[str, Any]:
    try:
        entries = json.loads(documents["manifest.json"])
    except (KeyError, ValueError) as error:
        raise IntegrityError(f"the engine's archive of {origin} has no manifest.json") from error
    if not isinstance(entries, list) or len(entries) != 1 or not isinstance(entries[0], dict):
        raise IntegrityError(f"the engine's archive of {origin} does not hold exactly one image")
    return entries[0]


class Chunks:
    """A stream of the bytes that come in chunks of any size."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, fewer only at the end; all that is left when negative."""
        parts: list[memoryview] = []
        wanted = size
        while wanted != 0:
            if not self._rest:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self._rest = memoryview(chunk)
                continue
            part = self._rest if wanted < 0 else self._rest[:wanted]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            if wanted > 0:
                wanted -= len(part)
        return b"".join(parts)

"""Reads an image layer as a stream and keeps what matters: configuration files, wherever they are."""

import hashlib
import io
import posixpath
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import IO, Any

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.image.interface import CONFIG_DIR
from mlops_config.kinds import Kind

# https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_CHUNK = 1 << 20
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_CONFIG_NAME = re.compile(rf"(?:.+_)?(?:{'|'.join(Kind)})_config\.ya?ml")
CONFIG_FOLDERS = tuple(
    CONFIG_DIR[:end] for end in range(1, len(CONFIG_DIR) + 1) if f"{CONFIG_DIR}/"[end] == "/"
)
"""``/app/configs`` and the folders it lies in."""

MAX_FILE_BYTES = 4 << 20
"""Of a file at the configs: far above what validation lets in (256 KiB) or a manifest needs."""
MAX_ENTRIES = 10_000
"""Entries of interest in one layer; an environment image has five."""


class Sort(Enum):
    """What an entry of a layer is."""

    FILE = "a file"
    FOLDER = "a folder"
    LINK = "a link"
    OTHER = "a device or pipe"
    WHITEOUT = "a whiteout"
    OPAQUE = "an opaque whiteout"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a layer. ``path`` is absolute; of a whiteout it is what the whiteout hides."""

    path: str
    sort: Sort
    data: bytes | None = None
    """The bytes of a file at the configs; ``None`` elsewhere and above :data:`MAX_FILE_BYTES`."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer has at and above ``/app/configs``, and config files anywhere else in it."""

    name: str
    """What the image calls the layer, for messages."""
    entries: tuple[Entry, ...] = field(default=())


def read_layer(stream: IO[bytes], name: str) -> Layer:
    """The layer in ``stream``: a tar, plain or compressed with gzip or zstd, read once and never held whole.

    Raises:
        IntegrityError: it is not a tar, is cut off, or holds more at the configs than can be meant.
        UsageError: it is compressed with zstd and this Python cannot read that.
    """
    try:
        entries = []
        for entry in _entries_of_interest(stream, name):
            entries.append(entry)
            if len(entries) > MAX_ENTRIES:
                raise IntegrityError(f"layer {name} holds more than {MAX_ENTRIES} entries at {CONFIG_DIR}")
        return Layer(name, tuple(entries))
    except _unreadable() as error:
        raise IntegrityError(f"layer {name} is not a readable tar archive: {error}") from error


def files_of(layers: Iterable[Layer]) -> dict[str, Entry]:
    """What the layers, lowest first, leave at the configs' folder: entries by absolute path, folders too."""
    tree: dict[str, Entry] = {}
    for layer in layers:
        for entry in layer.entries:
            if entry.sort is Sort.WHITEOUT:
                _remove(tree, entry.path)
            elif entry.sort is Sort.OPAQUE:
                _remove(tree, entry.path, itself=False)
        for entry in layer.entries:
            if entry.sort in {Sort.WHITEOUT, Sort.OPAQUE} or not _is_at_configs(entry.path):
                continue
            if entry.sort is not Sort.FOLDER:
                _remove(tree, entry.path)
            tree[entry.path] = entry
    return tree


def _remove(tree: dict[str, Entry], path: str, *, itself: bool = True) -> None:
    below = path.rstrip("/") + "/"
    for found in [name for name in tree if name.startswith(below) or (itself and name == path)]:
        del tree[found]


def _entries_of_interest(stream: IO[bytes], name: str) -> Iterator[Entry]:
    with tarfile.open(fileobj=_decompressed(stream, name), mode="r|*", bufsize=_CHUNK) as archive:
        while (member := archive.next()) is not None:
            # Members pile up otherwise: a base image may have a million.
            archive.members.clear()  # type: ignore[attr-defined] # there, but not in the stubs
            path = posixpath.normpath(f"/{member.name}").replace("//", "/")
            folder, base = posixpath.split(path)
            if base == _OPAQUE:
                hidden, sort = folder, Sort.OPAQUE
            elif base.startswith(_WHITEOUT):
                hidden, sort = posixpath.join(folder, base.removeprefix(_WHITEOUT)), Sort.WHITEOUT
            else:
                hidden, sort = path, _sort_of(member)
            if not (_is_at_configs(hidden) or _CONFIG_NAME.fullmatch(posixpath.basename(hidden))):
                continue
            data = None
            if sort is Sort.FILE and _is_at_configs(hidden) and member.size <= MAX_FILE_BYTES:
                content = archive.extractfile(member)
                data = content.read() if content else None
            yield Entry(hidden, sort, data)


def _is_at_configs(path: str) -> bool:
    return path in CONFIG_FOLDERS or path == "/" or path.startswith(f"{CONFIG_DIR}/")


def _sort_of(member: tarfile.TarInfo) -> Sort:
    if member.isdir():
        return Sort.FOLDER
    if member.isreg():
        return Sort.FILE
    return Sort.LINK if member.issym() or member.islnk() else Sort.OTHER


def _decompressed(stream: IO[bytes], name: str) -> IO[bytes]:
    start = stream.read(len(_ZSTD_MAGIC))
    whole: Any = Pushback(start, stream)
    if start != _ZSTD_MAGIC:
        return whole  # type: ignore[no-any-return] # it reads like a file, which is all tarfile needs
    zstd = _zstd()
    if zstd is None:
        raise UsageError(
            f"layer {name} is compressed with zstd, which this Python cannot read",
            hint="use Python 3.14, or install the package backports.zstd beside this one",
        )
    return zstd.ZstdFile(whole, "rb")  # type: ignore[no-any-return] # one of two modules of one interface


def _zstd() -> Any:
    import importlib

    for module in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    return None


def _unreadable() -> tuple[type[Exception], ...]:
    """What reading a broken or cut off layer raises."""
    zstd = _zstd()
    return (tarfile.TarError, EOFError, ValueError, *((zstd.ZstdError,) if zstd else ()))


class Pushback:
    """A stream with the bytes already taken from it put back in front."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start = io.BytesIO(start)
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; all that is left when negative."""
        start = self._start.read(size)
        if size < 0:
            return start + self._rest.read()
        return start + self._rest.read(size - len(start)) if len(start) < size else start


class Hashing:
    """A stream that counts and hashes what is read from it, to be compared with the digest that names it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; all that is left when negative."""
        data = self._stream.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data

    def check(self, digest: str, size: int, name: str) -> None:
        """Reads the rest and compares.

        Raises:
            IntegrityError: the bytes are not those of ``digest``, or not ``size`` many.
        """
        while self.read(_CHUNK):
            pass
        found = f"sha256:{self._hash.hexdigest()}"
        if found != digest or self.size != size:
            raise IntegrityError(
                f"{name} is not what its digest says: expected {digest} of {size} bytes,"
                f" found {found} of {self.size} bytes"
            )

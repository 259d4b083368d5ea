"""The bundle as a tar archive whose bytes depend on nothing but the bundle."""

import struct
import tarfile
from pathlib import Path

from mlops_config.bundle.bundle import Bundle
from mlops_config.errors import IntegrityError, UsageError

BLOCK_BYTES = 512
RECORD_BYTES = 20 * BLOCK_BYTES
MAX_MEMBER_BYTES = 1024 * 1024
"""No file of a bundle is larger: a configuration has at most 256 KiB, the manifest far less."""


def to_tar(bundle: Bundle) -> bytes:
    r"""The bundle's contents as an uncompressed USTAR archive: sorted names, mode 0644, owner 0, time 0.

    GNU tar writes the same bytes from a folder with the five files::

        tar --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0644 \
            -cf bundle.tar *

    The headers are made here because the device fields ``tarfile`` writes depend on the version of Python.
    """
    members = sorted(bundle.contents().items())
    blocks = b"".join(_header(name, len(data)) + _padded(data, BLOCK_BYTES) for name, data in members)
    return _padded(blocks + bytes(2 * BLOCK_BYTES), RECORD_BYTES)


def _header(name: str, size: int) -> bytes:
    """A regular file's USTAR header block (POSIX.1-2017, pax, "ustar Interchange Format")."""
    header = struct.pack(
        "100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x",
        name.encode(),
        b"0000644",
        b"0000000",
        b"0000000",
        b"%011o" % size,
        b"%011o" % 0,
        b" " * 8,
        b"0",
        b"",
        b"ustar",
        b"00",
        b"",
        b"",
        b"0000000",
        b"0000000",
        b"",
    )
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _padded(data: bytes, unit: int) -> bytes:
    return data + bytes(-len(data) % unit)


def read_archive(path: Path) -> Bundle:
    """The bundle in a tar archive, every digest checked; nothing is extracted to disk.

    Raises:
        UsageError: ``path`` cannot be read.
        IntegrityError: it is no tar archive, or not of a bundle.
    """
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path, mode="r:") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is None or member.size > MAX_MEMBER_BYTES or member.name in contents:
                    raise IntegrityError(f"{path} holds {member.name!r}, which no bundle holds")
                contents[member.name] = stream.read()
    except tarfile.TarError as error:
        raise IntegrityError(f"{path} is not a bundle archive: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return Bundle.from_contents(contents, origin=str(path))


def read_folder(path: Path) -> Bundle:
    """The bundle in a folder such as ``/app/configs`` or what ``oras pull`` wrote, every digest checked.

    Raises:
        UsageError: ``path`` cannot be read.
        IntegrityError: the folder does not hold a bundle and nothing else.
    """
    contents: dict[str, bytes] = {}
    try:
        for entry in sorted(path.iterdir()):
            if not entry.is_file() or entry.stat().st_size > MAX_MEMBER_BYTES:
                raise IntegrityError(f"{path} holds {entry.name!r}, which no bundle holds")
            contents[entry.name] = entry.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return Bundle.from_contents(contents, origin=str(path))

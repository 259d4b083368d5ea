"""The bundle as a tar archive whose bytes depend on nothing but the bundle."""

import tarfile
from pathlib import Path

from mlops_config.bundle.bundle import Bundle
from mlops_config.bundle.ustar import deterministic_tar
from mlops_config.errors import IntegrityError, UsageError

MAX_MEMBER_BYTES = 1024 * 1024
"""No file of a bundle is larger: a configuration has at most 256 KiB, the manifest far less."""


def to_tar(bundle: Bundle) -> bytes:
    r"""The bundle's contents as an uncompressed USTAR archive: sorted names, mode 0644, owner 0, time 0.

    GNU tar writes the same bytes from a folder with the five files::

        tar --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0644 \
            -cf bundle.tar *
    """
    return deterministic_tar(dict(sorted(bundle.contents().items())))


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

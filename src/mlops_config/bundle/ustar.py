"""Tar archives whose bytes depend on names and contents alone, whatever the version of Python."""

import tarfile
from collections.abc import Mapping


def deterministic_tar(files: Mapping[str, bytes]) -> bytes:
    """A plain USTAR archive of ``files`` in the order given, each folder before what is in it.

    Owner and group are 0 without names, times the epoch, modes 0644 and 0755: what GNU tar writes with
    ``--format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX``.
    """
    blocks = bytearray()
    folders: set[str] = set()
    for name, data in files.items():
        parts = name.split("/")[:-1]
        for folder in ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1)):
            if folder not in folders:
                folders.add(folder)
                blocks += _header(folder, tarfile.DIRTYPE, 0o755, 0)
        blocks += (
            _header(name, tarfile.REGTYPE, 0o644, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
        )
    blocks += bytes(2 * tarfile.BLOCKSIZE)
    return bytes(blocks) + bytes(-len(blocks) % tarfile.RECORDSIZE)


def _header(name: str, sort: bytes, mode: int, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size = sort, mode, size
    block = bytearray(entry.tobuf(tarfile.USTAR_FORMAT))
    # Which bytes tarfile writes for "no device" depends on the version of Python; GNU tar writes zeros.
    block[329:345] = b"0000000\0" * 2
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)

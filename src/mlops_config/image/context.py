"""The build context: one environment's files, made from the bundle's bytes and nothing from the work tree."""

import tarfile
from collections.abc import Mapping
from pathlib import Path

from mlops_config.bundle.bundle import Bundle
from mlops_config.errors import UsageError

# Beside this module in an installed wheel, at its own place in a checkout.
_SHIPPED = (Path(__file__).parent / "Dockerfile", Path(__file__).parents[3] / "docker" / "Dockerfile")


def dockerfile_of(path: Path | None) -> bytes:
    """The Dockerfile at ``path``, or the one this package ships.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    if path is None:
        path = next((shipped for shipped in _SHIPPED if shipped.is_file()), _SHIPPED[0])
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the Dockerfile {path} cannot be read: {error.strerror}",
            hint="give its path from the repository root, or leave it out to use the one shipped",
        ) from error


def build_arguments(bundle: Bundle, base: str) -> dict[str, str]:
    """What the Dockerfile's ``ARG`` lines are given."""
    return {"BASE_IMAGE": base, "ENVIRONMENT": bundle.environment, "CONFIG_DIGEST": bundle.digest}


def build_context(bundle: Bundle, dockerfile: bytes) -> bytes:
    """A tar with ``Dockerfile`` and, under ``configs/<environment>/``, the four files and their manifest.

    Equal input gives equal bytes, so an engine's build cache holds from one machine to the next.
    """
    folder = f"configs/{bundle.environment}"
    contents = {f"{folder}/{name}": data for name, data in sorted(bundle.contents().items())}
    return deterministic_tar({"Dockerfile": dockerfile, **contents})


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

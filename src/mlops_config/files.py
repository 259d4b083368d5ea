"""Writing files so that a reader sees the old content or the new, never half of it."""

import errno
import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Puts ``data`` at ``path`` (folders made as needed) by renaming a finished temporary file beside it.

    Raises:
        OSError: the disk is full, the folder refuses, or ``path`` is a folder itself; nothing is left behind
            and the old content stays.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            os.fchmod(stream.fileno(), 0o644)
        os.replace(temporary, path)  # noqa: PTH105 the rename is the point, and both ends are named
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_output_folder(path: Path) -> Path:
    """``path`` as a folder for generated files, which tells git to look away."""
    path.mkdir(parents=True, exist_ok=True)
    ignore = path / ".gitignore"
    if not ignore.exists():
        write_atomically(ignore, b"*\n")
    return path

"""A lock between processes, held on a file and freed by the system when its holder ends, however it ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlops_config.errors import ServiceError

_LIMIT_SECONDS = 30.0
_PAUSE_SECONDS = 0.02

if os.name == "nt":
    import msvcrt

    def _try_lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore] # Windows only
else:
    import fcntl

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def exclusive(path: Path, *, limit: float = _LIMIT_SECONDS) -> Iterator[None]:
    """Holds the lock on ``path`` for the block; waits ``limit`` seconds for it.

    The file is made when missing and never removed.

    Raises:
        ServiceError: another process held it all that time.
        OSError: the file cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    try:
        deadline = time.monotonic() + limit
        while True:
            try:
                _try_lock(handle)
                break
            except (BlockingIOError, PermissionError) as error:
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"another process has held the lock {path} for {limit:.0f} s",
                        hint="wait for it to end, or end it, then run the command again",
                    ) from error
                time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(handle)

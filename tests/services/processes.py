"""Starting server processes for tests: a free port, and waiting until it answers."""

import socket
import subprocess
import time
from pathlib import Path

_LIMIT_SECONDS = 30.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def until_listening(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Returns once ``process`` takes connections on ``port``; raises with its log when it does not."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(
        f"{process.args!r} does not listen on port {port}:\n{log.read_text(errors='replace')[-4000:]}"
    )

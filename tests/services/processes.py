"""Server processes for tests: on a free port, waited for until they answer, ended by their id."""

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_LIMIT_SECONDS = 30.0
_END_SECONDS = 20.0


@contextmanager
def server(
    command: Sequence[str],
    port: int,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[None]:
    """The block runs while the command does and listens on ``port`` of 127.0.0.1; ``log`` gets its output."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, cwd=cwd, stdout=output, stderr=output)
    try:
        until_listening(port, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=_END_SECONDS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def until_listening(
    port: int, process: "subprocess.Popen[bytes]", log: Path, *, host: str = "127.0.0.1"
) -> None:
    """Returns once ``process`` takes connections on ``port``; raises with its log when it does not."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection((host, port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(
        f"{process.args!r} does not listen on port {port}:\n{log.read_text(errors='replace')[-4000:]}"
    )

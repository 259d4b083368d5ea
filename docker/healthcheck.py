"""The image's health check: where a model server runs, it must answer; a job is healthy while it runs."""

import os
import sys
import urllib.request
from pathlib import Path

SERVERS = {b"serve", b"serving"}


def main() -> int:
    """0 when healthy, 1 when not."""
    words = Path("/proc/1/cmdline").read_bytes().split(b"\0")
    if not SERVERS & {word.rpartition(b"/")[2] for word in words}:
        return 0
    port = _port(words)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except OSError as error:
        sys.stderr.write(f"no answer on port {port}: {error}\n")
        return 1


def _port(words: list[bytes]) -> str:
    """The last port that the command line names, as the server itself reads it."""
    said = os.environ.get("AIP_HTTP_PORT") or "8080"
    for option, value in zip(words, [*words[1:], b""], strict=True):
        if option == b"--port":
            said = value.decode()
        elif option.startswith(b"--port="):
            said = option.removeprefix(b"--port=").decode()
    return said


if __name__ == "__main__":
    sys.exit(main())

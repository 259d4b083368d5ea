"""Starts providers in a blink: loads everything once, and forks for each that Terraform starts.

``-m tests.terraform.provider.preloaded SOCKET`` listens there until whoever started it ends. Terraform starts
each provider several times for a single plan, and Python with gRPC takes longer to load than it to answer.
"""

import json
import os
import signal
import socket
import sys
import threading
from typing import NoReturn

import grpc._server  # type: ignore[import-untyped]  # noqa: F401 gRPC would load it with the first server

from tests.terraform.provider import __main__ as provider

_LOOK_AROUND_SECONDS = 5.0


def serve(path: str) -> None:
    """Says ``ready`` when it listens. Single-threaded, and gRPC is only imported: so forks are sound."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(os.path.dirname(path))  # noqa: PTH120 a whole path may be longer than a socket's may be
    listener.bind(os.path.basename(path))  # noqa: PTH119
    listener.listen(64)
    listener.settimeout(_LOOK_AROUND_SECONDS)
    starter = os.getppid()
    print("ready", flush=True)
    while os.getppid() == starter:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            listener.close()
            _become_a_provider(connection)
        connection.close()


def _become_a_provider(connection: socket.socket) -> NoReturn:
    """Serves with the starter's streams, folder and environment until Terraform or the starter ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.settimeout(None)
    try:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        with connection.makefile("rb") as lines:
            order = json.loads(lines.readline())
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        done = threading.Event()

        def until_the_starter_dies() -> None:
            connection.recv(1)
            done.set()

        threading.Thread(target=until_the_starter_dies, daemon=True).start()
        provider.main(*order["arguments"], done=done)
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve(sys.argv[1])

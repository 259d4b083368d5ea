"""What Terraform starts as the provider: lets the process serve that has everything loaded, ``preloaded.py``.

``starting.py SOCKET PYTHON FAMILY SCHEMA IDENTITY`` imports nothing that takes long. Where nobody listens on
``SOCKET`` it becomes a provider of its own.
"""

import json
import os
import signal
import socket
import sys


def main(path: str, python: str, *arguments: str) -> None:
    """Returns when the provider has ended; a signal to Terraform's whole group is Terraform's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(socket.AF_UNIX)
    here = os.getcwd()  # noqa: PTH109 pathlib takes long to load
    folder, _, name = path.rpartition("/")
    try:
        os.chdir(folder)
        try:
            connection.connect(name)  # By its name alone: a whole path may be longer than a socket's may be.
        finally:
            os.chdir(here)
        socket.send_fds(connection, [b" "], [0, 1, 2])
    except OSError:
        os.execv(python, [python, "-m", "tests.terraform.provider", *arguments])  # noqa: S606 no shell on purpose
    order = json.dumps({"arguments": arguments, "environment": dict(os.environ), "folder": here})
    connection.sendall(order.encode() + b"\n")
    connection.recv(1)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Serves a provider to the Terraform that starts it (``-m tests.terraform.provider aws SCHEMA IDENTITY``)."""

# The names of the methods and their parameters are the plug-in protocol's.
# ruff: noqa: N802, ARG002

import json
import os
import shutil
import sys
import tempfile
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from tf.gen import grpc_controller_pb2 as controller  # type: ignore[import-not-found]
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.terraform.provider.service import Provider

_COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
"""What Terraform gives its plug-ins, so that a person who starts one by hand is told what it is."""
_LARGEST_MESSAGE = 64 << 20


class _Controller(controller_rpc.GRPCControllerServicer):  # type: ignore[misc]
    def __init__(self, done: threading.Event) -> None:
        self._done = done

    def Shutdown(self, request: Any, context: Any) -> Any:
        self._done.set()
        return controller.Empty()


class _Output(stdio_rpc.GRPCStdioServicer):  # type: ignore[misc]
    def StreamStdio(self, request: Any, context: Any) -> Any:
        return iter(())


def main(family: str, schema: str, identity: str, *, done: threading.Event | None = None) -> None:
    """Serves until Terraform says that it is done; ``identity``: what ``tests.terraform.identity`` wrote.

    ``done`` is how somebody else may say it.
    """
    if os.environ.get("TF_PLUGIN_MAGIC_COOKIE") != _COOKIE:
        sys.exit(
            "This is a plug-in of Terraform: Terraform starts it. See tests/terraform/provider/README.md."
        )
    done = done or threading.Event()
    server = grpc.server(
        futures.ThreadPoolExecutor(16),
        options=[
            ("grpc.max_send_message_length", _LARGEST_MESSAGE),
            ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
        ],
    )
    rpc.add_ProviderServicer_to_server(Provider(family, json.loads(Path(schema).read_text("utf-8"))), server)
    controller_rpc.add_GRPCControllerServicer_to_server(_Controller(done), server)
    stdio_rpc.add_GRPCStdioServicer_to_server(_Output(), server)
    folder = tempfile.mkdtemp(prefix="standin-")
    key, pem, encoded = (
        Path(identity, name).read_bytes() for name in ("key.pem", "certificate.pem", "certificate.der64")
    )
    server.add_secure_port(f"unix://{folder}/socket", grpc.ssl_server_credentials([(key, pem)]))
    server.start()
    print(f"1|6|unix|{folder}/socket|grpc|{encoded.decode()}", flush=True)
    terraform = os.getppid()
    while not done.wait(1):
        if os.getppid() != terraform:  # It was killed, and nobody will say that we are done.
            break
    server.stop(0.2).wait()
    shutil.rmtree(folder, ignore_errors=True)
    # A call that hangs on order holds its thread; nothing is left to be done.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])

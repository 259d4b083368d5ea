"""Runs the model server: loads the model, listens, and ends without failing a request."""

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_config.errors import INTERRUPTED_EXIT_CODE, MlopsConfigError, UsageError
from mlops_config.ledger.entries import Draft, Event
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.metrics.export import destination
from mlops_config.runtime.serving.app import create_app
from mlops_config.runtime.serving.asgi import App
from mlops_config.runtime.serving.limits import Limits
from mlops_config.runtime.serving.loading import Loaded, load

if TYPE_CHECKING:
    import pyarrow as pa
    import uvicorn

LOOPBACK = "127.0.0.1"
VERTEX_PORT_VARIABLE = "AIP_HTTP_PORT"
_LEDGER_RETRY_SECONDS = 60.0
_LEDGER_JOIN_SECONDS = 5.0
_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 seconds of common balancers: the side that closes must be the one that sends."""


@dataclass(frozen=True, slots=True)
class ServingOutcome:
    """A server that has ended as it was told to."""

    model_version: int
    job_id: str
    url: str
    predictions: int

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"served version {self.model_version} at {self.url}: {self.predictions:,} predictions"

    def document(self) -> dict[str, Any]:
        """For ``--format json``."""
        return {
            "model_version": self.model_version,
            "job_id": self.job_id,
            "url": self.url,
            "predictions": self.predictions,
        }


def run(
    context: JobContext,
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    package: str | Path | None = None,
    model_version: int | None = None,
    limits: Limits | None = None,
) -> ServingOutcome:
    """Serves until SIGTERM or Ctrl-C, then lets go without failing a request.

    The first signal makes ``/readyz`` answer 503; for ``limits.drain_seconds`` requests are still accepted.
    Then nothing is accepted any more, requests being answered are finished, captured rows are written. A
    second signal ends the process at once, with exit code 130.

    Args:
        context: The configuration to serve with.
        host: Address to listen on.
        port: By default ``AIP_HTTP_PORT``, the local deployer's port, or 8080, the first of them there is.
        package: Folder, archive or URI of the model package; see :mod:`mlops_config.runtime.serving.loading`.
        model_version: Of that package in the registry.
        limits: What one caller may ask for, and how long ending may take.

    Raises:
        UsageError: the port is taken, or there is no model.
        IntegrityError: the model's files are not what its package says.
        ServiceError: the registry or the store stays away.
    """
    limits = limits or Limits()
    with _listening(host, port or _port(context)) as listener:
        number = listener.getsockname()[1]
        url = f"http://{_address(host, number)}"
        with context.console.stage("model") as stage:
            loaded = load(context, str(package) if package else None, model_version)
            app = _app(context, loaded, url, limits)
            stage.done(f"{loaded.origin}, {'direct' if app.is_direct else 'through data frames'}")
        with _recorded(context, loaded, url):
            context.console.say(f"serving {loaded.model.name} version {loaded.model.version} at {url}")
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_serve(app, listener, limits))
    return ServingOutcome(loaded.model.version, context.job_id, url, app.predictions)


def _port(context: JobContext) -> int:
    said = os.environ.get(VERTEX_PORT_VARIABLE)
    if said:
        if not said.isascii() or not said.isdigit() or not 0 < int(said) < 65_536:
            raise UsageError(f"{VERTEX_PORT_VARIABLE}={said!r} is no port")
        return int(said)
    deployer = context.configs.inference.deployer
    return deployer.port if deployer.target == "local" else 8080


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to the address before the model is loaded, so that a taken port is told at once."""
    try:
        listener = _bound(host, port)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {_address(host, port)}: {error.strerror or error}", hint=_advice(error)
        ) from error
    with listener:
        yield listener


def _bound(host: str, port: int) -> socket.socket:
    # A kernel without IPv6 refuses the socket, before there is anything to bind.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _address(host: str, port: int) -> str:
    """As it stands in a URL: an address of IPv6 in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another server may be there: say --port with a free one, or end the other"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "ports below 1024 are for administrators: say --port with a higher one"
    return "say --host with an address of this machine; 0.0.0.0 is all of them"


def _app(context: JobContext, loaded: Loaded, url: str, limits: Limits) -> App:
    return create_app(
        loaded.package,
        inference=context.configs.inference,
        monitoring=context.configs.monitoring,
        model_version=loaded.model.version,
        config_digest=context.config_digest,
        job_id=context.job_id,
        commit=context.provenance.commit,
        url=url,
        limits=limits,
        write=lambda table, uri: _write(context, table, uri),
        jobs=destination(context.root).directory,
    )


def _write(context: JobContext, table: "pa.Table", uri: str) -> None:
    from mlops_config.runtime.data.writing import write_table

    write_table(table, uri, "parquet", context.root)


@contextmanager
def _recorded(context: JobContext, loaded: Loaded, url: str) -> Iterator[None]:
    """Writes down that the version is served. A ledger that is away is tried again while the server runs.

    Serving goes on meanwhile: whoever restarts a server needs predictions more than a record of the restart.
    """
    draft = Draft(
        event=Event.SERVED,
        time=context.now,
        job_id=context.job_id,
        model=loaded.model,
        uri=url,
        **context.subject(),
    )
    ended = threading.Event()

    def record() -> None:
        while True:
            try:
                context.ledger.append(draft)
            except MlopsConfigError as error:
                context.console.say(f"the ledger does not have this server yet: {error.message}")
            else:
                return
            if ended.wait(_LEDGER_RETRY_SECONDS):
                return

    thread = threading.Thread(target=record, name="ledger", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=_LEDGER_JOIN_SECONDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if os.name == "nt":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _serve(app: App, listener: socket.socket, limits: Limits) -> None:
    import uvicorn

    told = asyncio.Event()
    _listen_for_signals(told)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            lifespan="on",
            http="httptools",
            ws="none",
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, int(limits.finish_seconds)),
        )
    )
    # Signals are ours: the server's own way would end at once, and kill the process with the signal again.
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
    ending = asyncio.ensure_future(_end_when(told, app, server, limits))
    await server.serve(sockets=[listener])
    ending.cancel()
    if not server.started:
        raise UsageError("the server did not start; the log says why")


def _listen_for_signals(told: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if os.name == "nt":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(_on_signal, told))
        else:
            loop.add_signal_handler(number, _on_signal, told)


async def _end_when(told: asyncio.Event, app: App, server: "uvicorn.Server", limits: Limits) -> None:
    await told.wait()
    app.draining = True
    await asyncio.sleep(limits.drain_seconds)
    server.should_exit = True


def _on_signal(told: asyncio.Event) -> None:
    if told.is_set():
        # Whoever asks twice does not want to wait; not even for what is being written.
        os._exit(INTERRUPTED_EXIT_CODE)
    told.set()

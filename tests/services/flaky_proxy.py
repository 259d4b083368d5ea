"""An HTTP proxy on loopback in front of a real server: it passes all on, but for the faults it is told."""

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

ALWAYS = 1_000_000
_SECONDS = 30
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}

When = Callable[[str, str], bool]
"""Picks the requests a fault is for, by method and path."""


@dataclass(frozen=True)
class Answer:
    """Answers in the server's place, which never sees the request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Drop:
    """Closes the connection before the server sees the request, or after it acted on it (``delivered``)."""

    delivered: bool = False


@dataclass(frozen=True)
class CutShort:
    """Passes on the server's answer but closes the connection in the middle of its body."""


@dataclass(frozen=True)
class Corrupt:
    """Passes the request on with its body's first byte changed."""


@dataclass
class Stall:
    """Holds the request back until ``release`` is set, then drops it; ``reached`` is set when it came."""

    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


Fault = Answer | Drop | CutShort | Corrupt | Stall


@dataclass
class _Planned:
    fault: Fault
    times: int
    when: When


class FlakyProxy:
    """``host`` is ``127.0.0.1:<port>``; ``requests`` lists method and path of all that came, in order.

    ``authorized`` lists those of them that brought credentials.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.requests: list[tuple[str, str]] = []
        self.authorized: list[tuple[str, str]] = []
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def fail(self, fault: Fault, *, times: int = 1, when: When = lambda _method, _path: True) -> None:
        """The next ``times`` requests that ``when`` picks meet ``fault``, then what was planned next."""
        with self._lock:
            self._planned.append(_Planned(fault, times, when))

    def heal(self) -> None:
        """Forgets all faults."""
        with self._lock:
            self._planned.clear()

    def next_fault(self, method: str, path: str) -> Fault | None:
        """Notes the request and returns the fault it meets."""
        with self._lock:
            self.requests.append((method, path))
            for planned in self._planned:
                if planned.times and planned.when(method, path):
                    planned.times -= 1
                    return planned.fault
        return None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(_SECONDS)
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: ClassVar[FlakyProxy]

    def handle_any(self) -> None:
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "Authorization" in self.headers:
            self.proxy.authorized.append((self.command, self.path))
        fault = self.proxy.next_fault(self.command, self.path)
        match fault:
            case Answer():
                self._answer(fault.status, list(fault.headers.items()), fault.body)
                return
            case Drop(delivered=False):
                return
            case Stall():
                fault.reached.set()
                fault.release.wait(_SECONDS)
                return
            case _:
                pass
        if isinstance(fault, Corrupt):
            body = bytes([body[0] ^ 1]) + body[1:]
        status, headers, answer = self._forward(body)
        if not isinstance(fault, Drop):
            self._answer(status, headers, answer, cut=isinstance(fault, CutShort))

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names it looks for

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.proxy.upstream, timeout=_SECONDS)
        try:
            headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for key, value in headers:
            if key.lower() == "content-length" and self.command == "HEAD":
                length = value
            if key.lower() not in _HOP_BY_HOP:
                self.send_header(key, value)
        self.send_header("Content-Length", length)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it is called by
        """Nothing: the test says what it saw."""


@contextmanager
def flaky_proxy(upstream: str) -> Iterator[FlakyProxy]:
    """A proxy in front of ``host:port`` that runs for the block."""
    proxy = FlakyProxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()

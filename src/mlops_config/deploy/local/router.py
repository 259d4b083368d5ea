"""A reverse proxy on loopback that shares requests out between revisions and drops none while they change.

It is a process of its own: ``python -m mlops_config.deploy.local.router FOLDER PORT``. Before each request it
looks whether ``routes.json`` in the folder is a new file, so a change counts for every request that begins
after it. A revision that is to be stopped may be once the router says, at ``/-/router``, that it has the new
routes and no request of that revision is open.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from mlops_config.deploy.local.processes import LAUNCH_VARIABLE
from mlops_config.deploy.local.state import ROUTES_NAME, Route, Routes

STATUS_PATH = "/-/router"
REVISION_HEADER = "Mlops-Revision"
HEAD_LIMIT = 64 << 10
BODY_LIMIT = 64 << 20

_CHUNK = 64 << 10
_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 75.0
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect"}
"""Headers about one connection (RFC 9110, section 7.6.1); the body's framing is sent anew."""


class Refused(Exception):  # noqa: N818 it is an answer, not an error of ours
    """The request is answered by the router itself."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Request(NamedTuple):
    """A request read to its end."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to send another one on the connection (RFC 9112, section 9.3)."""
        wish = _value(self.headers, "connection").lower()
        return "close" not in wish if self.version == "HTTP/1.1" else "keep-alive" in wish


class Choice:
    """Smooth weighted round-robin: of any 100 requests in a row each route gets its percent, well mixed."""

    def __init__(self) -> None:
        self._current: Counter[str] = Counter()

    def order(self, routes: tuple[Route, ...]) -> list[Route]:
        """The route for this request first, then the others, should it not be there."""
        served = [route for route in routes if route.percent > 0]
        if not served:
            return []
        for route in served:
            self._current[route.revision] += route.percent
        first = max(served, key=lambda route: self._current[route.revision])
        self._current[first.revision] -= sum(route.percent for route in served)
        return [first, *(route for route in served if route is not first)]


class Router:
    """The proxy's state: the newest routes, and how many requests each revision is answering."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / ROUTES_NAME
        self._stamp: tuple[int, int] | None = None
        self._choice = Choice()
        self._in_flight: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self._busy: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.StreamWriter] = set()
        self._closing = False
        self.routes = Routes()

    def refresh(self) -> Routes:
        """The routes as they are now; the last good ones while the file cannot be read."""
        with contextlib.suppress(OSError, ValueError):
            stat = self._file.stat()
            if (stamp := (stat.st_ino, stat.st_mtime_ns)) != self._stamp:
                self.routes = Routes.model_validate_json(self._file.read_bytes())
                self._stamp = stamp
        return self.routes

    def status(self) -> dict[str, object]:
        """What ``/-/router`` tells; the token proves that it is the router somebody started."""
        return {
            "token": os.environ.get(LAUNCH_VARIABLE, ""),
            "generation": self.refresh().generation,
            "in_flight": {name: count for name, count in self._in_flight.items() if count},
            "answered": dict(self._answered),
        }

    async def run(self, port: int) -> None:
        """Answers on ``port`` until SIGTERM or SIGINT, then ends the open requests."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        server = await asyncio.start_server(
            self._connected, "127.0.0.1", port, limit=HEAD_LIMIT, backlog=1024
        )
        async with server:
            await stop.wait()
            self._closing = True
            server.close()
            for writer in list(self._idle):
                writer.close()
            if self._busy:
                await asyncio.wait(self._busy)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 asyncio runs callbacks in tasks
        self._busy.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                while not self._closing and await self._one(reader, writer):
                    pass
        finally:
            self._busy.discard(task)
            with contextlib.suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers the next request on the connection; whether another may follow."""
        try:
            self._idle.add(writer)
            try:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE_SECONDS)
            finally:
                self._idle.discard(writer)
            request = await _read_request(head, reader, writer)
            if request.target.partition("?")[0] == STATUS_PATH:
                _answer(writer, HTTPStatus.OK, json.dumps(self.status()), keep=request.keeps_alive)
                keep = request.keeps_alive
            else:
                keep = await self._forward(request, writer)
        except asyncio.LimitOverrunError:
            _answer(writer, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, '{"detail": "headers too large"}')
            keep = False
        except Refused as refused:
            _answer(writer, refused.status, json.dumps({"detail": str(refused)}))
            keep = False
        await writer.drain()
        return keep

    async def _forward(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        for route in self._choice.order(self.refresh().routes):
            self._in_flight[route.revision] += 1
            try:
                answer = await self._sent(request, route)
                if answer is None:
                    continue
                keep = await _relay(request, answer, route, writer)
                self._answered[route.revision] += 1
                return keep
            finally:
                self._in_flight[route.revision] -= 1
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "no revision of this endpoint answers")

    async def _sent(self, request: Request, route: Route) -> "_Answer | None":
        """The revision's answer, its body still to come; ``None`` when it did not begin to answer."""
        try:
            opening = asyncio.open_connection("127.0.0.1", route.port, limit=HEAD_LIMIT)
            reader, writer = await asyncio.wait_for(opening, _CONNECT_SECONDS)
        except (OSError, TimeoutError):
            return None
        try:
            writer.write(_head_for_server(request) + request.body)
            await writer.drain()
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                status = int(head.split(b" ", 2)[1])
                if status >= HTTPStatus.OK:
                    return _Answer(status, head, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
            # It broke off before it answered. A prediction may be asked for twice, so the next one gets it.
            writer.close()
            return None


class _Answer(NamedTuple):
    status: int
    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _read_request(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    line, headers = _parsed(head)
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0") or not parts[1].startswith("/"):
        raise Refused(HTTPStatus.BAD_REQUEST, "not an HTTP/1.1 request")
    coding, length = _value(headers, "transfer-encoding").lower(), _value(headers, "content-length")
    if coding and (coding != "chunked" or length):
        # Two readings of where a body ends are how requests are smuggled (RFC 9112, section 6.3).
        raise Refused(HTTPStatus.BAD_REQUEST, "the request says in two ways where it ends")
    if length and not (length.isascii() and length.isdecimal()):
        raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length is not one number")
    if length and int(length) > BODY_LIMIT:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {BODY_LIMIT} bytes are taken")
    if _value(headers, "expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _chunked(reader) if coding else await reader.readexactly(int(length or 0))
    return Request(parts[0], parts[1], parts[2], headers, body)


def _parsed(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    line, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers = []
    for field in fields:
        name, colon, value = field.partition(":")
        if not colon or not name or name != name.strip():
            raise Refused(HTTPStatus.BAD_REQUEST, "a header line is broken")
        headers.append((name, value.strip()))
    return line, headers


def _value(headers: list[tuple[str, str]], name: str) -> str:
    return ", ".join(value for key, value in headers if key.lower() == name)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    """A chunked body, put together (RFC 9112, section 7.1)."""
    body = bytearray()
    while True:
        size = (await reader.readuntil(b"\r\n")).partition(b";")[0].strip()
        try:
            count = int(size, 16)
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "a chunk has no size") from None
        if count < 0 or len(body) + count > BODY_LIMIT:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {BODY_LIMIT} bytes are taken")
        if count == 0:
            while (await reader.readuntil(b"\r\n")) != b"\r\n":
                pass
            return bytes(body)
        body += await reader.readexactly(count)
        await reader.readexactly(2)


def _head_for_server(request: Request) -> bytes:
    framing = {"content-length", "transfer-encoding"}
    kept = [(n, v) for n, v in request.headers if n.lower() not in _HOP_BY_HOP | framing]
    if request.body or _value(request.headers, "content-length"):
        kept.append(("Content-Length", str(len(request.body))))
    kept.append(("Connection", "close"))
    lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in kept)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _relay(request: Request, answer: _Answer, route: Route, writer: asyncio.StreamWriter) -> bool:
    """Passes the answer on as it comes; whether the client's connection may be used again."""
    line, headers = _parsed(answer.head)
    empty = request.method == "HEAD" or answer.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    framed = empty or _value(headers, "content-length") or _value(headers, "transfer-encoding")
    keep = bool(framed) and request.keeps_alive
    kept = [(n, v) for n, v in headers if n.lower() not in _HOP_BY_HOP]
    kept += [(REVISION_HEADER, route.name), ("Connection", "keep-alive" if keep else "close")]
    writer.write("\r\n".join([line, *(f"{n}: {v}" for n, v in kept), "", ""]).encode("latin-1"))
    try:
        # The server closes after its answer, so the body is all that comes, in the framing it came in.
        while not empty and (part := await answer.reader.read(_CHUNK)):
            writer.write(part)
            await writer.drain()
    finally:
        answer.writer.close()
    return keep


def _answer(writer: asyncio.StreamWriter, status: HTTPStatus, body: str, *, keep: bool = False) -> None:
    data = body.encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    writer.write(head.encode() + data)


def main(arguments: list[str]) -> None:
    """Runs the router of a folder on a port."""
    asyncio.run(Router(Path(arguments[0])).run(int(arguments[1])))


if __name__ == "__main__":
    main(sys.argv[1:])

"""The model server as an ASGI application: routes, answers, and what happens to a request in between."""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic_core import to_json

from mlops_config.deploy.smoke import HEADER
from mlops_config.runtime.serving import openapi, page
from mlops_config.runtime.serving.batching import Batcher
from mlops_config.runtime.serving.capture import Capture, Captured
from mlops_config.runtime.serving.description import Serving
from mlops_config.runtime.serving.limits import Limits
from mlops_config.runtime.serving.predictor import Predictor
from mlops_config.runtime.serving.problems import MEDIA_TYPE, Problem
from mlops_config.runtime.serving.requests import Form, PredictionRequest, RequestReader, Row
from mlops_config.runtime.serving.telemetry import CONTENT_TYPE, Telemetry

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

JSON = b"application/json"
CSV = b"text/csv; charset=utf-8"
_SMOKE_HEADER = HEADER.lower().encode()
_LARGE_BODY_BYTES = 64 * 1024
"""Larger bodies are read in a thread, so that reading them holds up nobody else."""


class Answer:
    """One HTTP answer, all of it in memory."""

    __slots__ = ("body", "headers", "media_type", "status")

    def __init__(self, status: int, body: bytes, media_type: bytes = JSON, headers: Headers = ()) -> None:
        self.status = status
        self.body = body
        self.media_type = media_type
        self.headers = headers


class App:
    """Serves one model version; an ASGI server with lifespan runs it.

    Raises whatever the model raises when it cannot predict ``example``.
    """

    def __init__(
        self,
        serving: Serving,
        predictor: Predictor,
        telemetry: Telemetry,
        *,
        limits: Limits,
        example: Row,
        url: str,
        open_capture: Callable[[Telemetry], Capture] | None,
        predict_route: str,
        health_route: str,
        smoke_token: str | None = None,
    ) -> None:
        self.draining = False
        """Set by the server when it is told to end."""
        self._serving = serving
        self._predictor = predictor
        self._telemetry = telemetry
        self._limits = limits
        self._example = example
        self._smoke_token = smoke_token.encode() if smoke_token else None
        """With it the deployer asks before there is traffic: what is neither recorded nor counted."""
        self._open_capture = open_capture
        self._reader = RequestReader(serving.schema, max_rows=limits.max_rows)
        self._identity = {"model_version": serving.model_version, "config_digest": serving.config_digest}
        self._batcher: Batcher | None = None
        self._capture: Capture | None = None
        self._waiting_rows = 0
        self._numbers = 0
        described = openapi.document(serving, limits, predict_route=predict_route, health_route=health_route)
        fixed = {
            "/healthz": Answer(200, b'{"status":"alive"}'),
            "/openapi.json": Answer(200, to_json(described)),
            "/docs": Answer(
                200,
                page.render(serving, limits, url=url, prediction=predictor.predict([example])[0]),
                b"text/html; charset=utf-8",
                [(b"content-security-policy", page.CONTENT_SECURITY_POLICY)],
            ),
            "/": Answer(307, b"", b"text/plain", [(b"location", b"docs")]),
        }
        self._gets: dict[str, Callable[[], Answer]] = {
            **{path: partial(_same, answer) for path, answer in fixed.items()},
            "/metrics": lambda: Answer(200, telemetry.text(), CONTENT_TYPE),
            **dict.fromkeys(("/readyz", "/ping", health_route), self._readiness),
        }
        self._predicts = {"/predict": False, "/invocations": True} | {predict_route: False}

    @property
    def is_direct(self) -> bool:
        """Whether rows go to the estimator without a data frame in between."""
        return self._predictor.is_direct

    @property
    def predictions(self) -> int:
        """Given so far."""
        return self._numbers

    @property
    def is_ready(self) -> bool:
        """Whether it takes traffic."""
        return self._batcher is not None and not self.draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        is_mlflow = self._predicts.get(path)
        if is_mlflow is not None and method == "POST":
            await self._answer_predictions(scope, receive, send, mlflow=is_mlflow)
            return
        await self._send(send, self._answer(path, method), with_body=method != "HEAD")

    def _answer(self, path: str, method: str) -> Answer:
        if path in self._predicts:
            return _refusal(
                Problem(405, "predictions are asked for with POST", headers=[(b"allow", b"POST")])
            )
        get = self._gets.get(path)
        if get is None:
            return _refusal(Problem(404, "there is nothing here; the routes are described at /docs"))
        if method not in ("GET", "HEAD"):
            return _refusal(Problem(405, "this is read with GET", headers=[(b"allow", b"GET, HEAD")]))
        return get()

    def _readiness(self) -> Answer:
        if self.is_ready:
            return Answer(200, to_json({"status": "ready", **self._identity}))
        return Answer(503, to_json({"status": "ending" if self.draining else "starting", **self._identity}))

    async def start(self) -> None:
        """Gets ready: the model predicts its example once, so that the first caller does not pay for it.

        Raises:
            Exception: the model cannot predict its own example.
        """
        batcher = Batcher(self._predictor.predict, max_batch_rows=self._limits.max_batch_rows)
        await batcher.submit([self._example])
        self._batcher = batcher
        if self._open_capture is not None:
            self._capture = self._open_capture(self._telemetry)

    async def stop(self) -> None:
        """Ends what :meth:`start` began; captured rows are written."""
        self.draining = True
        if self._batcher is not None:
            await asyncio.to_thread(self._batcher.close)
        if self._capture is not None:
            await asyncio.to_thread(self._capture.close)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            log.exception("the model cannot be served")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer_predictions(self, scope: Scope, receive: Receive, send: Send, *, mlflow: bool) -> None:
        if self._is_smoke_test(scope["headers"]):
            await self._send(send, await self._predictions(scope, receive, mlflow=mlflow, told=False))
            return
        started = time.perf_counter()
        self._telemetry.in_flight.inc()
        status = 500
        try:
            answer = await self._predictions(scope, receive, mlflow=mlflow)
            status = answer.status
            await self._send(send, answer)
        except asyncio.CancelledError:
            # The caller is gone, or time to end is over.
            status = 499
            raise
        finally:
            self._telemetry.in_flight.dec()
            self._telemetry.count(status)
            self._telemetry.seconds.observe(time.perf_counter() - started)

    def _is_smoke_test(self, headers: list[tuple[bytes, bytes]]) -> bool:
        given = dict(headers).get(_SMOKE_HEADER, b"")
        return self._smoke_token is not None and hmac.compare_digest(given, self._smoke_token)

    async def _predictions(
        self, scope: Scope, receive: Receive, *, mlflow: bool, told: bool = True
    ) -> Answer:
        try:
            media_type, accept = _media_types(scope["headers"])
            body = await self._body(scope, receive)
            request = await self._read(body, media_type, mlflow=mlflow)
            predictions = await self._predict(request)
        except Problem as problem:
            if told:
                self._telemetry.refused.inc(problem.refused_rows)
            return _refusal(problem)
        except Exception:
            # What befell the model is for its owner, not for the caller.
            log.exception("a request could not be answered")
            return _refusal(Problem(500, "the model failed on these rows; the server's log says why"))
        return self._predicted(request, predictions, as_csv=accept == b"text/csv", told=told)

    async def _read(self, body: bytes, media_type: bytes, *, mlflow: bool) -> PredictionRequest:
        def read() -> PredictionRequest:
            if media_type == b"text/csv":
                return self._reader.read_csv(body)
            return self._reader.read_json(body, mlflow=mlflow)

        return read() if len(body) <= _LARGE_BODY_BYTES else await asyncio.to_thread(read)

    async def _predict(self, request: PredictionRequest) -> list[Any]:
        if self._batcher is None:
            raise Problem(503, "the server is starting", headers=[(b"retry-after", b"1")])
        rows = len(request.rows)
        if self._waiting_rows and self._waiting_rows + rows > self._limits.max_waiting_rows:
            raise Problem(503, "too many rows wait for the model", headers=[(b"retry-after", b"1")])
        self._waiting_rows += rows
        try:
            return await self._batcher.submit(request.rows)
        finally:
            self._waiting_rows -= rows

    def _predicted(
        self, request: PredictionRequest, predictions: list[Any], *, as_csv: bool, told: bool
    ) -> Answer:
        first = self._numbers + 1
        self._numbers += len(predictions)
        if told:
            self._telemetry.predicted.inc(len(predictions))
        if told and self._capture is not None:
            self._capture.add(Captured(datetime.now(UTC), first, request.rows, predictions))
        job_id = self._serving.job_id
        ids = [f"{job_id}-{first + offset}" for offset in range(len(predictions))]
        if as_csv:
            return Answer(200, _csv(ids, predictions), CSV)
        document: dict[str, Any] = dict(self._identity)
        if request.form is Form.MLFLOW:
            document["predictions"] = predictions
            document["prediction_ids"] = ids
        else:
            document["predictions"] = [
                {"prediction_id": one, "prediction": value}
                for one, value in zip(ids, predictions, strict=True)
            ]
        if request.ignored:
            document["ignored_fields"] = request.ignored
        return Answer(200, to_json(document))

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        limit = self._limits.max_body_bytes
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > limit:
                raise _too_large(limit)
        message = await receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(body) > limit:
                raise _too_large(limit)
            return body
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await _rest(body, receive, limit)
        except TimeoutError as error:
            raise Problem(408, "the body did not arrive in time") from error

    async def _send(self, send: Send, answer: Answer, *, with_body: bool = True) -> None:
        headers = [
            (b"content-type", answer.media_type),
            (b"content-length", str(len(answer.body)).encode()),
            *answer.headers,
        ]
        if self.draining:
            # The caller opens its next connection elsewhere.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body if with_body else b""})


async def _rest(body: bytes, receive: Receive, limit: int) -> bytes:
    parts, size = [body], len(body)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the connection ended within the body")
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)


def _media_types(headers: Headers) -> tuple[bytes, bytes]:
    """The body's media type, JSON or CSV, and the one that is asked for."""
    media_type = accept = b""
    for name, value in headers:
        if name == b"content-type":
            media_type, _, parameters = value.lower().partition(b";")
            charset = parameters.partition(b"charset=")[2].strip(b' "')
            if charset not in (b"", b"utf-8", b"utf8", b"us-ascii"):
                raise Problem(415, "the body must be in UTF-8")
        elif name == b"accept":
            accept = value.split(b";")[0].strip().lower()
        elif name == b"content-encoding" and value.lower() not in (b"", b"identity"):
            raise Problem(415, "the body must not be compressed")
    media_type = media_type.strip()
    if media_type not in (b"", b"application/json", b"text/csv"):
        raise Problem(415, "send the rows as application/json or text/csv, and say so in Content-Type")
    return media_type, accept


def _too_large(limit: int) -> Problem:
    return Problem(413, f"a request may have {limit:,} bytes", headers=[(b"connection", b"close")])


def _same(answer: Answer) -> Answer:
    return answer


def _refusal(problem: Problem) -> Answer:
    return Answer(problem.status, problem.body(), MEDIA_TYPE, problem.headers)


def _csv(ids: list[str], predictions: list[Any]) -> bytes:
    import csv
    import io

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("prediction_id", "prediction"))
    writer.writerows(zip(ids, predictions, strict=True))
    return text.getvalue().encode()

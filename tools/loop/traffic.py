"""Clients that ask the endpoint all the while, at a steady pace, and keep what became of every request."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from itertools import islice
from typing import Any, NamedTuple

from tools.make_dataset import COLUMNS, trips

REQUESTS_PER_SECOND = 16.0
ROWS_PER_REQUEST = 80
CLIENTS = 2

_LEFT_OUT = ("pickup_time", "fare_eur")
"""Nobody knows the fare beforehand, and when a trip was asked for is the server's to say."""
_ENDLESS = 10**9
_TIMEOUT_SECONDS = 30.0
_OK = 200
_MOST_FAILURES = 100
"""Failures that are described; all are counted."""


class Answer(NamedTuple):
    """A prediction somebody got."""

    prediction_id: str
    prediction: float
    model_version: int
    config_digest: str


@dataclass(slots=True)
class Second:
    """The requests that were answered, or failed, in one second."""

    requests: int = 0
    failed: int = 0
    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def document(self, second: int) -> dict[str, Any]:
        """As the recording has it; latencies in milliseconds, ``None`` without an answer."""
        ordered = sorted(self.milliseconds)
        return {
            "second": second,
            "requests": self.requests,
            "failed": self.failed,
            "rows": self.rows,
            "statuses": dict(self.statuses),
            "versions": dict(self.versions),
            "p50_ms": quantile(ordered, 0.5),
            "p95_ms": quantile(ordered, 0.95),
        }


def quantile(ordered: list[float], share: float) -> float | None:
    """The value that ``share`` of the values do not exceed (nearest rank); ``None`` without values."""
    if not ordered:
        return None
    return round(ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)], 2)


class Traffic:
    """Requests from :meth:`start` until :meth:`stop`. Safe to look at from any thread."""

    def __init__(self, port: int, since: float, *, start: datetime) -> None:
        """``since``: the ``time.monotonic()`` that seconds count from; ``start``: the first trip's day."""
        self._port = port
        self._since = since
        self._start = start
        self._lock = threading.Lock()
        self._rows = self._trips(1, 0.0)
        self._enough = threading.Event()
        self._seconds: dict[int, Second] = {}
        self._failures: list[dict[str, Any]] = []
        self._last: Answer | None = None
        self._first_by_version: dict[int, float] = {}
        self._last_by_version: dict[int, float] = {}
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), name=f"client-{number}", daemon=True)
            for number in range(CLIENTS)
        ]

    def start(self) -> None:
        """The clients begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """The clients end after the request they are at."""
        self._enough.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_TIMEOUT_SECONDS)

    def shift(self, amount: float, *, seed: int) -> None:
        """From now on trips are of a city that has grown by ``amount``, 0 to 1."""
        with self._lock:
            self._rows = self._trips(seed, amount)

    @property
    def total(self) -> int:
        """Requests so far."""
        with self._lock:
            return sum(each.requests for each in self._seconds.values())

    @property
    def failed(self) -> int:
        """Requests so far that got no answer, or another than 200."""
        with self._lock:
            return sum(each.failed for each in self._seconds.values())

    @property
    def rows(self) -> int:
        """Rows answered so far."""
        with self._lock:
            return sum(each.rows for each in self._seconds.values())

    @property
    def last(self) -> Answer | None:
        """The newest prediction."""
        with self._lock:
            return self._last

    def first_answer_of(self, version: int) -> float | None:
        """When a model version first answered, in seconds."""
        with self._lock:
            return self._first_by_version.get(version)

    def last_answer_of(self, version: int) -> float | None:
        """When a model version last answered, in seconds."""
        with self._lock:
            return self._last_by_version.get(version)

    def document(self) -> dict[str, Any]:
        """Everything, as the recording has it."""
        with self._lock:
            seconds = [each.document(number) for number, each in sorted(self._seconds.items())]
            failures = list(self._failures)
        return {
            "per_second": REQUESTS_PER_SECOND,
            "rows_per_request": ROWS_PER_REQUEST,
            "total": sum(each["requests"] for each in seconds),
            "failed": sum(each["failed"] for each in seconds),
            "rows": sum(each["rows"] for each in seconds),
            "seconds": seconds,
            "failures": failures,
        }

    def _trips(self, seed: int, shift: float) -> Iterator[Mapping[str, Any]]:
        for values in trips(_ENDLESS, seed=seed, start=self._start, shift=shift):
            row = dict(zip(COLUMNS, values, strict=True))
            row["raining"] = row["raining"] == "true"
            yield {name: value for name, value in row.items() if name not in _LEFT_OUT}

    def _ask(self, number: int) -> None:
        """One client: asks on time, and goes on at once, without catching up, after a slow answer."""
        pause = CLIENTS / REQUESTS_PER_SECOND
        due = time.monotonic() + number * pause / CLIENTS
        connection: HTTPConnection | None = None
        while not self._enough.wait(max(0.0, due - time.monotonic())):
            due = max(due + pause, time.monotonic())
            with self._lock:
                rows = list(islice(self._rows, ROWS_PER_REQUEST))
            connection = connection or HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
            began = time.monotonic()
            try:
                connection.request(
                    "POST", "/predict", json.dumps({"rows": rows}), {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                status, body = answer.status, answer.read()
            except (OSError, HTTPException) as error:
                connection.close()
                connection = None
                self._note(began, "none", error=repr(error))
                continue
            self._note(began, str(status), body=body)
        if connection is not None:
            connection.close()

    def _note(self, began: float, status: str, *, body: bytes = b"", error: str | None = None) -> None:
        ended = time.monotonic()
        at = ended - self._since
        document, error = _read(status, body, error)
        with self._lock:
            second = self._seconds.setdefault(int(at), Second())
            second.requests += 1
            second.statuses[status] += 1
            if error is not None:
                second.failed += 1
                if len(self._failures) < _MOST_FAILURES:
                    self._failures.append({"at": round(at, 3), "status": status, "why": error})
                return
            version, predictions = document["model_version"], document["predictions"]
            second.rows += len(predictions)
            second.versions[str(version)] += 1
            second.milliseconds.append((ended - began) * 1000)
            self._first_by_version.setdefault(version, round(at, 3))
            self._last_by_version[version] = round(at, 3)
            newest = predictions[-1]
            self._last = Answer(
                newest["prediction_id"], newest["prediction"], version, document["config_digest"]
            )


def _read(status: str, body: bytes, error: str | None) -> tuple[dict[str, Any], str | None]:
    """The answer's document, and why the request failed, if it did."""
    if error is not None:
        return {}, error
    if status != str(_OK):
        return {}, body[:300].decode(errors="replace")
    try:
        document = json.loads(body)
        if len(document["predictions"]) != ROWS_PER_REQUEST:
            return {}, f"{len(document['predictions'])} predictions for {ROWS_PER_REQUEST} rows"
    except (ValueError, KeyError, TypeError) as broken:
        return {}, f"the answer is none: {broken}"
    return document, None

"""The loop's clients: what they count is what a server did, and nothing that fails goes by unseen."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.loop.servers import free_port
from tools.loop.traffic import ROWS_PER_REQUEST, Traffic, quantile

DAY = datetime(2026, 6, 1, tzinfo=UTC)
Answer = Callable[[list[dict[str, Any]]], tuple[int, Any]]


def predicted(rows: list[dict[str, Any]], version: int = 1) -> tuple[int, Any]:
    """An answer as the model server gives it."""
    predictions = [{"prediction_id": f"job-{number}", "prediction": 9.5} for number in range(len(rows))]
    return 200, {"model_version": version, "config_digest": "sha256:0", "predictions": predictions}


@contextmanager
def endpoint(answer: Answer) -> Iterator[tuple[int, list[list[dict[str, Any]]]]]:
    """A server that answers ``/predict`` so; its port, and the rows of each request it got."""
    asked: list[list[dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rows"]
            asked.append(rows)
            status, document = answer(rows)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def traffic_to(port: int) -> Iterator[Traffic]:
    """Clients that ask for as long as the block runs."""
    traffic = Traffic(port, time.monotonic(), start=DAY)
    traffic.start()
    try:
        yield traffic
    finally:
        traffic.stop()


def until(reached: Callable[[], object]) -> None:
    """Returns once ``reached()`` is true; fails after half a minute."""
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def test_every_answer_is_counted_with_its_rows_and_the_version_that_gave_it() -> None:
    with endpoint(predicted) as (port, asked), traffic_to(port) as traffic:
        until(lambda: traffic.total >= 5)
    document = traffic.document()
    assert (document["total"], document["failed"]) == (len(asked), 0)
    assert document["rows"] == ROWS_PER_REQUEST * len(asked)
    assert sum(second["versions"]["1"] for second in document["seconds"]) == len(asked)
    assert all(second["p50_ms"] <= second["p95_ms"] for second in document["seconds"])
    assert traffic.last is not None
    assert traffic.last.model_version == 1


def test_rows_are_as_a_client_sends_them_and_none_is_sent_twice() -> None:
    with endpoint(predicted) as (port, asked), traffic_to(port) as traffic:
        until(lambda: traffic.total >= 5)
    rows = [row for request in asked for row in request]
    assert len({row["trip_id"] for row in rows}) == len(rows)
    assert set(rows[0]) == {
        "trip_id",
        "distance_km",
        "expected_minutes",
        "pickup_hour",
        "weekday",
        "passengers",
        "pickup_zone",
        "raining",
    }
    assert all(isinstance(row["raining"], bool) for row in rows)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _rows: (503, {"detail": "no revision of this endpoint answers"}), "no revision"),
        (lambda rows: predicted(rows[1:]), f"{ROWS_PER_REQUEST - 1} predictions for {ROWS_PER_REQUEST} rows"),
        (lambda _rows: (200, {"predictions": None}), "the answer is none"),
    ],
    ids=["refused", "too few predictions", "no answer"],
)
def test_what_is_no_answer_is_a_failed_request(answer: Answer, why: str) -> None:
    with endpoint(answer) as (port, _), traffic_to(port) as traffic:
        until(lambda: traffic.failed >= 2)
    document = traffic.document()
    assert document["failed"] == document["total"] >= 2
    assert why in document["failures"][0]["why"]
    assert traffic.last is None


def test_an_endpoint_that_is_not_there_is_a_failed_request_and_the_clients_go_on() -> None:
    with traffic_to(free_port()) as traffic:
        until(lambda: traffic.failed >= 4)
    assert {failure["status"] for failure in traffic.document()["failures"]} == {"none"}


def test_a_shift_makes_trips_longer_from_the_next_request_on() -> None:
    with endpoint(predicted) as (port, asked), traffic_to(port) as traffic:
        until(lambda: traffic.total >= 4)
        traffic.shift(1.0, seed=2)
        before = len(asked) + 2  # each client may have taken its rows already
        until(lambda: len(asked) >= before + 4)
    mean = [sum(row["distance_km"] for row in rows) / len(rows) for rows in asked]
    assert min(mean[before:]) > max(mean[: before - 2])


def test_a_version_is_known_by_its_first_and_its_last_answer() -> None:
    version = [1]
    with endpoint(lambda rows: predicted(rows, version[0])) as (port, _), traffic_to(port) as traffic:
        until(lambda: traffic.first_answer_of(1) is not None)
        version[0] = 2
        until(lambda: traffic.first_answer_of(2) is not None)
    first, last = traffic.first_answer_of(2), traffic.last_answer_of(2)
    assert first is not None
    assert last is not None
    assert first <= last
    assert traffic.first_answer_of(3) is None


@given(st.lists(st.floats(0, 1000), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found is not None
    within = [value for value in ordered if round(value, 2) <= found]
    assert len(within) >= share * len(ordered)
    assert found in [round(value, 2) for value in ordered]


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantile([], 0.5) is None

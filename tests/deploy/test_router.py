"""The router's HTTP: what it passes on, and what it refuses."""

import http.client
import json
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_config.deploy.local.router import REVISION_HEADER, STATUS_PATH, Choice
from mlops_config.deploy.local.state import Route
from tests.deploy.examples import ROWS, quiet
from tests.deploy.providers import LocalProvider


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalProvider]:
    """An endpoint with one revision; these tests only ask it."""
    provider = LocalProvider(tmp_path_factory.mktemp("routed"))
    provider.open().deploy(provider.deployment(1), quiet)
    yield provider
    provider.close()


def sent(port: int, data: bytes) -> bytes:
    """What comes back for these bytes until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


def routes(**percents: int) -> tuple[Route, ...]:
    return tuple(
        Route(revision=name, name=name, port=1, percent=percent) for name, percent in percents.items()
    )


@pytest.mark.parametrize("percent", [1, 10, 33, 50, 99])
def test_of_a_hundred_requests_each_revision_gets_its_percent(percent: int) -> None:
    choice = Choice()
    chosen = Counter(choice.order(routes(old=100 - percent, new=percent))[0].revision for _ in range(100))
    assert chosen == {"old": 100 - percent, "new": percent}


def test_a_revision_with_no_share_gets_nothing() -> None:
    assert [route.revision for route in Choice().order(routes(old=0, new=100))] == ["new"]
    assert Choice().order(()) == []


def test_answers_say_which_revision_gave_them(routed: LocalProvider) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", routed.port, timeout=20)
    for _ in range(3):
        connection.request("POST", "/invocations", body=json.dumps({"instances": list(ROWS)}))
        answer = connection.getresponse()
        assert json.loads(answer.read()) == {"predictions": [1, 1]}
        assert answer.headers[REVISION_HEADER] == routed.deployment(1).revision.name
    connection.close()


def test_a_chunked_request_is_passed_on(routed: LocalProvider) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", routed.port, timeout=20)
    body = json.dumps({"instances": list(ROWS)}).encode()
    connection.request("POST", "/invocations", body=iter([body[:7], body[7:]]), encode_chunked=True)
    assert json.loads(connection.getresponse().read()) == {"predictions": [1, 1]}
    connection.close()


def test_a_client_that_waits_for_a_go_ahead_gets_it(routed: LocalProvider) -> None:
    body = b'{"instances": [{}]}'
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
    answer = sent(routed.port, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_two_requests_sent_at_once_are_answered_in_order(routed: LocalProvider) -> None:
    one = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = sent(routed.port, one + one.replace(b"/nothing", b"/readyz"))
    assert answer.index(b"404 Not Found") < answer.index(b"200 OK")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    ],
    ids=lambda value: None if isinstance(value, int) else value[:30].decode(errors="replace").split("\r")[0],
)
def test_what_could_be_read_in_two_ways_is_refused(
    routed: LocalProvider, request_bytes: bytes, status: int
) -> None:
    assert sent(routed.port, request_bytes).startswith(b"HTTP/1.1 %d " % status)


def test_its_status_counts_requests(routed: LocalProvider) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", routed.port, timeout=20)
    connection.request("GET", STATUS_PATH)
    status = json.loads(connection.getresponse().read())
    connection.close()
    assert status["in_flight"] == {}
    assert status["generation"] == 1
    assert set(status["answered"]) <= {routed.deployment(1).revision.id}


def test_an_endpoint_is_not_reachable_from_other_machines(routed: LocalProvider) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("no /proc/net/tcp")
    wanted = f":{routed.port:04X}"
    addresses = [
        line.split()[1] for line in listening.read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]
    assert [each for each in addresses if each.endswith(wanted)] == [f"0100007F{wanted}"]

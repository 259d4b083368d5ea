"""The HTTP client against real servers on loopback that fail in every way a service can."""

import io
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from mlops_config.errors import ServiceError
from mlops_config.http import HttpClient, Timeouts
from mlops_config.retrying import Retries
from tests.services.flaky_proxy import ALWAYS, Answer, CutShort, Drop, FlakyProxy, flaky_proxy
from tests.services.processes import free_port


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent: method, headers and body; ``/to/<host>`` redirects there."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.seen.append((self.command, headers, body))
        redirect = self.path.startswith("/to/")
        answer = b"moved" if redirect else b"echo " * 1000
        self.send_response_only(302 if redirect else 200)
        if redirect:
            self.send_header("Location", f"http://{self.path.removeprefix('/to/')}/landed")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = handle_any  # noqa: N815 - the names it looks for

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    Echo.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def proxy(echo: str) -> Iterator[FlakyProxy]:
    with flaky_proxy(echo) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """How long the client slept, without sleeping."""
    return []


@pytest.fixture
def client(waits: list[float]) -> Iterator[HttpClient]:
    retries = Retries(sleep=waits.append, jitter=lambda: 0.0)
    with HttpClient(retries=retries, timeouts=Timeouts(connect=2, read=2)) as made:
        yield made


def test_it_says_who_it_is(client: HttpClient, echo: str) -> None:
    client.request("GET", f"http://{echo}/")
    assert Echo.seen[0][1]["user-agent"].startswith("mlops-config-action/")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_tried_again(client: HttpClient, proxy: FlakyProxy, status: int) -> None:
    proxy.fail(Answer(status), times=2)
    assert client.request("GET", f"http://{proxy.host}/").ok
    assert len(proxy.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 501])
def test_any_other_status_is_the_answer(client: HttpClient, proxy: FlakyProxy, status: int) -> None:
    proxy.fail(Answer(status), times=2)
    assert client.request("GET", f"http://{proxy.host}/").status_code == status
    assert len(proxy.requests) == 1


def test_retry_after_is_waited_for(client: HttpClient, proxy: FlakyProxy, waits: list[float]) -> None:
    proxy.fail(Answer(429, {"Retry-After": "17"}))
    client.request("GET", f"http://{proxy.host}/")
    assert waits == [17.0]


def test_a_dropped_connection_is_tried_again(client: HttpClient, proxy: FlakyProxy) -> None:
    proxy.fail(Drop(), times=2)
    assert client.request("PUT", f"http://{proxy.host}/", body=b"x").ok
    assert len(proxy.requests) == 3


def test_an_answer_cut_short_is_asked_for_again(client: HttpClient, proxy: FlakyProxy) -> None:
    proxy.fail(CutShort())
    assert client.request("GET", f"http://{proxy.host}/").content == b"echo " * 1000
    assert len(proxy.requests) == 2


def test_a_download_cut_short_starts_anew_in_the_file(client: HttpClient, proxy: FlakyProxy) -> None:
    proxy.fail(CutShort())
    file = io.BytesIO()
    client.request("GET", f"http://{proxy.host}/", into=file)
    assert file.getvalue() == b"echo " * 1000


def test_the_text_of_an_error_does_not_go_into_the_file(client: HttpClient, proxy: FlakyProxy) -> None:
    proxy.fail(Answer(404, body=b"no such thing"))
    file = io.BytesIO()
    response = client.request("GET", f"http://{proxy.host}/", into=file)
    assert (file.getvalue(), response.text) == (b"", "no such thing")


def test_a_body_from_a_file_is_sent_whole_each_time(
    client: HttpClient, proxy: FlakyProxy, tmp_path: Path
) -> None:
    source = tmp_path / "layer"
    source.write_bytes(b"0123456789" * 5000)
    proxy.fail(Drop(delivered=True))
    client.request("PUT", f"http://{proxy.host}/", body=lambda: source.open("rb"))
    assert [body for _, _, body in Echo.seen] == [source.read_bytes()] * 2


def test_a_service_that_stays_down_is_a_service_error_that_names_it(
    client: HttpClient, proxy: FlakyProxy, waits: list[float]
) -> None:
    proxy.fail(Answer(503, {"Content-Type": "text/plain"}, b"down for\n repairs"), times=ALWAYS)
    with pytest.raises(ServiceError) as failed:
        client.request("GET", f"http://{proxy.host}/path?token=secret", doing="fetching the plan")
    message = failed.value.message
    assert message.startswith(f"fetching the plan failed: {proxy.host} answered 503")
    assert "(down for repairs)" in message
    assert "tried 5 times" in message
    assert "secret" not in message
    assert len(waits) == 4


def test_a_port_nobody_listens_on_is_a_service_error(client: HttpClient) -> None:
    port = free_port()
    with pytest.raises(
        ServiceError, match=rf"no answer from 127\.0\.0\.1:{port}: Connection refused"
    ) as failed:
        client.request("GET", f"http://127.0.0.1:{port}/")
    assert failed.value.hint


def test_a_name_that_does_not_resolve_is_a_service_error(client: HttpClient) -> None:
    with pytest.raises(ServiceError, match=r"no answer from registry\.invalid"):
        client.request("GET", "http://registry.invalid/")


def test_silence_is_a_service_error(waits: list[float]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        retries = Retries(tries=2, sleep=waits.append)
        with (
            HttpClient(retries=retries, timeouts=Timeouts(connect=1, read=0.2)) as client,
            pytest.raises(ServiceError, match=r": Read timed out\..* \(tried 2 times"),
        ):
            client.request("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_a_server_without_tls_is_not_tried_again(client: HttpClient, echo: str, waits: list[float]) -> None:
    with pytest.raises(ServiceError, match="cannot be reached safely"):
        client.request("GET", f"https://{echo}/")
    assert waits == []


def test_a_post_whose_answer_got_lost_is_not_sent_twice(client: HttpClient, proxy: FlakyProxy) -> None:
    proxy.fail(Drop(delivered=True))
    with pytest.raises(ServiceError, match="not known whether it was carried out"):
        client.request("POST", f"http://{proxy.host}/", json={"a": 1})
    assert len(Echo.seen) == 1


def test_a_post_that_failed_inside_is_not_sent_twice(client: HttpClient, proxy: FlakyProxy) -> None:
    proxy.fail(Answer(500))
    with pytest.raises(ServiceError, match="not known whether it was carried out"):
        client.request("POST", f"http://{proxy.host}/", json={"a": 1})
    assert len(proxy.requests) == 1


def test_a_post_that_may_be_repeated_is(client: HttpClient, proxy: FlakyProxy) -> None:
    proxy.fail(Drop(delivered=True))
    assert client.request("POST", f"http://{proxy.host}/", json={"a": 1}, repeatable=True).ok
    assert len(Echo.seen) == 2


@pytest.mark.parametrize("answer", [Answer(429), Answer(503, {"Retry-After": "1"})])
def test_a_post_that_was_put_off_is_sent_again(client: HttpClient, proxy: FlakyProxy, answer: Answer) -> None:
    proxy.fail(answer)
    assert client.request("POST", f"http://{proxy.host}/", json={"a": 1}).ok


def test_a_post_that_never_arrived_is_tried_again(client: HttpClient, waits: list[float]) -> None:
    with pytest.raises(ServiceError, match="tried 5 times"):
        client.request("POST", f"http://127.0.0.1:{free_port()}/", json={})
    assert len(waits) == 4


def test_a_service_may_have_its_own_way_to_say_later(proxy: FlakyProxy, waits: list[float]) -> None:
    def throttled(response: requests.Response) -> float | None:
        return float(response.headers["X-Wait"]) if "X-Wait" in response.headers else None

    proxy.fail(Answer(403, {"X-Wait": "9"}))
    proxy.fail(Answer(403))
    with HttpClient(retries=Retries(sleep=waits.append), throttled=throttled) as client:
        assert client.request("GET", f"http://{proxy.host}/").status_code == 403
    assert waits == [9.0]


def test_credentials_do_not_follow_a_redirect_to_another_host(client: HttpClient, echo: str) -> None:
    other = echo.replace("127.0.0.1", "localhost")
    client.request("GET", f"http://{echo}/to/{other}", headers={"Authorization": "Bearer secret"})
    assert [("authorization" in headers) for _, headers, _ in Echo.seen] == [True, False]


def test_netrc_does_not_replace_the_credentials_given(
    client: HttpClient, echo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.request("GET", f"http://{echo}/", headers={"Authorization": "Bearer mine"})
    client.request("GET", f"http://{echo}/")
    assert [headers.get("authorization") for _, headers, _ in Echo.seen] == ["Bearer mine", None]


def test_an_address_that_is_none_is_an_error_at_once(client: HttpClient, waits: list[float]) -> None:
    with pytest.raises(ServiceError, match="cannot be sent"):
        client.request("GET", "nonsense")
    assert waits == []


def test_ctrl_c_during_a_request_ends_it(
    client: HttpClient, echo: str, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Session, "send", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.request("GET", f"http://{echo}/")
    assert waits == []

"""Which login an address and an environment lead to, and what is said where there is no getting in."""

import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from tests.services.certificates import make_certificate
from tests.services.processes import free_port

from mlops_config.errors import ServiceError, UsageError
from mlops_config.http import HttpClient
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_login import (
    FetchedLogin,
    GoogleLogin,
    MwaaLogin,
    TokenLogin,
    login_to,
)
from mlops_config.retrying import Retries

HERE = "http://127.0.0.1:8080"
COMPOSER = "https://0123abc-dot-europe-west1.composer.googleusercontent.com"
Answer = tuple[int, dict[str, str], str]


@contextmanager
def serving(
    answer: Callable[[str, str, dict[str, str], str], Answer], context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """A server that answers method, path, headers and body with status, headers and body; its host."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            status, headers, text = answer(self.command, self.path, dict(self.headers), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PATCH = _handle  # noqa: N815 named by the standard library

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def said(document: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(document)


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, FetchedLogin),
        ({"MLOPS_AIRFLOW_TOKEN": "t"}, TokenLogin),
        ({"AIRFLOW_API_TOKEN": "t"}, TokenLogin),
        ({"MLOPS_AIRFLOW_USER": "me", "MLOPS_AIRFLOW_PASSWORD": "p"}, FetchedLogin),
        (
            {"MLOPS_AIRFLOW_TOKEN": "t", "MLOPS_AIRFLOW_USER": "me", "MLOPS_AIRFLOW_PASSWORD": "p"},
            TokenLogin,
        ),
    ],
)
def test_what_the_environment_has_is_how_we_log_in(environment: dict[str, str], kind: type) -> None:
    address, login = login_to(f"{HERE}/airflow/", environment)
    assert address == f"{HERE}/airflow"
    assert isinstance(login, kind)


@pytest.mark.parametrize(
    "address",
    ["", "airflow.example", "ftp://airflow.example", "mwaa://", "https://me:secret@airflow.example"],
)
def test_what_is_no_address_is_refused_and_no_password_is_repeated(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of an Airflow") as caught:
        login_to(address, {})
    assert "secret" not in str(caught.value)


def test_a_user_without_a_password_is_refused() -> None:
    with pytest.raises(UsageError, match="MLOPS_AIRFLOW_PASSWORD is not set"):
        login_to(HERE, {"MLOPS_AIRFLOW_USER": "me"})


def test_composers_web_servers_want_googles_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    scopes = []

    def default(**options: object) -> tuple[AnonymousCredentials, None]:
        scopes.append(options["scopes"])
        return AnonymousCredentials(), None

    monkeypatch.setattr(google.auth, "default", default)
    address, login = login_to(COMPOSER, {})
    assert address == COMPOSER
    assert isinstance(login, GoogleLogin)
    assert scopes == [["https://www.googleapis.com/auth/cloud-platform"]]


def test_mwaa_gives_a_token_for_the_one_that_aws_gave(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
    seen = []

    def answer(method: str, path: str, headers: dict[str, str], body: str) -> Answer:
        seen.append((method, path, body or headers.get("Authorization", "")))
        if path == "/pluginsv2/aws_mwaa/login":
            cookie = {"Set-Cookie": "_token=airflows-own; Path=/; Secure; HttpOnly", "Location": "/"}
            return 302, cookie, ""
        unknown = headers.get("Authorization") != "Bearer airflows-own" or len(seen) < 3
        return said({"detail": "Invalid JWT"}, 401) if unknown else said({"detail": "none"}, 404)

    client = boto3.client(
        "mwaa", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="s"
    )
    with serving(answer, context) as host, Stubber(client) as stub:
        given = {"WebToken": "of-a-minute==", "WebServerHostname": host}
        for _ in range(2):
            stub.add_response("create_web_login_token", given, {"Name": "fares"})
        login = MwaaLogin("fares", client)
        api = AirflowApi(login.address(), login)
        assert api.dag("x") is None
        stub.assert_no_pending_responses()
    dag = ("GET", "/api/v2/dags/x", "Bearer airflows-own")
    assert seen == [
        ("POST", "/pluginsv2/aws_mwaa/login", "token=of-a-minute%3D%3D"),
        dag,
        ("POST", "/pluginsv2/aws_mwaa/login", "token=of-a-minute%3D%3D"),
        dag,
    ]


def test_aws_saying_no_names_the_permission() -> None:
    client = boto3.client(
        "mwaa", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="s"
    )
    with Stubber(client) as stub:
        stub.add_client_error("create_web_login_token", "AccessDeniedException", "not yours", 403)
        with pytest.raises(ServiceError, match="not yours") as caught:
            MwaaLogin("fares", client).address()
    assert "airflow:CreateWebLoginToken" in str(caught.value.hint)


def test_mwaa_without_a_region_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(UsageError, match="in which region") as caught:
        MwaaLogin("fares").address()
    assert caught.value.hint == "set AWS_REGION"


def test_an_airflow_that_stays_away_is_exit_3_and_running_again_goes_on() -> None:
    once = HttpClient(retries=Retries(tries=2, sleep=lambda _: None))
    api = AirflowApi.at(f"http://127.0.0.1:{free_port()}", {}, once)
    with pytest.raises(ServiceError, match=r"asking Airflow for its version failed: no answer") as caught:
        api.version()
    assert caught.value.exit_code == 3
    assert "goes on from there" in str(caught.value.hint) or "reachable" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        ({"/api/v1/version": "2.11.0"}, r"is 2\.11\.0, and the DAGs are for 3\.1 and later"),
        ({"/api/v2/version": "3.0.6"}, r"is 3\.0\.6, and the DAGs are for 3\.1 and later"),
        ({}, r"there is no Airflow at http://127.*: /api/v2/version does not answer"),
    ],
)
def test_what_is_too_old_or_no_airflow_is_refused(versions: dict[str, str], message: str) -> None:
    def answer(_method: str, path: str, _headers: dict[str, str], _body: str) -> Answer:
        return said({"version": versions[path]}) if path in versions else said({"detail": "Not Found"}, 404)

    with serving(answer) as host, pytest.raises(UsageError, match=message):
        AirflowApi.at(f"http://{host}", {}).version()


@pytest.mark.parametrize("version", ["3.1.0", "3.3.2", "3.10.0", "4.0.0"])
def test_a_newer_airflow_is_taken(version: str) -> None:
    with serving(lambda *_: said({"version": version})) as host:
        assert AirflowApi.at(f"http://{host}", {}).version() == version


def test_a_login_page_in_front_of_it_is_told_of() -> None:
    def page(*_: object) -> Answer:
        return 200, {"Content-Type": "text/html"}, "<html>Sign in</html>"

    with serving(page) as host, pytest.raises(ServiceError, match="something other than JSON"):
        AirflowApi.at(f"http://{host}", {"MLOPS_AIRFLOW_TOKEN": "t"}).dag("x")


def test_what_airflow_tells_anybody_is_asked_with_our_proof_where_something_stands_before_it() -> None:
    asked = []

    def guarded(_method: str, path: str, headers: dict[str, str], _body: str) -> Answer:
        asked.append(path)
        if headers.get("Authorization") != "Bearer t":
            return 200, {"Content-Type": "text/html"}, "<html>Sign in</html>"
        return {
            "/api/v2/version": said({"detail": "Not Found"}, 404),
            "/api/v1/version": said({"version": "2.11.0"}),
            "/api/v2/monitor/health": said({"scheduler": {"status": "healthy"}}),
        }[path]

    with serving(guarded) as host:
        api = AirflowApi.at(f"http://{host}", {"MLOPS_AIRFLOW_TOKEN": "t"})
        assert api.health() == {"scheduler": "healthy"}
        with pytest.raises(UsageError, match=r"is 2\.11\.0"):
            api.version()
    assert asked == ["/api/v2/monitor/health", "/api/v2/version", "/api/v1/version"]


def test_airflow_is_not_asked_for_a_token_before_it_is_known_to_be_one() -> None:
    asked = []

    def answer(_method: str, path: str, headers: dict[str, str], _body: str) -> Answer:
        asked.append((path, headers.get("Authorization")))
        return said({"version": "3.3.0"})

    login = {"MLOPS_AIRFLOW_USER": "me", "MLOPS_AIRFLOW_PASSWORD": "p"}
    with serving(answer) as host:
        AirflowApi.at(f"http://{host}", login).version()
    assert asked == [("/api/v2/version", None)]


def test_a_role_that_may_not_is_told_of() -> None:
    with (
        serving(lambda *_: said({"detail": "Forbidden"}, 403)) as host,
        pytest.raises(
            ServiceError, match=r"unpausing the DAG x failed: .* does not allow it \(403"
        ) as caught,
    ):
        AirflowApi.at(f"http://{host}", {"MLOPS_AIRFLOW_TOKEN": "t0k3n"}).unpause("x")
    assert "role" in str(caught.value.hint)
    assert "t0k3n" not in str(caught.value)

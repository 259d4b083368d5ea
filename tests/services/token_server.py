"""A small token server for a real registry, after distribution's token specification."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.services.certificates import Certificate
from tests.services.registry import PASSWORD, USER

ISSUER = "test-issuer"
SERVICE = "test-registry"
REFRESH_TOKEN = "refresh-me"


@dataclass
class TokenServer:
    """Everyone may pull from ``open/…``; :data:`USER` may pull and push anywhere but ``locked/…``."""

    certificate: Certificate
    host: str = ""
    lifetime_seconds: int = 300
    asked: list[dict[str, str]] = field(default_factory=list)
    """The parameters of every request, with its method and user."""

    @property
    def auth(self) -> str:
        """The ``auth`` section of a registry that trusts this server."""
        return (
            f"auth: {{token: {{realm: 'http://{self.host}/token', service: {SERVICE}, issuer: {ISSUER},"
            f" rootcertbundle: '{self.certificate.certificate}'}}}}\n"
        )

    def token(self, scope: str, *, known: bool) -> str:
        """A signed token for what of ``scope`` is allowed."""
        kind, _, rest = scope.partition(":")
        name, _, asked = rest.rpartition(":")
        allowed = {"pull", "push"} if known and not name.startswith("locked/") else set()
        allowed |= {"pull"} if name.startswith("open/") else set()
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": USER if known else "",
            "aud": SERVICE,
            "exp": now + self.lifetime_seconds,
            "nbf": now - 5,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [{"type": kind, "name": name, "actions": sorted(allowed & set(asked.split(",")))}],
        }
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self.certificate.body()]}
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        return f"{signed}.{_encoded(self.certificate.sign(signed.encode()))}"


class _Handler(BaseHTTPRequestHandler):
    server_state: ClassVar[TokenServer]

    def do_GET(self) -> None:
        parameters = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        given = self.headers.get("Authorization")
        self._note("GET", parameters)
        if given is None:
            self._answer(200, {"token": self.server_state.token(parameters["scope"], known=False)})
        elif given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            self._issue("token", parameters)
        else:
            self._answer(401, {"details": "incorrect username or password"})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        parameters = {key: values[0] for key, values in form.items()}
        self._note("POST", parameters)
        if (parameters["grant_type"], parameters["refresh_token"]) == ("refresh_token", REFRESH_TOKEN):
            self._issue("access_token", parameters)
        else:
            self._answer(400, {"error": "invalid_grant"})

    def _note(self, method: str, parameters: dict[str, str]) -> None:
        self.server_state.asked.append({"method": method, **parameters})

    def _issue(self, name: str, parameters: dict[str, str]) -> None:
        token = self.server_state.token(parameters["scope"], known=True)
        self._answer(200, {name: token, "expires_in": self.server_state.lifetime_seconds})

    def _answer(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what it saw."""


@contextmanager
def running_token_server(certificate: Certificate) -> Iterator[TokenServer]:
    """A token server on a free port of loopback, for the block."""
    state = TokenServer(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_state": state}))
    server.daemon_threads = True
    state.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

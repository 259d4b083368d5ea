"""Answers a registry's request for credentials: Basic, or a Bearer token fetched from its token server."""

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlencode, urlsplit

import requests

from mlops_config.errors import ServiceError
from mlops_config.http import HttpClient
from mlops_config.registry.answers import explanation
from mlops_config.registry.credentials import Credentials

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's word for a run of letters
_PARAMETER = re.compile(
    rf"[\s,]*(?:(?P<scheme>{_TOKEN})\s+(?={_TOKEN}\s*=))?"
    rf'(?P<key>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>{_TOKEN}))'
)
_EARLY_SECONDS = 10
"""A token counts as expired this long before it is, so that it does not expire on its way."""
_DEFAULT_EXPIRY_SECONDS = 60
"""How long a token lasts when the server does not say (distribution's token specification)."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way a server offers to prove who we are, from its ``WWW-Authenticate`` header."""

    scheme: str
    """In lower case: ``basic`` or ``bearer``."""
    parameters: dict[str, str]


def parse_challenges(header: str) -> list[Challenge]:
    """All challenges of a ``WWW-Authenticate`` header that carry parameters (RFC 9110, section 11.6.1)."""
    found: list[Challenge] = []
    for match in _PARAMETER.finditer(header):
        if match["scheme"]:
            found.append(Challenge(match["scheme"].lower(), {}))
        if found:
            value = match["plain"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
            found[-1].parameters[match["key"].lower()] = value
    return found


def is_loopback(registry: str) -> bool:
    """Whether ``host[:port]`` is this machine: localhost, 127.0.0.0/8 or ::1."""
    host = urlsplit(f"//{registry}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Authorizer:
    """Keeps the ``Authorization`` header that a registry accepts for reading or writing one repository."""

    def __init__(
        self, registry: str, repository: str, find: Callable[[str], Credentials], http: HttpClient
    ) -> None:
        self._registry = registry
        self._repository = repository
        self._find = find
        self._http = http
        self._found: Credentials | None = None
        self._headers: dict[str, tuple[str, float]] = {}

    @property
    def credentials(self) -> Credentials:
        """What was found for this registry; looked up once, when first asked for."""
        if self._found is None:
            self._found = self._find(self._registry)
        return self._found

    def header(self, actions: str) -> str | None:
        """The header for ``actions`` (``pull`` or ``pull,push``), if a challenge was answered before."""
        value, expires = self._headers.get(actions, ("", 0.0))
        return value if value and time.monotonic() < expires else None

    def answer(self, response: requests.Response, actions: str, *, refused: str | None, doing: str) -> str:
        """The header that answers the challenge in a 401 ``response``; ``refused`` is the one it was for.

        ``doing`` names the work for the message.

        Raises:
            ServiceError: there are no credentials to show, or the registry refuses the ones there are.
        """
        offered = parse_challenges(response.headers.get("WWW-Authenticate", ""))
        challenge = next((one for one in offered if one.scheme in {"bearer", "basic"}), None)
        if challenge is None:
            raise ServiceError(
                f"{self._registry} answered 401 and offers no way to log in that we know"
                f" (WWW-Authenticate: {response.headers.get('WWW-Authenticate', 'absent')})"
            )
        if challenge.scheme == "basic":
            value, lifetime = self._basic(refused, response, doing), float("inf")
        else:
            value, lifetime = self._bearer(challenge, actions, doing)
        self._headers[actions] = value, time.monotonic() + lifetime
        return value

    def refusal(self, doing: str, response: requests.Response) -> ServiceError:
        """The error that says whose credentials were refused, for what, and where they came from."""
        said = explanation(response)
        found = self.credentials
        hint = f"run: docker login {self._registry}"
        if found.anonymous:
            text = (
                f"{doing} failed: {self._registry} wants credentials; none were found in {found.source}{said}"
            )
            return ServiceError(text, hint=hint)
        who = f"of user {found.username!r} " if found.username else ""
        text = f"{doing} failed: {self._registry} refuses the credentials {who}from {found.source}{said}"
        return ServiceError(text, hint=f"{hint} (or give that user the permission)")

    def _basic(self, refused: str | None, response: requests.Response, doing: str) -> str:
        found = self.credentials
        if found.anonymous or not found.password:
            raise self.refusal(doing, response)
        value = _basic_header(found)
        if value == refused:
            raise self.refusal(doing, response)
        return value

    def _bearer(self, challenge: Challenge, actions: str, doing: str) -> tuple[str, float]:
        found = self.credentials
        if found.registry_token:
            return f"Bearer {found.registry_token}", float("inf")
        realm = challenge.parameters.get("realm", "")
        self._refuse_unsafe(realm)
        asked = {"scope": f"repository:{self._repository}:{actions}"}
        if challenge.parameters.get("service"):
            asked["service"] = challenge.parameters["service"]
        asking = f"logging in to {self._registry} at {urlsplit(realm).netloc}"
        if found.identity_token:
            form = {
                **asked,
                "grant_type": "refresh_token",
                "client_id": "mlops-config",
                "refresh_token": found.identity_token,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(form).encode()
            response = self._http.request(
                "POST", realm, doing=asking, headers=headers, body=body, repeatable=True
            )
        else:
            headers = {"Authorization": _basic_header(found)} if found.password else {}
            response = self._http.request("GET", realm, doing=asking, headers=headers, params=asked)
        if response.status_code in {400, 401, 403}:
            raise self.refusal(doing, response)
        return self._read_token(response, asking)

    def _read_token(self, response: requests.Response, doing: str) -> tuple[str, float]:
        try:
            document = response.json() if response.ok else {}
            token = document.get("token") or document.get("access_token")
            lifetime = float(document.get("expires_in") or _DEFAULT_EXPIRY_SECONDS)
        except (ValueError, AttributeError, TypeError):
            token, lifetime = None, 0.0
        if not token:
            raise ServiceError(f"{doing} failed: the answer {response.status_code} holds no token")
        return f"Bearer {token}", max(lifetime - _EARLY_SECONDS, _EARLY_SECONDS)

    def _refuse_unsafe(self, realm: str) -> None:
        parts = urlsplit(realm)
        plain = parts.scheme == "http" and is_loopback(parts.netloc)
        if not parts.netloc or (parts.scheme != "https" and not plain):
            raise ServiceError(
                f"{self._registry} sends us to {realm!r} to log in; credentials only go to https addresses"
            )


def _basic_header(found: Credentials) -> str:
    pair = f"{found.username or ''}:{found.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"

"""HTTP to programs of ours on this machine, without proxies or retries: they answer or they do not."""

import http.client
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_SECONDS = 5.0


def get(port: int, path: str, *, seconds: float = _SECONDS) -> tuple[int, bytes] | None:
    """Status and body, or ``None`` when nothing answers."""
    return _ask("GET", port, path, None, seconds)


def post(
    port: int, path: str, document: Any, *, seconds: float, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes] | None:
    """Sends JSON; status and body, or ``None`` when nothing answers."""
    return _ask("POST", port, path, json.dumps(document).encode(), seconds, headers or {})


def document_of(answer: tuple[int, bytes] | None) -> Mapping[str, Any] | None:
    """The JSON object of a good answer, else ``None``."""
    if answer is None or answer[0] != http.client.OK:
        return None
    try:
        document = json.loads(answer[1])
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _ask(
    method: str,
    port: int,
    path: str,
    body: bytes | None,
    seconds: float,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, bytes] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    content = {"Content-Type": "application/json"} if body is not None else {}
    try:
        connection.request(method, path, body=body, headers={**content, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()

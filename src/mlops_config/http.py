"""HTTP for every room that talks to a service: timeouts, retries, and errors that people can read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import requests

from mlops_config import __version__
from mlops_config.errors import ServiceError
from mlops_config.retrying import TEMPORARY_STATUSES, Retries, TemporaryError, retry_after

USER_AGENT = f"mlops-config-action/{__version__}"
REPEATABLE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods with the same effect when sent twice (RFC 9110, section 9.2.2)."""

_CHUNK_BYTES = 1 << 20
_OBJECT_PREFIX = re.compile(r"^HTTPS?Connection(Pool)?\(.*?\): ")

Body = bytes | Callable[[], IO[bytes]]
"""A request's body: bytes, or a function that opens it anew for every try."""


class Sink(Protocol):
    """Takes an answer's body: a file, or something that looks at the bytes on their way."""

    def seek(self, offset: int, /) -> int: ...
    def truncate(self) -> int: ...
    def write(self, data: bytes, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, and for the next bytes of an answer."""

    connect: float = 10.0
    read: float = 60.0


class HttpClient:
    """A ``requests`` session with a timeout on every request that tries again while failures look temporary.

    Proxy and CA settings come from the environment as ``requests`` reads them (``HTTPS_PROXY``, ``NO_PROXY``,
    ``REQUESTS_CA_BUNDLE``); ``.netrc`` is not read, since it would replace the credentials a caller gave.

    ``throttled`` recognises answers by which one service alone says "slow down" (such as GitHub's 403 with
    ``x-ratelimit-remaining: 0``): it returns the seconds to wait, or ``None`` for any other answer.
    """

    def __init__(
        self,
        *,
        retries: Retries | None = None,
        timeouts: Timeouts | None = None,
        headers: Mapping[str, str] | None = None,
        throttled: Callable[[requests.Response], float | None] | None = None,
    ) -> None:
        self.retries = retries or Retries()
        self.timeouts = timeouts or Timeouts()
        self._throttled = throttled
        self._session = _Session()
        self._session.headers.update({"User-Agent": USER_AGENT, **(headers or {})})

    def __enter__(self) -> "HttpClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections kept open."""
        self._session.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        doing: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
        json: Any = None,
        into: Sink | None = None,
        repeatable: bool | None = None,
        follow: bool = True,
    ) -> requests.Response:
        """The answer, whatever its status, except those that say "try later": they are tried again.

        ``doing`` names the work for the message when it fails. ``into`` takes a 2xx answer's body instead of
        memory; it is rewound for every try. ``repeatable`` says whether the request may be sent twice; by
        default the method decides. One that may not is sent again only when it can hardly have had an effect:
        no connection came about, or the answer was 429 or named a time to come back. ``follow`` is
        whether redirects are followed.

        Raises:
            ServiceError: the service stayed away, said "try later" to the last, or cannot be reached safely.
        """

        def once() -> requests.Response:
            return self.send(
                method,
                url,
                headers=headers,
                params=params,
                body=body,
                json=json,
                into=into,
                repeatable=repeatable,
                follow=follow,
            )

        return self.retries.run(once, doing=doing or f"{method} {_shown(url)}")

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
        json: Any = None,
        into: Sink | None = None,
        repeatable: bool | None = None,
        follow: bool = True,
    ) -> requests.Response:
        """One try of :meth:`request`, for work whose tries take several requests (see :meth:`Retries.run`).

        Raises:
            TemporaryError: it failed in a way that may pass.
            ServiceError: it failed for good.
        """
        may_repeat = method in REPEATABLE_METHODS if repeatable is None else repeatable
        host = urlsplit(url).netloc.rpartition("@")[2]
        opened = body() if callable(body) else None
        try:
            response = self._session.request(
                method,
                url,
                headers=dict(headers or {}),
                params=params,
                data=opened if opened is not None else body,  # type: ignore[arg-type] # callable was called
                json=json,
                timeout=(self.timeouts.connect, self.timeouts.read),
                stream=into is not None,
                allow_redirects=follow,
            )
            if into is not None:
                _drain(response, into)
        except requests.exceptions.SSLError as error:
            raise ServiceError(
                f"{host} cannot be reached safely: {_cause(error)}",
                hint="if its certificate comes from your own authority, set REQUESTS_CA_BUNDLE to that"
                " authority's certificate; 'wrong version number' means that it speaks plain http",
            ) from error
        except _CONNECTION_LOST as error:
            if not may_repeat and not _never_arrived(error):
                raise ServiceError(
                    f"{host} closed the connection during {method} {_shown(url)}, so it is not known"
                    f" whether it was carried out: {_cause(error)}",
                    hint="look whether it was, then run the command again",
                ) from error
            raise TemporaryError(
                f"no answer from {host}: {_cause(error)}",
                hint="is the address right, the service up, and reachable from here (proxy, firewall)?",
            ) from error
        except (requests.exceptions.RequestException, ValueError) as error:
            raise ServiceError(f"{method} {_shown(url)} cannot be sent: {error}") from error
        finally:
            if opened is not None:
                opened.close()
        self._raise_if_temporary(response, host, method, url, may_repeat=may_repeat)
        return response

    def _raise_if_temporary(
        self, response: requests.Response, host: str, method: str, url: str, *, may_repeat: bool
    ) -> None:
        status = response.status_code
        asked = self._throttled(response) if self._throttled else None
        if asked is None and status not in TEMPORARY_STATUSES:
            return
        if asked is None:
            asked = retry_after(response.headers.get("Retry-After"))
        reason = (
            f"{host} answered {status} {response.reason}{answer_excerpt(response)} to {method} {_shown(url)}"
        )
        if may_repeat or asked is not None or status == requests.codes.too_many_requests:
            raise TemporaryError(reason, wait=asked)
        raise ServiceError(
            f"{reason}; it is not known whether it was carried out",
            hint="look whether it was, then run the command again",
        )


def answer_excerpt(response: requests.Response, limit: int = 200) -> str:
    """What the service said in words, in brackets and on one line, or nothing."""
    if "html" in response.headers.get("Content-Type", "") or not response.content:
        return ""
    text = " ".join(response.text.split())
    printable = "".join(letter for letter in text if letter.isprintable())
    return f" ({printable[:limit]}{'…' if len(printable) > limit else ''})" if printable else ""


class _Session(requests.Session):
    """Takes proxies and certificates from the environment, but no credentials from ``.netrc``."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = _as_given

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Keeps the caller's credentials from another host that a redirect leads to."""
        origin, target = response.request.url, prepared_request.url
        if not origin or not target:
            return
        if self.should_strip_auth(origin, target):  # type: ignore[no-untyped-call] # untyped in its stubs
            prepared_request.headers.pop("Authorization", None)


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


_CONNECTION_LOST = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


def _never_arrived(error: Exception) -> bool:
    """Whether no connection came about, so that the service cannot have acted."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def _drain(response: requests.Response, into: Sink) -> None:
    if not response.ok:
        response.content  # noqa: B018 - reads the short error text while the connection is there
        return
    into.seek(0)
    into.truncate()
    for chunk in response.iter_content(_CHUNK_BYTES):
        into.write(chunk)


def _cause(error: Exception) -> str:
    """The innermost reason in plain words: libraries wrap it several times over."""
    inner: BaseException = error
    while True:
        nested = getattr(inner, "reason", None) or next(iter(inner.args), None)
        if not isinstance(nested, Exception):
            nested = inner.__cause__
        if nested is None or isinstance(nested, TimeoutError):
            break
        inner = nested
    strerror = inner.strerror if isinstance(inner, OSError) else None
    return strerror or _OBJECT_PREFIX.sub("", str(inner)) or type(inner).__name__


def _shown(url: str) -> str:
    """The address without what may be secret: user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

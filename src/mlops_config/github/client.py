"""GitHub's REST API for one repository: what comments, issues and releases need, with errors in words."""

import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from mlops_config.errors import ServiceError
from mlops_config.http import HttpClient
from mlops_config.retrying import Retries, retry_after

if TYPE_CHECKING:
    import requests

API_VERSION = "2022-11-28"
"""The oldest version of the REST API that github.com and every supported Enterprise Server serve."""

MAX_PAGES = 100
MAX_REDIRECTS = 3
LONGEST_RATE_LIMIT_WAIT_S = 300.0
SECONDARY_LIMIT_WAIT_S = 60.0
"""GitHub asks for a minute at least where a secondary limit names no time.
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"""


class GitHubError(ServiceError):
    """GitHub said no. ``status`` is the HTTP status of its answer."""

    status: int

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class BadTokenError(GitHubError):
    """The token is no token, has expired, or was revoked (401)."""


class PermissionDeniedError(GitHubError):
    """The token may not do this (403), as in a run for a pull request from a fork, which can only read."""


class NotFoundError(GitHubError):
    """There is no such thing, or the token may not see it (404, 410)."""


class RejectedError(GitHubError):
    """GitHub understood the request and refused what it asks for (422). ``codes`` holds its reasons."""

    def __init__(self, message: str, *, codes: frozenset[str], status: int = 422) -> None:
        super().__init__(message, status=status)
        self.codes = codes


class GitHubClient:
    """Requests to one repository, as JSON.

    ``api_url`` is ``https://api.github.com`` or ``https://<host>/api/v3``; ``repository`` is ``owner/name``.
    Both rate limits are waited for, up to five minutes at a time; what else looks temporary is tried again
    by :class:`HttpClient`.
    """

    def __init__(self, api_url: str, token: str, repository: str, *, retries: Retries | None = None) -> None:
        self.api_url = api_url.rstrip("/")
        self.repository = repository
        self._http = HttpClient(
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "X-GitHub-Api-Version": API_VERSION,
            },
            retries=retries or Retries(longest_wait=LONGEST_RATE_LIMIT_WAIT_S, deadline=600.0),
            throttled=rate_limit_wait,
        )

    def __enter__(self) -> "GitHubClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections kept open."""
        self._http.close()

    def login(self) -> str | None:
        """The login of the token's user; ``None`` for an app's token, such as a job's own: it has no user."""
        try:
            user = self._request("GET", f"{self.api_url}/user").json()
        except PermissionDeniedError:
            return None
        return str(user["login"])

    def get(self, path: str) -> Any:
        """The thing at ``path``, which starts with ``/`` and is below the repository.

        Raises:
            GitHubError: one of its subclasses says why not.
            ServiceError: GitHub stayed away or busy.
        """
        return self._request("GET", self._url(path)).json()

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every entry of the list at ``path``, page by page as the ``Link`` headers lead.

        ``query`` narrows the list, such as ``state="open"``.

        Raises:
            GitHubError, ServiceError: as :meth:`get`; also when a page leads to another host or never ends.
        """
        url: str | None = f"{self._url(path)}?{urlencode(query | {'per_page': '100'})}"
        for _ in range(MAX_PAGES):
            if url is None:
                return
            response = self._request("GET", url)
            yield from response.json()
            url = response.links.get("next", {}).get("url")
        if url is not None:
            raise ServiceError(f"{self.repository}{path} on GitHub is longer than {MAX_PAGES * 100} entries")

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """What was created at ``path``; may be created twice, since a failure that may pass is tried again.

        Raises:
            GitHubError, ServiceError: as :meth:`get`.
        """
        return self._request("POST", self._url(path), body).json()

    def patch(self, path: str, body: Mapping[str, object]) -> Any:
        """The thing at ``path`` as it is after the change.

        Raises:
            GitHubError, ServiceError: as :meth:`get`.
        """
        return self._request("PATCH", self._url(path), body).json()

    def delete(self, path: str) -> None:
        """Deletes the thing at ``path``.

        Raises:
            GitHubError, ServiceError: as :meth:`get`.
        """
        self._request("DELETE", self._url(path))

    def _url(self, path: str) -> str:
        return f"{self.api_url}/repos/{self.repository}{path}"

    def _request(
        self, method: str, url: str, body: Mapping[str, object] | None = None
    ) -> "requests.Response":
        for _ in range(MAX_REDIRECTS + 1):
            self._refuse_other_hosts(url)
            response = self._http.request(
                method, url, json=body, doing="the request to GitHub", repeatable=True, follow=False
            )
            # A renamed repository redirects; the library would turn a redirected POST into a GET.
            if not response.is_redirect:
                break
            url = urljoin(url, response.headers["Location"])
        if response.ok and not response.is_redirect:
            return response
        raise _error_of(response, f"{method} {urlsplit(url).path}", self.repository)

    def _refuse_other_hosts(self, url: str) -> None:
        target, own = urlsplit(url), urlsplit(self.api_url)
        if (target.scheme, target.netloc) != (own.scheme, own.netloc):
            raise ServiceError(
                f"GitHub's answer leads to {target.scheme}://{target.hostname}, another host than"
                f" {own.scheme}://{own.netloc}, which must not get the token"
            )


def rate_limit_wait(response: "requests.Response", *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds until a request that met a rate limit may be sent again; ``None``: it met none.

    Both limits answer 403 or 429: the primary one with ``x-ratelimit-remaining: 0`` and the time of its
    reset, the secondary one with ``Retry-After`` or in words alone.
    """
    if response.status_code not in (403, 429):
        return None
    asked = retry_after(response.headers.get("Retry-After"))
    if asked is not None:
        return asked
    reset = response.headers.get("x-ratelimit-reset", "")
    if response.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(1.0, int(reset) - _time_at(response, now) + 1.0)
    if "rate limit" in response.text.lower():
        return SECONDARY_LIMIT_WAIT_S
    return None


def _time_at(response: "requests.Response", now: Callable[[], float]) -> float:
    """The time by GitHub's clock where it says so: ours may be off by more than the wait."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return now()


def _error_of(response: "requests.Response", request: str, repository: str) -> GitHubError:
    status = response.status_code
    said, reasons, codes = _explanation(response)
    sentence = f"GitHub answered {status}{f' ({said})' if said else ''} to {request}"
    if status == 401:
        return BadTokenError(
            sentence, status=status, hint="The token is wrong, expired or revoked. Give a valid one."
        )
    if status == 403:
        needed = _printable(response.headers.get("x-accepted-github-permissions", ""))
        return PermissionDeniedError(sentence, status=status, hint=_permission_hint(needed))
    if status in (404, 410):
        return NotFoundError(
            sentence,
            status=status,
            hint=f"Is {repository} spelled right, and may the token read it? GitHub answers 404 for both.",
        )
    if status == 422:
        return RejectedError(f"{sentence}{f': {reasons}' if reasons else ''}", codes=codes)
    return GitHubError(sentence, status=status)


def _permission_hint(needed: str) -> str:
    """``needed`` is GitHub's own header: alternatives between ``;``, what belongs together between ``,``."""
    if not needed:
        return "Grant the job what it needs under 'permissions:' in its workflow."
    choices = [
        " and ".join(part.strip().replace("=", ": ").replace("_", "-") for part in choice.split(","))
        for choice in needed.split(";")
    ]
    return (
        f"The job needs {' or '.join(choices)} under 'permissions:' in its workflow. A pull request from a"
        " fork can only read, whatever the workflow grants."
    )


def _explanation(response: "requests.Response") -> tuple[str, str, frozenset[str]]:
    """GitHub's message, its reasons in words, and its reasons' codes."""
    try:
        document = response.json()
    except ValueError:
        return "", "", frozenset()
    if not isinstance(document, dict):
        return "", "", frozenset()
    errors = [entry for entry in document.get("errors") or [] if isinstance(entry, dict)]
    words = [
        _printable(str(entry.get("message") or f"{entry.get('field', 'it')}: {entry.get('code', 'refused')}"))
        for entry in errors
    ]
    codes = frozenset(str(entry["code"]) for entry in errors if "code" in entry)
    return _printable(str(document.get("message") or "")), "; ".join(words), codes


def _printable(text: str) -> str:
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:300]

"""Vertex AI's REST API (v1): requests, long-running operations, and errors that people can read.

Not through Google's Python client: importing it takes six seconds, and it brings retries of its own. The
tests check every request and answer against that client's message types.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlops_config.deploy.interface import DeployFailedError, OnItsWayError
from mlops_config.deploy.rollout import Pace
from mlops_config.errors import ServiceError
from mlops_config.google_login import NEW_CREDENTIALS, Authorize, log_in
from mlops_config.retrying import Retries

if TYPE_CHECKING:
    import requests

    from mlops_config.http import HttpClient

Json = Mapping[str, Any]

SCOPE = "https://www.googleapis.com/auth/cloud-platform"

_POLL_SECONDS = 10.0
_OPERATION_SECONDS = 7200.0
_UNAUTHORIZED, _FORBIDDEN, _MISSING, _CONFLICT, _QUOTA = 401, 403, 404, 409, 429


class VertexApi:
    """One project and location. ``address`` and ``authorize`` replace Google's own."""

    def __init__(
        self,
        project: str,
        location: str,
        *,
        address: str | None = None,
        authorize: Authorize | None = None,
        pace: Pace | None = None,
        retries: Retries | None = None,
    ) -> None:
        self.parent = f"projects/{project}/locations/{location}"
        self._address = f"{address or f'https://{location}-aiplatform.googleapis.com'}/v1"
        self._authorize = authorize
        self._pace = pace or Pace()
        self._retries = retries
        self._http: HttpClient | None = None
        self.waits = True
        """Whether an operation under way is waited for; else it raises OnItsWayError."""

    def get(self, name: str) -> Any:
        """A resource, or ``None`` when it is not there."""
        response = self._send("GET", name, None, {}, repeatable=True)
        return None if response.status_code == _MISSING else self._good(response, "GET", name).json()

    def items(self, collection: str, label: str, value: str) -> Iterator[Any]:
        """The resources of a collection (``models``) that carry a label with this value."""
        name, page = f"{self.parent}/{collection}", ""
        while True:
            asked = {"filter": f"labels.{label}={value}", "pageSize": "100", "pageToken": page}
            found = self._good(self._send("GET", name, None, asked, repeatable=True), "GET", name).json()
            yield from found.get(collection, ())
            page = found.get("nextPageToken", "")
            if not page:
                return

    def send(
        self,
        method: str,
        name: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Any:
        """The answer to one request.

        Raises:
            ServiceError: it was refused, or the service stayed away.
        """
        return self._good(self._send(method, name, body, query or {}, repeatable), method, name).json()

    def create(
        self, collection: str, name: str, body: Json, doing: str, query: Mapping[str, str] | None = None
    ) -> Any:
        """Makes the resource unless it is there, also when somebody else is making it, and returns it.

        ``collection`` is what is posted to, ``name`` the resource that comes of it.
        """
        found = self.get(name)
        if found is not None:
            return found
        try:
            self.finish(self.send("POST", collection, body, query=query), doing)
        except RefusedError as error:
            # An earlier deploy of ours was interrupted while it was made.
            if not error.is_conflict:
                raise
        if not self.waits and self.get(name) is None:
            raise OnItsWayError(doing)
        found = self._pace.until(lambda: self.get(name), limit=_OPERATION_SECONDS, every=_POLL_SECONDS)
        if found is None:
            raise ServiceError(f"{doing} did not make {name}", hint="run the same command again")
        return found

    def await_pending(self, name: str) -> None:
        """Waits for what is still being done to a resource, however it ends."""
        for operation in self.send("GET", f"{name}/operations").get("operations", ()):
            with contextlib.suppress(DeployFailedError):
                self.finish(operation, f"waiting for {operation['name']}")

    def require_no_failure(self, name: str, doing: str) -> None:
        """Tells of what failed on a resource while nobody waited for it.

        Raises:
            DeployFailedError: something did, with the provider's reason.
        """
        for operation in self.send("GET", f"{name}/operations").get("operations", ()):
            if "error" in operation:
                self.finish(operation, doing)

    def finish(self, operation: Json, doing: str) -> Any:
        """What a long-running operation ends with.

        Raises:
            DeployFailedError: it failed, with the provider's reason.
        """
        name = str(operation["name"])

        def look() -> Any:
            found = operation if operation.get("done") else self.get(name)
            if found is None:
                raise ServiceError(
                    f"{doing}: the operation {name} is gone", hint="run the same command again"
                )
            return found if found.get("done") else None

        if not self.waits and look() is None:
            raise OnItsWayError(doing)
        ended = self._pace.until(look, limit=_OPERATION_SECONDS, every=_POLL_SECONDS)
        if ended is None:
            raise DeployFailedError(
                f"{doing} takes more than {_OPERATION_SECONDS / 60:.0f} minutes ({name})",
                hint="Vertex AI goes on by itself; run the same command again to wait on",
            )
        if "error" in ended:
            raise DeployFailedError(
                f"{doing} failed: {ended['error'].get('message', ended['error'])}",
                hint="the server's log is in Cloud Logging; when the image was not found: is it in Artifact"
                " Registry, and may the Vertex AI service agent read it?",
            )
        return ended.get("response", {})

    def _send(
        self, method: str, name: str, body: Json | None, query: Mapping[str, str], repeatable: bool | None
    ) -> "requests.Response":
        from mlops_config.http import HttpClient

        if self._http is None:
            self._http = HttpClient(retries=self._retries)
        if self._authorize is None:
            self._authorize = log_in(SCOPE, "Vertex AI", extra="gcp").authorize
        http, authorize, url = self._http, self._authorize, f"{self._address}/{name}"
        given = {key: value for key, value in query.items() if value}

        def once() -> "requests.Response":
            headers = authorize(method, url)
            return http.send(method, url, headers=headers, json=body, params=given, repeatable=repeatable)

        return http.retries.run(once, doing=f"{method} {name} at Vertex AI")

    def _good(self, response: "requests.Response", method: str, name: str) -> "requests.Response":
        if response.ok:
            return response
        said, reason = _said(response)
        raise RefusedError(
            f"{method} {name} failed: Vertex AI answered {response.status_code}: {said}",
            response.status_code,
            hint=_hint(response.status_code, said, reason),
        )


class RefusedError(ServiceError):
    """Vertex AI refused one request for good."""

    def __init__(self, message: str, status: int, *, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.is_missing = status == _MISSING
        self.is_conflict = status == _CONFLICT


def _hint(status: int, said: str, reason: str) -> str | None:
    if reason == "SERVICE_DISABLED":
        return "enable it: gcloud services enable aiplatform.googleapis.com"
    if "quota" in said.lower():
        return "ask for more under IAM & Admin > Quotas, or use fewer or smaller machines"
    if status == _UNAUTHORIZED:
        return NEW_CREDENTIALS
    if status == _FORBIDDEN:
        return (
            "give the identity in use roles/aiplatform.user, and roles/iam.serviceAccountUser on the"
            " server's service account (docs/deployers.md has the permissions)"
        )
    return None


def _said(response: "requests.Response") -> tuple[str, str]:
    """What Google says in words, and its reason code where it gives one."""
    from mlops_config.http import answer_excerpt

    try:
        error = response.json()["error"]
        details = [each.get("reason", "") for each in error.get("details", ())]
        return str(error["message"]), next((each for each in details if each), "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return (answer_excerpt(response) or response.reason or "").strip(" ()"), ""

"""Who we are to Google Cloud: access tokens of the default credentials, for our own HTTP requests."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mlops_config.errors import ServiceError, UsageError
from mlops_config.retrying import TemporaryError

Authorize = Callable[[str, str], dict[str, str]]
"""The headers that prove who asks, for a method and URL."""

NEW_CREDENTIALS = (
    "get new credentials: gcloud auth application-default login, or mend the file that"
    " GOOGLE_APPLICATION_CREDENTIALS names"
)
_GIVE_CREDENTIALS = (
    "give credentials: gcloud auth application-default login, GOOGLE_APPLICATION_CREDENTIALS, or a service"
    " account of the machine (in GitHub Actions: google-github-actions/auth before this step)"
)
_TOKEN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials that were found; tokens are fetched and renewed when a request asks for headers."""

    authorize: Authorize
    universe_domain: str
    """``googleapis.com``, but in clouds that are run by others."""


def log_in(scope: str, what: str, *, extra: str) -> Login:
    """The application default credentials. ``what`` is opened with them, and needs the extra ``extra``.

    Raises:
        UsageError: google-auth is not installed.
        ServiceError: there are no credentials.
    """
    try:
        import google.auth
        import google.auth.exceptions
        import google.auth.transport.requests
    except ImportError as error:
        raise UsageError(
            f"{what} needs google-auth, and it is not installed",
            hint=f"run: pip install 'mlops-config-action[{extra}]'",
        ) from error
    try:
        credentials, _ = google.auth.default(scopes=[scope])
    except google.auth.exceptions.GoogleAuthError as error:
        raise ServiceError(f"opening {what} failed: {error}", hint=_GIVE_CREDENTIALS) from error
    transport = partial(google.auth.transport.requests.Request(), timeout=_TOKEN_SECONDS)

    def authorize(method: str, url: str) -> dict[str, str]:
        headers: dict[str, str] = {}
        try:
            credentials.before_request(transport, method, url, headers)  # type: ignore[no-untyped-call]
        except google.auth.exceptions.GoogleAuthError as error:
            if error.retryable or isinstance(error, google.auth.exceptions.TransportError):
                raise TemporaryError(f"Google gave no access token: {error}") from error
            raise ServiceError(f"Google gave no access token: {error}", hint=NEW_CREDENTIALS) from error
        return headers

    return Login(authorize, credentials.universe_domain)

"""Who we are to Airflow: the headers that go with each request, and where its API is."""

import os
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import requests

from mlops_config.errors import ServiceError, UsageError
from mlops_config.http import HttpClient, answer_excerpt

TOKEN_VARIABLES = ("MLOPS_AIRFLOW_TOKEN", "AIRFLOW_API_TOKEN")
USER_VARIABLE = "MLOPS_AIRFLOW_USER"
PASSWORD_VARIABLE = "MLOPS_AIRFLOW_PASSWORD"  # noqa: S105 a variable's name
COMPOSER_HOSTS = (".composer.googleusercontent.com", ".composer.byoid.googleusercontent.com")
"""How the names of Cloud Composer's web servers end."""
_GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_MWAA_LOGIN = "pluginsv2/aws_mwaa/login"
_MWAA_COOKIE = "_token"
_GIVE_LOGIN = f"set {TOKEN_VARIABLES[0]}, or {USER_VARIABLE} and {PASSWORD_VARIABLE}; docs/deploy.md has more"


class Login(Protocol):
    """A way to log in."""

    hint: str
    """What to do when Airflow does not take it."""
    is_airflows_own: bool
    """Whether Airflow itself is asked for the token, so that there is none before Airflow answers."""

    def headers(self, http: HttpClient, method: str, url: str) -> dict[str, str]:
        """What proves who asks; fetched when it is needed first.

        Raises:
            ServiceError: there is no logging in.
        """
        ...

    def renew(self) -> bool:
        """Forgets what was fetched; whether there can be anything new."""
        ...


class TokenLogin:
    """A token that somebody fetched."""

    hint = f"get a new token and set {TOKEN_VARIABLES[0]}"
    is_airflows_own = False

    def __init__(self, token: str) -> None:
        self._token = token

    def headers(self, http: HttpClient, method: str, url: str) -> dict[str, str]:  # noqa: ARG002 each login takes what it needs
        """The token."""
        return _bearer(self._token)

    def renew(self) -> bool:
        """It is the only one."""
        return False


class FetchedLogin:
    """Fetches a token from Airflow's own ``/auth/token``, which SimpleAuthManager, FAB and Keycloak have.

    Without a user it asks for the token that SimpleAuthManager gives anybody where everybody is an admin.
    """

    is_airflows_own = True

    def __init__(self, address: str, user: str | None = None, password: str = "") -> None:
        self._url = f"{address}/auth/token"
        self._user = user
        self._password = password
        self._token: str | None = None
        self.hint = f"are {USER_VARIABLE} and {PASSWORD_VARIABLE} right?" if user else _GIVE_LOGIN

    def headers(self, http: HttpClient, method: str, url: str) -> dict[str, str]:  # noqa: ARG002 each login takes what it needs
        """A token, fetched once."""
        if self._token is None:
            self._token = self._fetched(http)
        return _bearer(self._token)

    def renew(self) -> bool:
        """Forgets the token."""
        self._token = None
        return True

    def _fetched(self, http: HttpClient) -> str:
        doing = f"logging in at {self._url}"
        if self._user is None:
            response = http.request("GET", self._url, doing=doing)
        else:
            login = {"username": self._user, "password": self._password}
            response = http.request("POST", self._url, doing=doing, json=login, repeatable=True)
        token = _field(response, "access_token") if response.ok else None
        if not token:
            status = f"{response.status_code} {response.reason}"
            whom = f"{self._user!r}" if self._user else "us without a login"
            raise ServiceError(
                f"Airflow at {self._url.removesuffix('/auth/token')} does not let {whom} in: it answered"
                f" {status}{answer_excerpt(response)}",
                hint=self.hint,
            )
        return token


class GoogleLogin:
    """Google's application default credentials, for Cloud Composer."""

    is_airflows_own = False

    def __init__(self) -> None:
        """
        Raises:
            UsageError: google-auth is not installed.
            ServiceError: there are no credentials.
        """
        from mlops_config.google_login import NEW_CREDENTIALS, log_in

        self.hint = f"may this account use the environment (composer.environments.get)? Or {NEW_CREDENTIALS}"
        self._authorize = log_in(_GOOGLE_SCOPE, "Cloud Composer", extra="gcp").authorize

    def headers(self, http: HttpClient, method: str, url: str) -> dict[str, str]:  # noqa: ARG002 each login takes what it needs
        """A token; Google's library renews it in time."""
        return self._authorize(method, url)

    def renew(self) -> bool:
        """There is nothing to do."""
        return False


class MwaaLogin:
    """Amazon MWAA: AWS gives a token of a minute, which its web server takes for one of Airflow's.

    Not ``InvokeRestApi``: that takes paths of 64 letters at most, and those of a DAG run are longer.
    Source: botocore's service model of MWAA (2020-07-01), and the Amazon provider's ``MwaaHook``.
    """

    hint = "does the role have airflow:CreateWebLoginToken, and an Airflow role that may do this (Op, Admin)?"
    is_airflows_own = False

    def __init__(self, name: str, client: Any = None) -> None:
        """``name`` is the environment's; ``client`` a boto3 client of ``mwaa``, by default a new one."""
        self.name = name
        self._client = client
        self._host: str | None = None
        self._web_token = ""
        self._token: str | None = None

    def address(self) -> str:
        """Where the environment's web server is.

        Raises:
            UsageError: boto3 is not installed.
            ServiceError: AWS does not let us in.
        """
        if self._host is None:
            answer = self._asked()
            self._host, self._web_token = answer["WebServerHostname"], answer["WebToken"]
        return f"https://{self._host}"

    def headers(self, http: HttpClient, method: str, url: str) -> dict[str, str]:  # noqa: ARG002 each login takes what it needs
        """A token of Airflow's, by its cookie."""
        if self._token is None:
            address = self.address()
            login = f"{address}/{_MWAA_LOGIN}"
            body, kind = urlencode({"token": self._web_token}), "application/x-www-form-urlencoded"
            response = http.request(
                "POST",
                login,
                doing=f"logging in to the MWAA environment {self.name}",
                body=body.encode(),
                headers={"Content-Type": kind},
                follow=False,
            )
            self._token = response.cookies.get(_MWAA_COOKIE)
            if not self._token:
                raise ServiceError(
                    f"the MWAA environment {self.name} gave no token: {login} answered"
                    f" {response.status_code} {response.reason}{answer_excerpt(response)}",
                    hint=f"is it of Airflow 3? {self.hint}",
                )
        return _bearer(self._token)

    def renew(self) -> bool:
        """Forgets the tokens."""
        self._token = self._host = None
        return True

    def _asked(self) -> Mapping[str, str]:
        try:
            import boto3
            import botocore.exceptions
        except ImportError as error:
            raise UsageError(
                "Amazon MWAA needs boto3, and it is not installed",
                hint="run: pip install 'mlops-config-action[aws]'",
            ) from error
        try:
            client = self._client or boto3.client("mwaa")
            answer: Mapping[str, str] = client.create_web_login_token(Name=self.name)
        except botocore.exceptions.NoRegionError as error:
            raise UsageError(
                f"nothing says in which region the MWAA environment {self.name} is", hint="set AWS_REGION"
            ) from error
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise ServiceError(
                f"logging in to the MWAA environment {self.name} failed: {error}", hint=self.hint
            ) from error
        return answer


def login_to(address: str, environment: Mapping[str, str] = os.environ) -> tuple[str, Login]:
    """Where the API of the Airflow at ``address`` is, and how to log in there.

    In this order: ``mwaa://<name>`` by AWS; a token in the environment; a user with password there; for
    Cloud Composer, Google's default credentials; else no login.

    Raises:
        UsageError: the address is none, or what a login needs is not there.
        ServiceError: AWS or Google does not let us in.
    """
    address = address.rstrip("/")
    parts = urlsplit(address)
    if parts.scheme == "mwaa" and parts.netloc:
        mwaa = MwaaLogin(parts.netloc)
        return mwaa.address(), mwaa
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise UsageError(
            f"{_without_credentials(address)!r} is no address of an Airflow",
            hint="give http(s)://host without credentials, or mwaa://<environment's name>",
        )
    return address, _login(address, parts.hostname, environment)


def _login(address: str, host: str, environment: Mapping[str, str]) -> Login:
    token = next((environment[name] for name in TOKEN_VARIABLES if environment.get(name)), None)
    if token:
        return TokenLogin(token)
    user, password = environment.get(USER_VARIABLE), environment.get(PASSWORD_VARIABLE)
    if user and password:
        return FetchedLogin(address, user, password)
    if user or password:
        missing = PASSWORD_VARIABLE if user else USER_VARIABLE
        raise UsageError(f"{missing} is not set", hint=_GIVE_LOGIN)
    if host.endswith(COMPOSER_HOSTS):
        return GoogleLogin()
    return FetchedLogin(address)


def is_unknown(response: requests.Response) -> bool:
    """Whether Airflow does not take our token: run out (401), or not signed with its key of now (403)."""
    if response.status_code == requests.codes.forbidden:
        return _field(response, "detail") == "Invalid JWT token"
    return bool(response.status_code == requests.codes.unauthorized)


def refused(response: requests.Response, doing: str, address: str, login: Login) -> ServiceError:
    """The error of an answer 401 or 403."""
    unknown = is_unknown(response)
    said = "does not know us" if unknown else "does not allow it"
    hint = login.hint if unknown else "the user needs a role that may do this, such as Op or Admin"
    return ServiceError(
        f"{doing} failed: Airflow at {address} {said} ({response.status_code} {response.reason})", hint=hint
    )


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _field(response: requests.Response, name: str) -> str | None:
    try:
        document = response.json()
    except ValueError:
        return None
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else None


def _without_credentials(address: str) -> str:
    return address.rpartition("@")[2]

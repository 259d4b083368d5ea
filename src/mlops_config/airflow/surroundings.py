"""Where an environment's jobs run and what they find there: an Airflow Connection or Variable, read in tasks.

It is the only thing that Airflow itself keeps for an environment, so it is the wall as well: a task whose
deployment is of another environment than its surroundings ends before anything runs.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowNotFoundException,
    Connection,
    Variable,
)
from airflow.sdk.log import mask_secret

from mlops_config.orchestration.deployment import connection_id

_SECRET_NAME = re.compile(
    r"SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY", re.IGNORECASE
)
_FILE_NAME = re.compile(r"_FILE$|^GOOGLE_APPLICATION_CREDENTIALS$", re.IGNORECASE)
"""Variables that say where a secret lies, which is none."""


class Surroundings(NamedTuple):
    """What a Connection says of an environment; each field is a key of its extra."""

    environment: str
    variables: Mapping[str, str] = {}
    """Environment variables of every job: stores, servers, regions, and secrets."""
    python: str = "python"
    """``bash``: the interpreter that has this package and its jobs."""
    entrypoints: str = "/app"
    """``bash``: the folder with ``training_main.py`` and the others; jobs run in it."""
    root: str | None = None
    """``bash``: what relative ``file://`` URIs begin at (``--root``); by default ``entrypoints``."""
    docker_url: str | None = None
    """``docker``: the engine; by default ``DOCKER_HOST``, else the worker's own."""
    docker_conn_id: str | None = None
    """``docker``: the Connection to the registry that images are pulled from."""
    mounts: Sequence[Mapping[str, Any]] = ()
    """``docker``: volumes and folders, as the arguments of ``docker.types.Mount``."""
    kubernetes_conn_id: str = "kubernetes_default"
    """``kubernetes``: the Connection to the cluster."""
    kubernetes_secrets: Sequence[str] = ()
    """``kubernetes``: Secrets of the namespace whose keys become environment variables."""
    image_pull_secrets: Sequence[str] = ()
    """``kubernetes``: Secrets of the namespace with logins to registries."""


def surroundings_of(environment: str) -> Surroundings:
    """The environment's surroundings; what is secret in them is masked in Airflow's logs from here on.

    Raises:
        AirflowFailException: there are none, they cannot be read, or they are another environment's.
    """
    name = connection_id(environment)
    origin, extra = _extra(name)
    if extra is None:
        raise AirflowFailException(
            f"there is no Airflow Connection or Variable {name}, which says where the jobs of {environment}"
            f" run; make it: {_command(name, environment)}"
        )
    found = _read(origin, extra, environment, name)
    if found.environment != environment:
        raise AirflowFailException(
            f"{origin} is of the environment {found.environment!r}, and this task belongs to {environment}:"
            f" nothing was run. Its extra must say {json.dumps({'environment': environment})}"
        )
    for secret in secrets_in(found.variables):
        mask_secret(secret)
    return found


def secrets_in(variables: Mapping[str, str]) -> list[str]:
    """Values that are nobody's business, the longest first: those of variables such as MLOPS_SECRET_X and
    AWS_SECRET_ACCESS_KEY, and passwords in addresses. A key of several lines is each line too: so are logs.
    """
    values = {value for name, value in variables.items() if _is_secret(name)}
    values |= {password for value in variables.values() if (password := _password_in(value))}
    lines = {line for value in values for line in value.splitlines()}
    return sorted((each for each in values | lines if each.strip()), key=len, reverse=True)


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _FILE_NAME.search(name)


def masked(text: str, secrets: Sequence[str]) -> str:
    """The text without the secrets. Airflow masks as well, but nothing shorter than five characters."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _extra(name: str) -> tuple[str, Any]:
    """Where it was found, and the JSON there as text or value; ``None``: nowhere."""
    try:
        connection = Connection.get(name)
    except AirflowNotFoundException:
        connection = None
    if connection is not None:
        return f"the Airflow Connection {name}", connection.extra or "{}"
    return f"the Airflow Variable {name}", Variable.get(name, default=None)


def _read(origin: str, extra: Any, environment: str, name: str) -> Surroundings:
    try:
        document = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")  # noqa: TRY301, TRY004 worded with the rest
        if unknown := sorted(set(document) - set(Surroundings._fields)):
            known = ", ".join(Surroundings._fields)
            raise ValueError(f"it has {', '.join(unknown)}; known are {known}")  # noqa: TRY301 worded with the rest
        found = Surroundings(**document)
        variables = {key: _text(key, value) for key, value in found.variables.items()}
    except (ValueError, TypeError, AttributeError) as error:
        # The decoder's sentence names a place, never a value: the value may be a secret.
        raise AirflowFailException(
            f"{origin} cannot be read: {error}; it looks like: {_command(name, environment)}"
        ) from None
    return found._replace(variables=variables)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the variable {name} is no text: quote it")  # noqa: TRY004 worded with the rest
    return value


def _command(name: str, environment: str) -> str:
    extra = json.dumps(
        {"environment": environment, "variables": {"MLOPS_STORE": "s3://…"}}, ensure_ascii=False
    )
    return f"airflow connections add {name} --conn-type generic --conn-extra '{extra}'"


def _password_in(value: str) -> str | None:
    """The password of ``scheme://user:password@host``."""
    try:
        return urlsplit(value).password
    except ValueError:
        return None

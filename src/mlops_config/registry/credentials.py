"""Finds the credentials for a registry where ``docker login`` and its credential helpers keep them."""

import base64
import binascii
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_config.errors import UsageError
from mlops_config.registry.reference import DOCKER_HUB

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - the user name by which a credential helper says "this is a token"
_HELPER_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to show a registry, and where that was found. Without any of the three: be anonymous."""

    source: str
    """Where they were found, or all the places where none were; for messages."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    identity_token: str | None = field(default=None, repr=False)
    """An OAuth 2 refresh token: exchanged at the registry's token server for an access token."""
    registry_token: str | None = field(default=None, repr=False)
    """An access token the registry takes as it is."""

    @property
    def anonymous(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.password or self.identity_token or self.registry_token)


def config_file() -> Path:
    """Docker's client configuration: ``$DOCKER_CONFIG/config.json``, else ``~/.docker/config.json``."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def find_credentials(registry: str, config: Path | None = None) -> Credentials:
    """The credentials for ``registry``: from its own helper, the default helper, or the file, in that order.

    Raises:
        UsageError: the configuration file is broken, or the helper it names for this very registry fails.
    """
    path = config or config_file()
    document = _read(path)
    key = _DOCKER_HUB_KEY if registry == DOCKER_HUB else registry
    looked: list[str] = []

    helpers = document.get("credHelpers")
    own = next((helpers[name] for name in (registry, key) if name in helpers), None) if helpers else None
    if own:
        found = _from_helper(own, key, path, looked, required=True)
        if found:
            return found
    default = document.get("credsStore")
    if default:
        found = _from_helper(default, key, path, looked, required=False)
        if found:
            return found

    auths = document.get("auths") or {}
    entry = auths.get(key) or next((auths[name] for name in auths if _host(name) == _host(key)), None)
    if isinstance(entry, dict):
        found = _from_entry(entry, registry, path)
        if not found.anonymous:
            return found
    looked.append(f"{path}" if path.exists() else f"{path} (no such file)")
    return Credentials(source=", ".join(looked))


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the Docker configuration {path} cannot be read: {error}") from error
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UsageError(f"the Docker configuration {path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"the Docker configuration {path} is not a JSON object")
    return document


def _host(key: str) -> str:
    """The host an ``auths`` key is about: keys may be hosts or addresses such as ``https://host/v1/``."""
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _from_entry(entry: dict[str, Any], registry: str, path: Path) -> Credentials:
    username, password = entry.get("username"), entry.get("password")
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(entry["auth"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, TypeError) as error:
            raise UsageError(
                f"the Docker configuration {path} has an entry for {registry} that is not base64",
                hint=f"run: docker login {registry}",
            ) from error
        username, _, password = decoded.rstrip("\0").partition(":")
    return Credentials(
        str(path), username or None, password or None, entry.get("identitytoken"), entry.get("registrytoken")
    )


def _from_helper(name: str, key: str, path: Path, looked: list[str], *, required: bool) -> Credentials | None:
    """The helper's answer, or ``None`` when it has none; where we looked is added to ``looked``."""
    program = f"docker-credential-{name}"
    found = shutil.which(program)
    if found is None:
        if required:
            raise UsageError(
                f"{path} names {program} for {key}, and there is no such program on PATH",
                hint=f"install {program}, or remove its entry under credHelpers",
            )
        looked.append(f"{program} (not on PATH)")
        return None
    try:
        # The helper's protocol: the registry on standard input, JSON on standard output, 1 for "none".
        done = subprocess.run(  # noqa: S603 - the person's own configuration names the program
            [found, "get"],
            input=key.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{program} gave no usable answer for {key}: {_brief(error)}") from error
    if not isinstance(answer, dict) or not answer.get("Secret"):
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        if required and "not found" not in said.lower():
            raise UsageError(f"{program} failed for {key}: {said[:300] or f'exit code {done.returncode}'}")
        looked.append(f"{program} (it has none for {key})")
        return None
    username, secret = answer.get("Username"), answer["Secret"]
    if username == _TOKEN_USER:
        return Credentials(program, identity_token=secret)
    return Credentials(program, username, secret)


def _brief(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"nothing after {_HELPER_TIMEOUT_SECONDS} s"
    return "its output is not JSON" if isinstance(error, ValueError) else str(error)

"""Finds the Docker engine the way the docker command does, and words what goes wrong with it."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlops_config.errors import ServiceError

if TYPE_CHECKING:
    from docker import DockerClient

_CONNECT_SECONDS = 5
_OPERATION_SECONDS = 600
"""Longest silence of a working engine: before it saves a large image it writes it to a temporary folder."""

_DISK_FULL = "no space left on device"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers."""

    client: "DockerClient"
    host: str
    """Its address, for messages."""
    context: str
    """Name of the Docker context, which is also that of its buildx builder; ``default`` without contexts."""
    platform: str
    """What it runs, such as ``linux/amd64``."""

    @contextmanager
    def calls(self, doing: str) -> Iterator[None]:
        """Around calls of the SDK: its errors become :class:`ServiceError`, and nothing stays open.

        An answer left half read is closed on the way out, so an engine stops a build or push whose caller
        was stopped; the SDK itself would leave that to the garbage collector.
        """
        answers: list[Any] = []

        def remember(answer: Any, **_: Any) -> None:
            answers.append(answer)

        hooks = self.client.api.hooks["response"]
        hooks.append(remember)
        try:
            with _engine_errors(doing):
                yield
        finally:
            hooks.remove(remember)
            for answer in answers:
                answer.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections kept for the next call, which opens new ones."""
        self.client.close()


class NoEngineError(Exception):
    """No engine answers; the message says why, in one line."""


def find_engine() -> Engine:
    """The engine at ``DOCKER_HOST``, else of ``DOCKER_CONTEXT`` or the current context, else the local one.

    Raises:
        NoEngineError: none answers within seconds, or it runs no Linux images.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    host = os.environ.get("DOCKER_HOST") or None
    context = "default"
    try:
        if host:
            _probe(host)
            client = _from_environment(host)
        else:
            client, host, context = _from_context()
        version = client.version()
    except (DockerException, RequestException, OSError, ValueError) as error:
        raise NoEngineError(f"no Docker engine answers{_at(host)}: {_reason(error)}") from error
    platform = f"{version['Os']}/{version['Arch']}"
    if version["Os"] != "linux":
        client.close()
        raise NoEngineError(f"the Docker engine{_at(host)} runs {platform} images; linux is needed")
    client.api.timeout = _OPERATION_SECONDS
    return Engine(client, host, context, platform)


@contextmanager
def _engine_errors(doing: str) -> Iterator[None]:
    """Turns what the docker SDK raises into a :class:`ServiceError` that says what was being done."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise engine_failure(doing, str(error.explanation or error)) from error
    except (DockerException, RequestException, OSError) as error:
        raise engine_failure(doing, _reason(error)) from error


def engine_failure(doing: str, said: str, log: list[str] | None = None) -> ServiceError:
    """The error for a refusal of the engine, with the end of its log and what to do about the common ones."""
    text = said.strip() or "the engine gave no reason"
    end = "; its log ends with" + "".join(f"\n  {line}" for line in log) if log else ""
    lower = f"{text} {end}".lower()
    hint = None
    if _DISK_FULL in lower:
        hint = "the engine's disk is full: make room with docker system prune, then run the command again"
    elif "server gave http response to https client" in lower:
        hint = "that registry speaks plain http: add it to insecure-registries in the engine's daemon.json"
    return ServiceError(f"{doing} failed: {text}{end}", hint=hint)


def _probe(host: str) -> None:
    """Raises OSError if nothing takes connections there; the SDK would leave its socket open then."""
    place = urlsplit(host)
    if place.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            probe.connect(place.path)
    elif place.scheme in {"tcp", "http", "https"} and place.hostname:
        port = place.port or (2376 if os.environ.get("DOCKER_TLS_VERIFY") else 2375)
        socket.create_connection((place.hostname, port), _CONNECT_SECONDS).close()


def _from_environment(host: str) -> "DockerClient":
    import docker

    return docker.from_env(timeout=_CONNECT_SECONDS, use_ssh_client=host.startswith("ssh://"))


def _from_context() -> tuple["DockerClient", str, str]:
    import docker
    from docker.context import ContextAPI
    from docker.errors import DockerException

    name = os.environ.get("DOCKER_CONTEXT") or None
    context: Any = ContextAPI.get_context(name)
    if context is None:
        raise DockerException(f"there is no Docker context {name or 'of the configured name'}")
    host = str(context.Host)
    _probe(host)
    client = docker.DockerClient(
        base_url=host,
        tls=context.TLSConfig or False,
        timeout=_CONNECT_SECONDS,
        use_ssh_client=host.startswith("ssh://"),
    )
    return client, host, str(context.Name)


def _at(host: str | None) -> str:
    return f" at {host}" if host else ""


def _reason(error: BaseException) -> str:
    """The innermost cause in plain words; the SDK wraps it three times over."""
    inner = _os_error(error, set())
    if inner is None:
        return str(error) or type(error).__name__
    known = {
        errno.ENOENT: "there is no such socket (is Docker installed and running?)",
        errno.EACCES: "permission denied on its socket (is this user in the docker group?)",
        errno.EPERM: "permission denied on its socket (is this user in the docker group?)",
        errno.ECONNREFUSED: "nothing listens there (is it running?)",
    }
    if isinstance(inner, TimeoutError):
        return "it does not answer in time"
    return known.get(inner.errno or 0, inner.strerror or str(inner))


def _os_error(error: Any, seen: set[int]) -> OSError | None:
    """The first plain ``OSError`` among an exception's arguments, reason, cause and context."""
    if not isinstance(error, BaseException) or id(error) in seen:
        return None
    seen.add(id(error))
    if isinstance(error, OSError) and error.errno is not None:
        return error
    around = (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__)
    found = (_os_error(one, seen) for one in around)
    nested = next((one for one in found if one is not None), None)
    if nested is None and type(error).__name__ in {"ReadTimeout", "ConnectTimeout", "ReadTimeoutError"}:
        return TimeoutError(errno.ETIMEDOUT, "timed out")
    return nested

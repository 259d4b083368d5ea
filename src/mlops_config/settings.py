"""The optional settings file ``mlops-config.yaml`` at the repository root, and the defaults without one."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from mlops_config.errors import UsageError
from mlops_config.findings import ConfigPath, Place, format_path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from mlops_config.contract.reading.yaml_reader import Document

SETTINGS_NAME = "mlops-config.yaml"
DEFAULT_BRANCH = "$default-branch"

# Named tuples: defaults cost next to nothing, and pydantic reads the file into them where there is one.


class RefRule(NamedTuple):
    """Which environment a git ref releases to; the first rule that matches decides."""

    match: str
    """A regular expression the whole ref must match, or ``$default-branch``. A group named ``version`` gives
    the release its version."""
    environment: str


class Waiver(NamedTuple):
    """A finding somebody decided to live with until a day."""

    rule: str
    reason: str
    expires: date
    """The last day on which the waiver holds."""
    path: str | None = None
    """Only at this value and below, as findings print paths: ``estimator.hyperparameters``."""
    environment: str | None = None
    """Only in this environment."""


class ImageSettings(NamedTuple):
    """How the environment image is named and built."""

    repository: str = "{project}-{environment}"
    """``{project}`` and ``{environment}`` are filled in. Without ``{environment}`` the environments share the
    repository, and tags end in ``-<environment>``."""
    base: str = "scratch"
    dockerfile: str | None = None
    """Relative to the repository root; ``None``: the one this package ships."""


class AirflowSettings(NamedTuple):
    """Where ``deploy`` finds Airflow; the verb's options and environment variables come first."""

    url: str | None = None
    """Of the API server, ``https://…``, or ``mwaa://<environment name>``."""
    dags_folder: str | None = None
    """Where the DAG files lie: a folder, or ``s3://`` or ``gs://bucket/prefix``."""


class TerraformSettings(NamedTuple):
    """Which root module ``deploy`` plans and applies before Airflow is given the release."""

    directory: str
    """Relative to the repository root; ``{environment}`` is filled in."""
    program: Literal["terraform", "tofu"] | None = None
    """``None``: whichever is on ``PATH``, ``terraform`` first."""
    backend_config: str | None = None
    """A file for ``init -backend-config``, relative to the root as well; ``{environment}`` is filled in."""
    lock_timeout: str = "5m"
    """How long to wait for the state's lock."""


DEFAULT_REFS = (
    RefRule(match=r"refs/tags/release/v(?P<version>\d+\.\d+\.\d+)", environment="prod"),
    RefRule(match=r"refs/tags/release/v(?P<version>\d+\.\d+\.\d+-rc\.\d+)", environment="staging"),
    RefRule(match=DEFAULT_BRANCH, environment="dev"),
)


class Settings(NamedTuple):
    """Everything a team may settle for itself; every field has a default."""

    schema_version: Literal[1] = 1
    config_dir: str = "configs"
    environments: tuple[str, ...] = ("dev", "staging", "prod")
    """In the order a release is promoted through them."""
    protected: tuple[str, ...] | None = None
    """Environments that only a clean commit may be released to; ``None``: all but the first."""
    refs: tuple[RefRule, ...] = DEFAULT_REFS
    severity: Mapping[str, Literal["error", "warning", "note", "off"]] = {}
    waivers: tuple[Waiver, ...] = ()
    contracts: str | None = None
    """A module of the team's own models, imported from the repository root."""
    stores: tuple[str, ...] = ()
    """URIs; none: a folder ``store`` beside the other generated files."""
    image: ImageSettings = ImageSettings()
    airflow: AirflowSettings = AirflowSettings()
    terraform: TerraformSettings | None = None
    """``None``: infrastructure is somebody else's, and ``deploy`` leaves it alone."""

    def is_protected(self, environment: str) -> bool:
        """Whether a release to ``environment`` needs a clean commit."""
        names = self.environments[1:] if self.protected is None else self.protected
        return environment in names

    def require_environment(self, name: str) -> None:
        """Refuses a name that is no environment's.

        Raises:
            UsageError: it is not.
        """
        if name not in self.environments:
            raise unknown_environment(name, self.environments)


def unknown_environment(name: str, known: Iterable[str]) -> UsageError:
    """What is said of an environment that is none of those that are known."""
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(name, names, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return UsageError(f"there is no environment {name!r}", hint=f"{meant}environments are {', '.join(names)}")


def load_settings(root: Path, path: Path | None = None) -> Settings:
    """The settings in ``path``, or in ``mlops-config.yaml`` under ``root`` if there is one, else defaults.

    Raises:
        UsageError: ``path`` was named but is not there, or the file breaks the settings' schema (the message
            holds a line per finding).
    """
    source = path or root / SETTINGS_NAME
    if not source.is_file():
        if path is not None:
            raise UsageError(
                f"there is no settings file {path}", hint="leave --settings out to use the defaults"
            )
        return Settings()
    return _read(source, _display_name(source, root))


def _display_name(source: Path, root: Path) -> str:
    resolved, base = source.resolve(), root.resolve()
    return resolved.relative_to(base).as_posix() if resolved.is_relative_to(base) else str(source)


def _read(source: Path, name: str) -> Settings:
    from pydantic import TypeAdapter, ValidationError

    from mlops_config.contract.reading.yaml_reader import MAX_BYTES, read_document

    with source.open("rb") as stream:
        document = read_document(stream.read(MAX_BYTES + 1), name)
    _refuse(name, [(each.place, each.message) for each in document.findings if each.severity == "error"])
    try:
        settings = TypeAdapter(Settings).validate_python(document.data)
    except ValidationError as error:
        _refuse(name, [_worded(each, document) for each in error.errors(include_url=False)])
        raise
    _refuse(name, [(document.positions.nearest(path), text) for path, text in _mistakes(settings)])
    return settings


_WORDS = {
    "extra_forbidden": "this key is unknown",
    "missing": "this key is missing",
}


def _worded(error: "ErrorDetails", document: "Document") -> tuple[Place | None, str]:
    from mlops_config.contract.schema_wording import expectation

    path, kind = error["loc"], error["type"]
    place = document.positions.nearest(path, prefer_key=kind in _WORDS)
    expected = expectation(kind, error.get("ctx", {}), [])
    words = _WORDS.get(kind) or (f"it must be {expected.words}" if expected else error["msg"])
    return place, f"{format_path(path)}: {words}" if path else words


# Compiled where a settings file is read: most repositories have none.
_ENVIRONMENT_NAME = r"[a-z][a-z0-9-]{0,30}"
_RULE_CODE = r"[A-Z][0-9]{2,3}"
_MODULE_NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_REASON_LENGTH = 10
_AIRFLOW_URL = r"https?://[^/@\s?#]+(/[^@\s?#]*)?|mwaa://[A-Za-z][A-Za-z0-9_-]{0,79}"
"""Without a user's name, a password or a query: credentials never stand in a file. The name of an MWAA
environment as botocore's model of CreateEnvironment has it."""
_LOCK_TIMEOUT = r"[0-9]{1,4}(s|m|h)"
_DAGS_FOLDER = r"(s3|gs)://[a-z0-9][a-z0-9._-]+(/[^\s?#]*)?|(?![A-Za-z][A-Za-z0-9+.-]*://)[^\s].*"


def _mistakes(settings: Settings) -> Iterator[tuple[ConfigPath, str]]:
    """What types cannot say: where, and what is wrong there."""
    known = set(settings.environments)
    for index, name in enumerate(settings.environments):
        if not re.fullmatch(_ENVIRONMENT_NAME, name):
            yield ("environments", index), f"{name!r} is no environment's name: a-z, 0-9 and -, at most 31"
    if not known or len(known) < len(settings.environments):
        yield ("environments",), "environments must name at least one, and none of them twice"
    for index, name in enumerate(settings.protected or ()):
        if name not in known:
            yield ("protected", index), _unknown(name, settings)
    for index, rule in enumerate(settings.refs if settings.refs is not DEFAULT_REFS else ()):
        if rule.environment not in known:
            yield ("refs", index, "environment"), _unknown(rule.environment, settings)
        if rule.match != DEFAULT_BRANCH and (problem := _not_a_pattern(rule.match)):
            yield ("refs", index, "match"), problem
    for code in settings.severity:
        if not re.fullmatch(_RULE_CODE, code):
            yield ("severity", code), f"{code!r} is no rule's code, such as E03"
    for index, waiver in enumerate(settings.waivers):
        if not re.fullmatch(_RULE_CODE, waiver.rule):
            yield ("waivers", index, "rule"), f"{waiver.rule!r} is no rule's code, such as E03"
        if len(waiver.reason.strip()) < _REASON_LENGTH:
            yield ("waivers", index, "reason"), f"{waiver.reason!r} is too short to tell anyone why"
        if waiver.environment is not None and waiver.environment not in known:
            yield ("waivers", index, "environment"), _unknown(waiver.environment, settings)
    if settings.contracts is not None and not re.fullmatch(_MODULE_NAME, settings.contracts):
        yield ("contracts",), f"{settings.contracts!r} is no Python module's name"
    url, folder = settings.airflow
    if url is not None and not re.fullmatch(_AIRFLOW_URL, url):
        yield ("airflow", "url"), "this is no http(s):// address without credentials, and no mwaa://<name>"
    if folder is not None and not re.fullmatch(_DAGS_FOLDER, folder):
        yield ("airflow", "dags_folder"), f"{folder!r} is no folder, and no s3:// or gs://bucket/prefix"
    if settings.terraform is not None:
        yield from _terraform_mistakes(settings.terraform, len(known) > 1)


def _terraform_mistakes(terraform: TerraformSettings, several: bool) -> Iterator[tuple[ConfigPath, str]]:
    files = (("directory", terraform.directory), ("backend_config", terraform.backend_config))
    for name, text in files:
        if text is None:
            continue
        filled = text.replace("{environment}", "dev")
        if not filled.strip() or "{" in filled or filled.startswith("/") or ".." in filled.split("/"):
            yield (
                ("terraform", name),
                f"{text!r} is no path in the repository; {{environment}} is all that is filled in",
            )
        elif several and "{environment}" not in text:
            yield (
                ("terraform", name),
                f"{text!r} has no {{environment}} in it: all environments would share it",
            )
    if not re.fullmatch(_LOCK_TIMEOUT, terraform.lock_timeout):
        yield ("terraform", "lock_timeout"), f"{terraform.lock_timeout!r} is no duration, such as 5m or 90s"


def _unknown(name: str, settings: Settings) -> str:
    return f"{name!r} is no environment; environments are {', '.join(settings.environments)}"


def _not_a_pattern(text: str) -> str | None:
    try:
        re.compile(text)
    except re.error as error:
        return f"{text!r} is no regular expression: {error}"
    return None


def _refuse(name: str, problems: list[tuple[Place | None, str]]) -> None:
    lines = [f"  {place.line}:{place.column}: {text}" if place else f"  {text}" for place, text in problems]
    if lines:
        raise UsageError(
            "\n".join([f"the settings in {name} are not valid:", *lines]),
            hint="docs/settings.md lists every key",
        )

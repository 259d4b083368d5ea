"""The optional settings file ``mlops-config.yaml`` at the repository root, and the defaults without one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from mlops_config.errors import UsageError
from mlops_config.findings import format_path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from mlops_config.contract.yaml_reader import Document
    from mlops_config.findings import Place

SETTINGS_NAME = "mlops-config.yaml"
DEFAULT_BRANCH = "$default-branch"

_ENVIRONMENT_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_RULE_CODE = re.compile(r"[A-Z][0-9]{2,3}")
_MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_REASON_LENGTH = 10


class _Strict:
    """Plain dataclasses: defaults cost no import of pydantic, which is there to read the file."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class RefRule(_Strict):
    """Which environment a git ref releases to; the first rule that matches decides."""

    match: str
    """A regular expression the whole ref must match, or ``$default-branch``. A group named ``version`` gives
    the release its version."""
    environment: str

    def __post_init__(self) -> None:
        if self.match != DEFAULT_BRANCH:
            try:
                re.compile(self.match)
            except re.error as error:
                raise ValueError(f"{self.match!r} is no regular expression: {error}") from error


@dataclass(frozen=True, slots=True)
class Waiver(_Strict):
    """A finding somebody decided to live with until a day."""

    rule: str
    reason: str
    expires: date
    """The last day on which the waiver holds."""
    path: str | None = None
    """Only at this value and below, as findings print paths: ``estimator.hyperparameters``."""
    environment: str | None = None
    """Only in this environment."""

    def __post_init__(self) -> None:
        _demand(_RULE_CODE, [self.rule], "a rule's code, such as E03")
        if len(self.reason.strip()) < _REASON_LENGTH:
            raise ValueError(f"the reason {self.reason!r} is too short to tell anyone why")


@dataclass(frozen=True, slots=True)
class ImageSettings(_Strict):
    """How the environment image is named and built."""

    repository: str = "{project}-{environment}"
    """``{project}`` and ``{environment}`` are filled in. Without ``{environment}`` the environments share the
    repository, and tags end in ``-<environment>``."""
    base: str = "scratch"
    dockerfile: str | None = None
    """Relative to the repository root; ``None``: the one this package ships."""


DEFAULT_REFS = (
    RefRule(match=r"refs/tags/release/v(?P<version>\d+\.\d+\.\d+)", environment="prod"),
    RefRule(match=r"refs/tags/release/v(?P<version>\d+\.\d+\.\d+-rc\.\d+)", environment="staging"),
    RefRule(match=DEFAULT_BRANCH, environment="dev"),
)


@dataclass(frozen=True, slots=True)
class Settings(_Strict):
    """Everything a team may settle for itself; every field has a default."""

    schema_version: Literal[1] = 1
    config_dir: str = "configs"
    environments: tuple[str, ...] = ("dev", "staging", "prod")
    """In the order a release is promoted through them."""
    protected: tuple[str, ...] | None = None
    """Environments that only a clean commit may be released to; ``None``: all but the first."""
    refs: tuple[RefRule, ...] = DEFAULT_REFS
    severity: Mapping[str, Literal["error", "warning", "note", "off"]] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    contracts: str | None = None
    """A module of the team's own models, imported from the repository root."""
    stores: tuple[str, ...] = ()
    """URIs; none: a folder ``store`` beside the other generated files."""
    image: ImageSettings = field(default_factory=ImageSettings)

    def __post_init__(self) -> None:
        _demand(_ENVIRONMENT_NAME, self.environments, "an environment's name: a-z, 0-9 and -, at most 31")
        _demand(_RULE_CODE, self.severity, "a rule's code, such as E03")
        _demand(_MODULE_NAME, [self.contracts] if self.contracts else [], "a Python module's name")
        if not self.environments or len(set(self.environments)) < len(self.environments):
            raise ValueError("environments must name at least one, and none of them twice")

    def is_protected(self, environment: str) -> bool:
        """Whether a release to ``environment`` needs a clean commit."""
        names = self.environments[1:] if self.protected is None else self.protected
        return environment in names


def _demand(pattern: re.Pattern[str], values: Iterable[str], what: str) -> None:
    for value in values:
        if not pattern.fullmatch(value):
            raise ValueError(f"{value!r} is not {what}")


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

    from mlops_config.contract.yaml_reader import MAX_BYTES, read_document

    with source.open("rb") as stream:
        document = read_document(stream.read(MAX_BYTES + 1), name)
    _refuse(name, [(each.place, each.message) for each in document.findings if each.severity == "error"])
    try:
        settings = TypeAdapter(Settings).validate_python(document.data)
    except ValidationError as error:
        problems = [_problem(each, document) for each in error.errors(include_url=False)]
        _refuse(name, problems)
        raise
    _refuse_unknown_environments(settings, name)
    return settings


def _problem(error: "ErrorDetails", document: "Document") -> "tuple[Place | None, str]":
    path = error["loc"]
    place = document.positions.nearest(path, prefer_key=error["type"] in _WORDS)
    words = _WORDS.get(error["type"], error["msg"].removeprefix("Value error, "))
    return place, f"{format_path(path)}: {words}" if path else words


_WORDS = {
    "unexpected_keyword_argument": "this key is unknown",
    "missing": "this key is missing",
}


def _refuse(name: str, problems: "list[tuple[Place | None, str]]") -> None:
    lines = [f"  {place.line}:{place.column}: {text}" if place else f"  {text}" for place, text in problems]
    if lines:
        raise UsageError(
            "\n".join([f"the settings in {name} are not valid:", *lines]),
            hint="docs/settings.md lists every key",
        )


def _refuse_unknown_environments(settings: Settings, name: str) -> None:
    named = {
        *(rule.environment for rule in settings.refs),
        *(settings.protected or ()),
        *(waiver.environment for waiver in settings.waivers if waiver.environment),
    }
    if settings.refs is DEFAULT_REFS:
        named -= {rule.environment for rule in DEFAULT_REFS}
    unknown = sorted(named - set(settings.environments))
    if unknown:
        raise UsageError(
            f"the settings in {name} name environments that are not listed: {', '.join(unknown)}",
            hint=f"environments are {', '.join(settings.environments)}; add to them or mend the name",
        )

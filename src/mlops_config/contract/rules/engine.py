"""What a rule is, and running every rule where the files it needs are valid.

A rule is a pure function over valid models and the day. It knows nothing of files, lines, changed severities
or waivers: the caller places each violation and decides what it weighs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from mlops_config.findings import ConfigPath, Severity
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import (
        InferenceConfig,
        MonitoringConfig,
        RetrainConfig,
        TrainingConfig,
    )

DEFAULT_ORDER = ("dev", "staging", "prod")
"""The environments a release passes through, in that order, unless the settings say otherwise."""


class EnvironmentModels(Protocol):
    """The models of one environment; ``None`` for a file that is missing or not valid by itself."""

    @property
    def training(self) -> Any: ...
    @property
    def inference(self) -> Any: ...
    @property
    def monitoring(self) -> Any: ...
    @property
    def retrain(self) -> Any: ...


class RelatedValue(NamedTuple):
    """Another value that takes part in a violation, such as the one in the other file."""

    environment: str
    kind: Kind
    path: ConfigPath
    message: str


class Violation(NamedTuple):
    """A rule that does not hold, at the very value that would have to change.

    ``path`` may name a key that is absent from the file (a default, or a missing block): the caller places it
    at the nearest key that is there.
    """

    code: str
    message: str
    environment: str
    kind: Kind
    path: ConfigPath
    hint: str | None = None
    related: tuple[RelatedValue, ...] = ()


class Role(StrEnum):
    """What an environment is for; it decides which of the environment rules hold there."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


_NAMED_ROLES = {
    "dev": Role.DEVELOPMENT,
    "development": Role.DEVELOPMENT,
    "staging": Role.STAGING,
    "prod": Role.PRODUCTION,
    "production": Role.PRODUCTION,
}


def role_of(environment: str, order: Sequence[str]) -> Role:
    """What an environment is for: what its name says, or else what its place in the release order says.

    By place the last is production, the first of several is development, and all others are staging. An
    environment outside the order counts as development: that it is unknown is a finding of its own.
    """
    if environment in _NAMED_ROLES:
        return _NAMED_ROLES[environment]
    if environment not in order:
        return Role.DEVELOPMENT
    if environment == order[-1]:
        return Role.PRODUCTION
    return Role.DEVELOPMENT if environment == order[0] else Role.STAGING


class Breach(NamedTuple):
    """What a rule yields: a violation that does not know its code yet."""

    environment: str
    kind: Kind
    path: ConfigPath
    message: str
    hint: str | None
    related: tuple[RelatedValue, ...]


class File:
    """One valid file as a rule sees it: whose it is, its model, and the day it is looked at (UTC)."""

    __slots__ = ("config", "environment", "kind", "role", "today")

    def __init__(self, environment: str, role: Role, kind: Kind, config: Any, today: date) -> None:
        self.environment = environment
        self.role = role
        self.kind = kind
        self.config = config
        self.today = today

    def breach(
        self, path: ConfigPath, message: str, hint: str | None = None, *related: RelatedValue
    ) -> Breach:
        """A violation of the running rule at a value of this file."""
        return Breach(self.environment, self.kind, path, message, hint, related)

    def see(self, path: ConfigPath, message: str) -> RelatedValue:
        """The other side of a breach, in this file."""
        return RelatedValue(self.environment, self.kind, path, message)


class Environment:
    """One environment as a rule sees it: its name, its role and the valid files the rule asked for."""

    __slots__ = ("_files", "name", "role")

    def __init__(self, name: str, role: Role, files: Mapping[Kind, File]) -> None:
        self.name = name
        self.role = role
        self._files = files

    @property
    def training(self) -> "TrainingConfig":
        return self.file(Kind.TRAINING).config  # type: ignore[no-any-return]  # the kind decides the model

    @property
    def inference(self) -> "InferenceConfig":
        return self.file(Kind.INFERENCE).config  # type: ignore[no-any-return]  # the kind decides the model

    @property
    def monitoring(self) -> "MonitoringConfig":
        return self.file(Kind.MONITORING).config  # type: ignore[no-any-return]  # the kind decides the model

    @property
    def retrain(self) -> "RetrainConfig":
        return self.file(Kind.RETRAIN).config  # type: ignore[no-any-return]  # the kind decides the model

    def file(self, kind: Kind) -> File:
        """The valid file of one kind. Raises ``LookupError`` for a kind the rule does not name as a need."""
        try:
            return self._files[kind]
        except KeyError:
            raise LookupError(f"the rule reads the {kind} file but does not name it as a need") from None

    def breach(
        self, kind: Kind, path: ConfigPath, message: str, hint: str | None = None, *related: RelatedValue
    ) -> Breach:
        """A violation of the running rule at a value of the file of the given kind."""
        return self.file(kind).breach(path, message, hint, *related)

    def see(self, kind: Kind, path: ConfigPath, message: str) -> RelatedValue:
        """The other side of a breach, in the file of the given kind."""
        return self.file(kind).see(path, message)


FileFunction = Callable[[File], Iterator[Breach]]
EnvironmentFunction = Callable[[Environment], Iterator[Breach]]
ProjectFunction = Callable[[Sequence[Environment]], Iterator[Breach]]


Scope = Literal["file", "environment", "project"]


class Rule(NamedTuple):
    """One rule: its stable code, what it needs to run, and the function that finds its violations.

    ``scope`` says what the function sees at once: each file of the kinds in ``needs`` by itself, one
    environment's files of those kinds, or those of every environment. ``roles`` are the environments it
    holds in.
    """

    code: str
    title: str
    severity: Severity
    scope: Scope
    needs: frozenset[Kind]
    roles: frozenset[Role]
    function: FileFunction | EnvironmentFunction | ProjectFunction

    @property
    def explanation(self) -> str:
        """The rule's docstring: what it demands, why, and how to mend a violation."""
        from inspect import cleandoc

        return cleandoc(self.function.__doc__ or "")


def file_rule(
    code: str,
    title: str,
    *kinds: Kind,
    severity: Severity = Severity.ERROR,
    roles: Iterable[Role] = Role,
) -> Callable[[FileFunction], Rule]:
    """Make a function over one file a rule; it runs on every valid file of the given kinds."""

    def register(function: FileFunction) -> Rule:
        return Rule(code, title, severity, "file", frozenset(kinds), frozenset(roles), function)

    return register


def environment_rule(
    code: str,
    title: str,
    *needs: Kind,
    severity: Severity = Severity.ERROR,
    roles: Iterable[Role] = Role,
) -> Callable[[EnvironmentFunction], Rule]:
    """Make a function over one environment's files a rule; it runs where every kind in ``needs`` is valid."""

    def register(function: EnvironmentFunction) -> Rule:
        return Rule(code, title, severity, "environment", frozenset(needs), frozenset(roles), function)

    return register


def project_rule(code: str, title: str, *needs: Kind) -> Callable[[ProjectFunction], Rule]:
    """Make a function over all environments, in release order, a rule.

    It is given the environments in which every kind in ``needs`` is valid.
    """

    def register(function: ProjectFunction) -> Rule:
        return Rule(code, title, Severity.ERROR, "project", frozenset(needs), frozenset(Role), function)

    return register


def check(
    configs_by_environment: Mapping[str, EnvironmentModels],
    *,
    order: Sequence[str] = DEFAULT_ORDER,
    rules: Iterable[Rule] | None = None,
    today: date | None = None,
) -> Iterator[Violation]:
    """Every violation in the given environments, rule by rule.

    ``order`` is the release order of the environments; it gives each its role. ``rules`` are all rules of the
    contract unless given. A rule whose needs an environment cannot meet is skipped there. ``today`` (UTC) is
    where rules on the calendar begin to look.
    """
    if rules is None:
        from mlops_config.contract.rules.catalog import RULES  # the catalog imports this module

        rules = RULES
    names = sorted(configs_by_environment, key=lambda name: (_position(name, order), name))
    environments = {name: role_of(name, order) for name in names}
    day = today or datetime.now(UTC).date()
    files = {
        name: {
            kind: File(name, role, kind, model, day)
            for kind in Kind
            if (model := getattr(configs_by_environment[name], kind)) is not None
        }
        for name, role in environments.items()
    }
    for each in rules:
        for breach in _breaches(each, environments, files):
            yield Violation(
                each.code,
                breach.message,
                breach.environment,
                breach.kind,
                breach.path,
                breach.hint,
                breach.related,
            )


def _breaches(
    each: Rule, roles: Mapping[str, Role], files: Mapping[str, Mapping[Kind, File]]
) -> Iterator[Breach]:
    function: Any = each.function  # its type follows from the scope
    if each.scope == "file":
        for name, role in roles.items():
            if role in each.roles:
                for kind, file in files[name].items():
                    if kind in each.needs:
                        yield from function(file)
        return
    environments = [
        Environment(name, role, {kind: files[name][kind] for kind in each.needs})
        for name, role in roles.items()
        if role in each.roles and each.needs <= files[name].keys()
    ]
    if each.scope == "project":
        yield from function(environments)
        return
    for environment in environments:
        yield from function(environment)


def _position(environment: str, order: Sequence[str]) -> int:
    return order.index(environment) if environment in order else len(order)

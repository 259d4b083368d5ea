"""What a rule is, and running every rule where the files it needs are valid.

A rule is a pure function over valid models. It knows nothing of files, lines, changed severities or waivers:
the caller places each violation and decides what it weighs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

from mlops_config.findings import ConfigPath, Severity
from mlops_config.kinds import Kind

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


@dataclass(frozen=True, slots=True)
class Violation:
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


ALL_ROLES = frozenset(Role)


def role_of(environment: str, order: Sequence[str]) -> Role:
    """The last environment of the order is production, the first of several is development, others staging.

    An environment outside the order counts as development: that it is unknown is a finding of its own.
    """
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


class Environment:
    """One environment as a rule sees it: its name, its role and the models the rule asked for."""

    __slots__ = ("_models", "_needs", "name", "role")

    def __init__(self, name: str, role: Role, models: EnvironmentModels, needs: frozenset[Kind]) -> None:
        self.name = name
        self.role = role
        self._models = models
        self._needs = needs

    @property
    def training(self) -> Any:
        return self.model(Kind.TRAINING)

    @property
    def inference(self) -> Any:
        return self.model(Kind.INFERENCE)

    @property
    def monitoring(self) -> Any:
        return self.model(Kind.MONITORING)

    @property
    def retrain(self) -> Any:
        return self.model(Kind.RETRAIN)

    def model(self, kind: Kind) -> Any:
        """The valid model of one kind. Raises ``LookupError`` for a kind the rule did not say it needs."""
        if kind not in self._needs:
            raise LookupError(f"the rule reads the {kind} file but does not name it among its needs")
        return getattr(self._models, kind)

    def breach(
        self, kind: Kind, path: ConfigPath, message: str, hint: str | None = None, *related: RelatedValue
    ) -> Breach:
        """A violation of the running rule in this environment's file of the given kind."""
        return Breach(self.name, kind, path, message, hint, related)

    def see(self, kind: Kind, path: ConfigPath, message: str) -> RelatedValue:
        """The other side of a breach, in this environment's file of the given kind."""
        return RelatedValue(self.name, kind, path, message)


EnvironmentFunction = Callable[[Environment], Iterator[Breach]]
ProjectFunction = Callable[[Sequence[Environment]], Iterator[Breach]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its stable code, what it needs to run, and the function that finds its violations.

    ``scope`` says what the function sees at once: one file, one environment's files, or every environment.
    ``roles`` are the environments it holds in.
    """

    code: str
    title: str
    severity: Severity
    scope: Literal["file", "environment", "project"]
    needs: frozenset[Kind]
    roles: frozenset[Role]
    function: EnvironmentFunction | ProjectFunction

    @property
    def explanation(self) -> str:
        """The rule's docstring: what it demands, why, and how to mend a violation."""
        return self.function.__doc__ or ""


def rule(
    code: str,
    title: str,
    *needs: Kind,
    severity: Severity = Severity.ERROR,
    roles: Iterable[Role] = ALL_ROLES,
) -> Callable[[EnvironmentFunction], Rule]:
    """Make a function over one environment a rule; it runs where every kind in ``needs`` is valid."""
    scope: Literal["file", "environment"] = "file" if len(needs) == 1 else "environment"

    def register(function: EnvironmentFunction) -> Rule:
        return Rule(code, title, severity, scope, frozenset(needs), frozenset(roles), function)

    return register


def project_rule(
    code: str, title: str, *needs: Kind, severity: Severity = Severity.ERROR
) -> Callable[[ProjectFunction], Rule]:
    """Make a function over all environments, in release order, a rule.

    It is given the environments in which every kind in ``needs`` is valid.
    """

    def register(function: ProjectFunction) -> Rule:
        return Rule(code, title, severity, "project", frozenset(needs), ALL_ROLES, function)

    return register


def check(
    configs_by_environment: Mapping[str, EnvironmentModels],
    *,
    order: Sequence[str] = DEFAULT_ORDER,
    rules: Iterable[Rule] | None = None,
) -> Iterator[Violation]:
    """Every violation in the given environments, rule by rule.

    ``order`` is the release order of the environments; it gives each its role. ``rules`` are all rules of the
    contract unless given. A rule whose needs an environment cannot meet is skipped there.
    """
    if rules is None:
        from mlops_config.contract.rules.catalog import RULES  # the catalog imports this module

        rules = RULES
    names = sorted(configs_by_environment, key=lambda name: (_position(name, order), name))
    for each in rules:
        environments = [
            Environment(name, role_of(name, order), configs_by_environment[name], each.needs)
            for name in names
            if all(getattr(configs_by_environment[name], kind) is not None for kind in each.needs)
        ]
        for breach in _breaches(each, environments):
            yield Violation(each.code, breach.message, *breach[:3], breach.hint, breach.related)


def _breaches(each: Rule, environments: list[Environment]) -> Iterator[Breach]:
    if each.scope == "project":
        yield from each.function(environments)  # type: ignore[arg-type]  # scope says which function it is
        return
    for environment in environments:
        if environment.role in each.roles:
            yield from each.function(environment)  # type: ignore[arg-type]  # scope says which function it is


def _position(environment: str, order: Sequence[str]) -> int:
    return order.index(environment) if environment in order else len(order)

"""What a case of a rule is: changes to the examples that break it, or that come close and do not."""

from dataclasses import dataclass
from typing import Any

from tests.contract.rules.example_configs import Change, change, parse_path

from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind


@dataclass(frozen=True, slots=True)
class Breaking:
    """Changes to the examples that break a rule, and where."""

    code: str
    changes: tuple[Change, ...]
    environment: str
    kind: Kind
    path: ConfigPath
    says: str
    """Words of the message or the hint."""


@dataclass(frozen=True, slots=True)
class Passing:
    """Changes to the examples that come close to breaking a rule."""

    code: str
    changes: tuple[Change, ...]


Case = Breaking | Passing


def breaks(code: str, *changes: Change, at: str, says: str) -> Breaking:
    """A breaking case; ``at`` is ``environment kind path``."""
    environment, kind, path = at.split(" ", 2)
    return Breaking(code, changes, environment, Kind(kind), parse_path(path), says)


def passes(code: str, *changes: Change) -> Passing:
    """A passing case."""
    return Passing(code, changes)


def training(path: str, value: Any, environment: str = "prod") -> Change:
    return change(environment, "training", path, value)


def inference(path: str, value: Any, environment: str = "prod") -> Change:
    return change(environment, "inference", path, value)


def monitoring(path: str, value: Any, environment: str = "prod") -> Change:
    return change(environment, "monitoring", path, value)


def retrain(path: str, value: Any, environment: str = "prod") -> Change:
    return change(environment, "retrain", path, value)

"""All rules of the contract, in the order of their codes."""

from mlops_config.contract.rules import (
    columns,
    drift,
    environments,
    everywhere,
    hyperparameters,
    identity,
    judging,
    machines,
    orchestrating,
    places,
    rehearsal,
    retraining,
    serving,
    timing,
    watching,
)
from mlops_config.contract.rules.engine import Rule

_MODULES = (
    columns,
    drift,
    environments,
    everywhere,
    hyperparameters,
    identity,
    judging,
    machines,
    orchestrating,
    places,
    rehearsal,
    retraining,
    serving,
    timing,
    watching,
)

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (value for module in _MODULES for value in vars(module).values() if isinstance(value, Rule)),
        key=lambda each: each.code,
    )
)

RESERVED = {
    "E06": "A production release needs the staging release of the same runtime image, verified in the ledger",
    "E07": "Configuration of a protected environment comes from a clean commit",
}
"""Codes of rules that need more than the files, the ledger of releases or git, and are checked there."""

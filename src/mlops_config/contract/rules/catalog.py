"""All rules of the contract, in the order of their codes."""

from mlops_config.contract.rules.engine import Rule

_MODULES: tuple[object, ...] = ()

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (value for module in _MODULES for value in vars(module).values() if isinstance(value, Rule)),
        key=lambda each: each.code,
    )
)

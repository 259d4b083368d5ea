"""The small turns of phrase that messages share."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from math import ceil, floor, log10

from mlops_config.contract.scalar_checks import format_duration


def listed(values: Iterable[object], most: int = 5) -> str:
    """The values one after the other, in their order; beyond ``most`` only how many more there are."""
    texts = [str(value) for value in values]
    shown = ", ".join(texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"


def number(value: float) -> str:
    """A computed number, rounded up to its fourth digit: what lies above the text lies above the number."""
    if value == 0:
        return "0"
    unit = 10.0 ** (floor(log10(abs(value))) - 3)
    return f"{ceil(value / unit - 1e-9) * unit:.4g}"


def duration(value: timedelta) -> str:
    """A duration as the contract writes it."""
    return format_duration(value)


def closest(name: str, choices: Collection[str]) -> str | None:
    """The choice most like ``name``, if one is like it at all."""
    from difflib import get_close_matches  # only a breach needs it

    matches = get_close_matches(name, choices, n=1, cutoff=0.6)
    return matches[0] if matches else None


def instead(name: str, choices: Collection[str], otherwise: str) -> str:
    """What to write in place of ``name``: the choice it resembles, or else the given advice."""
    match = closest(name, choices)
    return f"did you mean {match}?" if match else otherwise

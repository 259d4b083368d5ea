"""One value read as a type: the text that counts as it, and what of Python's objects does."""

import math
import re
from typing import Any

WHOLE = r"^[+-]?[0-9]{1,19}(\.0*)?$"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
INFINITE = r"^[+-]?(inf|infinity|Inf|Infinity|INF)$"
TRUTHS = {"true": True, "True": True, "TRUE": True, "1": True, "1.0": True} | {
    "false": False,
    "False": False,
    "FALSE": False,
    "0": False,
    "0.0": False,
    "-0.0": False,
}
LARGEST = 2**63


def is_infinite(value: Any) -> bool:
    """Whether it is an infinite number, as a float or in words."""
    if isinstance(value, str):
        return re.fullmatch(INFINITE[1:-1], value.strip()) is not None
    return isinstance(value, float) and math.isinf(value)


def is_no_value(value: Any) -> bool:
    """Whether it stands for no value: ``None``, NaN, ``NA``, ``NaT``."""
    import pandas as pd

    return (
        value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))
    )


def as_whole(value: Any) -> int | None:
    """As a whole number of 64 bits, or ``None`` for what is none."""
    if isinstance(value, str) and re.fullmatch(WHOLE[1:-1], value.strip()):
        value = int(value.strip().partition(".")[0])
    if isinstance(value, bool) or not hasattr(value, "__int__") or value != value // 1:
        return None
    return int(value) if -LARGEST <= int(value) < LARGEST else None


def as_number(value: Any) -> float | None:
    """As a float, or ``None`` for what is no number."""
    if isinstance(value, str):
        return float(value) if re.fullmatch(NUMBER[1:-1], value.strip()) else None
    return float(value) if hasattr(value, "__float__") and not isinstance(value, bool) else None


def as_truth(value: Any) -> bool | None:
    """As a boolean, or ``None`` for what is none."""
    return TRUTHS.get(str(value).strip())


def as_moment(value: Any) -> Any:
    """As a moment in UTC, or ``None`` for what is none."""
    from datetime import date

    import pandas as pd

    if not isinstance(value, str | date):
        return None
    moment = pd.to_datetime(value, errors="coerce", utc=True)
    return None if moment is pd.NaT else moment

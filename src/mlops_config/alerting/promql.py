"""Writing PromQL: selectors, numbers and durations that Prometheus reads as what they are."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from mlops_config.alerting.series import BASE_LABELS

BY = f"by ({', '.join(BASE_LABELS)})"
"""What every aggregation keeps, so that two sides of an operator always match."""

OPERATORS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def quoted(text: str) -> str:
    """A string literal. Source: PromQL string literals, which follow Go's escapes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def selector(name: str, labels: Mapping[str, str], **matching: str) -> str:
    """A series by its name and labels; ``matching`` are regular expressions for further labels."""
    matchers = [f"{label}={quoted(value)}" for label, value in labels.items()]
    matchers += [f"{label}=~{quoted(pattern)}" for label, pattern in matching.items()]
    return f"{name}{{{', '.join(matchers)}}}"


def number(value: float) -> str:
    """The very same number, without an exponent; promtool's series notation has none."""
    text = format(Decimal(repr(float(value))), "f")
    return text.removesuffix(".0")


def span(value: timedelta) -> str:
    """A duration as Prometheus writes it, such as ``1h30m``; milliseconds are the finest."""
    milliseconds = round(value / timedelta(milliseconds=1))
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def human_span(seconds: float) -> str:
    """Whole seconds as Prometheus' ``humanizeDuration`` shows them, such as ``12h 0m 0s``."""
    sign, whole = ("-", -int(seconds)) if seconds < 0 else ("", int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hour}h {minute}m {second}s"
    if hour:
        return f"{sign}{hour}h {minute}m {second}s"
    return f"{sign}{minute}m {second}s" if minute else f"{sign}{second}s"


def untemplated(text: str) -> str:
    """Text for a label or an annotation of an alert, where Prometheus would expand ``{{ … }}``."""
    return text.replace("{{", '{{ "{{" }}')

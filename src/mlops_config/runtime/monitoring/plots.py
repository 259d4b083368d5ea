"""Where things lie in the page's plots; the template draws them as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from mlops_config.runtime.monitoring.report import Comparison
from mlops_config.runtime.monitoring.samples import in_thresholds

WIDTH = 320.0
HEIGHT = 138.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 4.0, 4.0, 16.0, 22.0
_GAP = 0.22
"""Share of a group's width left free."""
FARTHEST = 4.0
"""Bars that show values in thresholds end here; the number beside says how far it really is."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in the plot's own units."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Group:
    """One bin or category: its share in reference and window."""

    label: str
    short: str
    middle: float
    reference: float
    window: float
    reference_bar: Bar
    window_bar: Bar
    is_labelled: bool


@dataclass(frozen=True, slots=True)
class Shares:
    """Reference and window side by side, bin by bin."""

    groups: tuple[Group, ...]
    top: float
    """Share at the top of the plot."""
    base: float
    """Where the bars stand."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """How a value compares with its threshold."""

    share: float
    """0 to 1 of the bar's whole length; the threshold lies at ``mark``."""
    mark: float
    is_cut: bool
    """The value is farther than the bar can show."""


def shares(comparison: Comparison) -> Shares | None:
    """The plot of a comparison; ``None`` where it holds none, or none that can be drawn."""
    labels, before, now = (_list(comparison.plot.get(name)) for name in ("labels", "reference", "window"))
    if not labels or not len(labels) == len(before) == len(now) or not _are_shares([*before, *now]):
        return None
    top = max(*before, *now, 1e-9)
    space = (WIDTH - _LEFT - _RIGHT) / len(labels)
    bar = space * (1 - _GAP) / 2
    base = HEIGHT - _BOTTOM
    every = max(1, -(-len(labels) // _labels_that_fit(labels)))
    groups = []
    for place, (label, old, new) in enumerate(zip(labels, before, now, strict=True)):
        start = _LEFT + place * space + space * _GAP / 2
        groups.append(
            Group(
                label=str(label),
                short=_short(str(label)),
                middle=start + bar,
                reference=old,
                window=new,
                reference_bar=_bar(start, bar, old / top, base),
                window_bar=_bar(start + bar, bar, new / top, base),
                is_labelled=place % every == 0,
            )
        )
    return Shares(tuple(groups), top, base)


def against_threshold(comparison: Comparison) -> Threshold | None:
    """The comparison's value in thresholds; ``None`` while not judged."""
    ratio = in_thresholds(comparison)
    if ratio is None:
        return None
    return Threshold(min(ratio, FARTHEST) / FARTHEST, 1 / FARTHEST, ratio > FARTHEST)


def _bar(x: float, width: float, share: float, base: float) -> Bar:
    height = max(share * (base - _TOP), 0.0)
    return Bar(round(x, 2), round(base - height, 2), round(width, 2), round(height, 2))


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _are_shares(values: Sequence[object]) -> bool:
    return all(isinstance(each, (int, float)) and isfinite(each) and each >= 0 for each in values)


def _labels_that_fit(labels: Sequence[object]) -> int:
    longest = max(len(_short(str(label))) for label in labels)
    return max(1, int((WIDTH - _LEFT - _RIGHT) / (longest * 5.4 + 6)))


def _short(label: str) -> str:
    """What fits below a group: a bin by its upper end, a category by its beginning."""
    if label.startswith("up to "):
        label = f"≤{label.removeprefix('up to ')}"
    label = label.rpartition(" to ")[2] if " to " in label else label
    label = f">{label.removeprefix('above ')}" if label.startswith("above ") else label
    return label if len(label) <= 9 else f"{label[:8]}…"

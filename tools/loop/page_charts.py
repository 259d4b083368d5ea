"""Where bars, areas and lines lie in the loop's page, in percent or in the plot's own units."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

WIDTH = 1000.0
HEIGHT = 100.0
"""A plot's own units; the page stretches it to the room there is."""
LEAST_BAR = 0.4
"""Percent: what took no time is seen nevertheless."""
_LEAST_DRAWN = 1e-6
"""Where a logarithmic axis begins at the latest."""
_STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values between two ends as shares of the length between them."""

    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """0 at ``low``, 1 at ``high``; what lies beyond is put on the end it lies behind."""
        low, high, at = self.low, self.high, value
        if self.is_log:
            low, high, at = (math.log10(max(each, _LEAST_DRAWN)) for each in (low, high, at))
        if not high > low:
            return 0.0
        return min(max((at - low) / (high - low), 0.0), 1.0)

    def percent(self, value: float) -> float:
        """The share as percent, to a hundredth."""
        return round(self.share(value) * 100, 2)


@dataclass(frozen=True, slots=True)
class Span:
    """A bar along the time axis, in percent of the axis."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in percent."""

    at: float
    label: str


def finite(value: object) -> float | None:
    """A number that can be drawn; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def clock(seconds: float) -> str:
    """Seconds since the beginning as a clock shows them, such as ``6:05``."""
    whole = max(int(seconds), 0)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def span(axis: Scale, start: object, end: object) -> Span | None:
    """The bar from ``start`` to ``end``, to the axis' end while there is no end; ``None`` without a start."""
    first = finite(start)
    if first is None:
        return None
    last = finite(end)
    left = axis.percent(first)
    right = axis.percent(max(axis.high if last is None else last, first))
    width = max(round(right - left, 2), LEAST_BAR)
    return Span(min(left, 100 - width), width)


def time_ticks(axis: Scale, most: int = 7) -> list[Tick]:
    """Round moments of the axis, at most so many."""
    length = axis.high - axis.low
    if not length > 0:
        return []
    step = next((each for each in _STEPS_SECONDS if length / each <= most), _STEPS_SECONDS[-1])
    first = math.ceil(axis.low / step)
    places = range(first, min(math.floor(axis.high / step), first + most) + 1)
    return [Tick(axis.percent(place * step), clock(place * step)) for place in places]


def value_ticks(top: float) -> list[Tick]:
    """0, and round values up to ``top``."""
    if not top > 0:
        return [Tick(0.0, "0")]
    step = 10.0 ** math.floor(math.log10(top))
    step = next(each for each in (step / 2, step, step * 2, step * 5) if top / each <= 3)
    return [Tick(round(n * step / top * 100, 2), f"{n * step:g}") for n in range(math.floor(top / step) + 1)]


def decade_ticks(axis: Scale) -> list[Tick]:
    """Powers of ten within a logarithmic axis."""
    low, high = (math.log10(max(each, _LEAST_DRAWN)) for each in (axis.low, axis.high))
    powers = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    return [Tick(axis.percent(10.0**power), f"{10.0**power:g}") for power in powers]


def decades(values: Iterable[float]) -> Scale:
    """The logarithmic axis around all positive values, from one 1, 2 or 5 of a power of ten to another."""
    positive = [max(each, _LEAST_DRAWN) for each in values if each > 0] or [1.0]
    low, high = min(positive), max(positive)
    below, above = (10.0 ** math.floor(math.log10(each)) for each in (low, high))
    first = next(below * each for each in (5, 2, 1) if below * each <= low * (1 + 1e-9))
    last = next(above * each for each in (1, 2, 5, 10) if above * each >= high * (1 - 1e-9))
    return Scale(first, max(last, first * 10), is_log=True)


def stacked(
    axis: Scale, top: float, columns: Mapping[int, Mapping[str, float]], layers: Sequence[str]
) -> dict[str, str]:
    """For each layer the path of its area, second by second, the first lowest; a second without is 0.

    Args:
        axis: of seconds.
        top: the value at the plot's upper edge.
        columns: by second, how much each layer has in it.
        layers: from below.
    """
    seconds = range(math.floor(axis.low), math.ceil(axis.high))
    below = dict.fromkeys(seconds, 0.0)
    paths = {}
    for layer in layers:
        above = {each: below[each] + (columns.get(each, {}).get(layer) or 0.0) for each in seconds}
        upper = _steps(axis, top, above)
        lower = _steps(axis, top, below)
        points = [*upper, *reversed(lower)]
        if above != below:
            paths[layer] = "M" + "L".join(f"{x} {y}" for x, y in points) + "Z"
        below = above
    return paths


def line(x_axis: Scale, y_axis: Scale, points: Iterable[tuple[float, float | None]]) -> str:
    """A path through the points from left to right; interrupted where there is no value."""
    path, is_open = [], False
    for x, y in points:
        if y is None:
            is_open = False
            continue
        path.append(f"{'L' if is_open else 'M'}{_x(x_axis, x)} {_y(y_axis.share(y))}")
        is_open = True
    return "".join(path)


def stretches(moments: Iterable[int], gap: int = 3) -> list[tuple[int, int]]:
    """Seconds put together to stretches, first to one after the last; ``gap`` seconds without are no end."""
    ordered = sorted(set(moments))
    if not ordered:
        return []
    starts = [ordered[0], *(after for before, after in pairwise(ordered) if after - before > gap)]
    ends = [*(before for before, after in pairwise(ordered) if after - before > gap), ordered[-1]]
    return [(start, end + 1) for start, end in zip(starts, ends, strict=True)]


def _steps(axis: Scale, top: float, heights: Mapping[int, float]) -> list[tuple[str, str]]:
    """The outline over columns a second wide; equal neighbours are one."""
    points = []
    for y, columns in groupby(heights, key=lambda second: _y(heights[second] / top if top > 0 else 0.0)):
        seconds = list(columns)
        points += [(_x(axis, seconds[0]), y), (_x(axis, seconds[-1] + 1), y)]
    return points


def _x(axis: Scale, value: float) -> str:
    return f"{axis.share(value) * WIDTH:.5g}"


def _y(share: float) -> str:
    return f"{(1 - min(max(share, 0.0), 1.0)) * HEIGHT:.4g}"

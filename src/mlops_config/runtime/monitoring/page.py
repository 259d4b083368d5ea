"""The report as a page for people: one HTML file that needs nothing else, neither scripts nor network."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from mlops_config.contract.models.monitoring import ViolationPolicy
from mlops_config.release.markdown import visible
from mlops_config.runtime.monitoring import plots
from mlops_config.runtime.monitoring.report import (
    Comparison,
    MonitoringReport,
    QualityCheck,
    Signal,
    SignalResult,
)
from mlops_config.runtime.monitoring.samples import compared_value, severity

TEMPLATE = "report.html.j2"

SIGNALS: tuple[tuple[Signal, str], ...] = (
    ("drift", "Feature drift"),
    ("prediction_drift", "Prediction drift"),
    ("quality", "Data quality"),
    ("performance", "Performance"),
)
PLOTTED = 12
"""Features whose plots are open on the page: the worst."""
SHOWN_CHECKS = 100
"""Checks of quality listed without being unfolded."""
MOST_LETTERS = 160
"""Of a text that comes from outside, such as a category."""

NOTHING = "\N{EN DASH}"

P_VALUES = frozenset({"ks", "chi_square"})
METHODS = {
    "psi": "PSI",
    "ks": "Kolmogorov-Smirnov",
    "wasserstein": "Wasserstein",
    "jensen_shannon": "Jensen-Shannon",
    "chi_square": "Chi-square",
    "l_infinity": "L-infinity",
}


@dataclass(frozen=True, slots=True)
class State:
    """A judgement in one word, a sign and a colour; the sign tells it to who sees no colours."""

    word: str
    sign: str
    tone: str


CONFIRMED = State("Confirmed", "▲", "bad")
SEEN = State("Seen, not confirmed", "△", "warn")
FINE = State("Fine", "✓", "good")
LASTING = State("Fine now, still confirmed", "▲", "bad")
NOT_JUDGED = State("Not judged", NOTHING, "none")


def page(
    report: MonitoringReport, history: Sequence[MonitoringReport] = (), policy: ViolationPolicy | None = None
) -> bytes:
    """The page of ``report`` as UTF-8; ``history`` holds the windows before it, newest first.

    What comes from data, such as names and categories, is text and never markup; letters that no one can see
    are written as escapes.
    """

    compared = sorted(report.drift, key=severity, reverse=True)
    plotted = [each for each in compared if each.plot]
    checks = sorted(report.quality, key=_gravity)
    html: str = _template().render(
        report=report,
        policy=policy or ViolationPolicy(),
        verdict=verdict(report),
        signals=[(name, title, report.signal(name), state(report.signal(name))) for name, title in SIGNALS],
        timeline=_timeline(report, history),
        compared=compared,
        judged=sum(each.drifted is not None for each in compared),
        drifted=sum(bool(each.drifted) for each in compared),
        plotted=plotted,
        open_plots=PLOTTED,
        checks=[each for each in checks if each.violated is not False],
        passed=[each for each in checks if each.violated is False],
        shown_checks=SHOWN_CHECKS,
        methods=METHODS,
        p_values=P_VALUES,
        shares=plots.shares,
        against=plots.against_threshold,
        value_of=compared_value,
        tone_of=_tone_of,
        plot_width=plots.WIDTH,
        plot_height=plots.HEIGHT,
    )
    return html.encode("utf-8", "replace")


@cache
def _template() -> Any:
    """The template, compiled once."""
    return templates().get_template(TEMPLATE)


def templates(*folders: Path) -> Any:
    """The Jinja environment of pages: templates from ``folders``, then those that pages share.

    Whatever is put into a template is escaped, and a name that it does not get is an error.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"instant": instant, "number": number, "percent": percent, "said": said, "span": span}
    environment.filters |= filters
    return environment


def verdict(report: MonitoringReport) -> tuple[str, State]:
    """The one sentence that comes first."""
    found = [(title, report.signal(name)) for name, title in SIGNALS]
    confirmed = [title for title, result in found if result.confirmed]
    seen = [title for title, result in found if result.violated and not result.confirmed]
    if confirmed:
        return f"{_listed(confirmed)} confirmed", CONFIRMED
    if seen:
        return f"{_listed(seen)} seen, not yet confirmed", SEEN
    if all(result.violated is None for _, result in found):
        return "Nothing could be judged", NOT_JUDGED
    return "No violation", FINE


def state(result: SignalResult) -> State:
    """A signal's outcome in a word."""
    if result.confirmed:
        return CONFIRMED if result.violated else LASTING
    if result.violated is None:
        return NOT_JUDGED
    return SEEN if result.violated else FINE


def said(text: object, letters: int = MOST_LETTERS) -> str:
    """Text from outside on one line, invisible letters as escapes, cut where nobody would read on."""
    shown = visible(str(text))
    return shown if len(shown) <= letters else f"{shown[: letters - 1]}…"


def number(value: float | None) -> str:
    """A value to three digits; a dash where there is none."""
    if value is None:
        return NOTHING
    if value == 0 or 0.001 <= abs(value) < 100_000:
        digits = 3 if abs(value) < 100 else 1
        return f"{value:,.{digits}f}"
    return f"{value:.1e}"


def percent(share: float | None) -> str:
    """A share of 1 as percent with one digit."""
    return NOTHING if share is None else f"{share * 100:.1f}\N{NO-BREAK SPACE}%"


def instant(moment: datetime) -> str:
    """A time as people write it, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M}" + (f":{moment:%S}" if moment.second else "")


def span(length: timedelta) -> str:
    """A length in its largest fitting unit, such as ``6 hours``."""
    seconds = int(length.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size} {unit}{'s' if seconds > size else ''}"
    return f"{seconds:,} seconds"


def _listed(titles: Sequence[str]) -> str:
    first = [titles[0], *(title[0].lower() + title[1:] for title in titles[1:])]
    return first[0] if len(first) == 1 else f"{', '.join(first[:-1])} and {first[-1]}"


def _timeline(report: MonitoringReport, history: Sequence[MonitoringReport]) -> list[dict[str, Any]]:
    """The windows shown, oldest first; the last is this one."""
    windows = [report, *history[:11]]
    return [
        {
            "report": each,
            "is_this": each is report,
            "states": {name: state(each.signal(name)) for name, _ in SIGNALS},
        }
        for each in reversed(windows)
    ]


def _gravity(check: QualityCheck) -> tuple[int, str, str]:
    order = {True: 0, None: 1, False: 2}
    return (order[check.violated], check.name, check.column or "")


def _tone_of(outcome: Comparison | QualityCheck | Any) -> State:
    """The state of one comparison, check or metric, which no policy confirms."""
    flag = outcome.drifted if isinstance(outcome, Comparison) else outcome.violated
    if flag is None:
        return NOT_JUDGED
    if isinstance(outcome, Comparison):
        return State("Drifts", "▲", "bad") if flag else State("Stable", "✓", "good")
    return State("Violated", "▲", "bad") if flag else FINE

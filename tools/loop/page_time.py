"""What the loop's page shows along a time axis: the steps, the DAG runs, and the requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from mlops_config.runtime.monitoring.page import said
from tools.loop.page_charts import (
    Scale,
    Span,
    Tick,
    clock,
    decade_ticks,
    decades,
    finite,
    line,
    span,
    stacked,
    stretches,
    time_ticks,
    value_ticks,
)

TONES = {
    "succeeded": "done",
    "success": "done",
    "failed": "bad",
    "upstream_failed": "bad",
    "interrupted": "warn",
    "up_for_retry": "warn",
    "skipped": "none",
    "firing": "bad",
    "pending": "warn",
}
_NEAR = 6.0
"""Percent: marks nearer to each other are put on two lines."""

Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that took its time."""

    span: Span
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the timeline."""

    label: str
    length: str
    bars: tuple[Bar, ...]
    said: str
    """All of it in words, for who does not see bars."""
    note: str = ""
    url: str | None = None
    state: str = ""
    """What is not as usual, such as ``failed``."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows over one axis; the band lies between two moments that matter."""

    ticks: list[Tick]
    groups: list[tuple[str, list[Row]]]
    band: Span | None
    band_title: str


@dataclass(frozen=True, slots=True)
class Layer:
    """What one model version answered."""

    label: str
    number: int
    path: str
    requests: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment with a number, explained below the plot."""

    at: float
    label: str
    level: int


@dataclass(frozen=True, slots=True)
class Requests:
    """The plots of requests and of their latency."""

    total: int
    failed: int
    ticks: list[Tick]
    rates: list[Tick]
    layers: list[Layer]
    failures: list[tuple[float, str]]
    marks: list[Mark]
    delays: list[Tick]
    median: str
    slow: str
    worst: float | None


def timeline(recording: Part) -> Timeline | None:
    """Steps, model versions, judged windows, alerts and DAG runs; ``None`` before the first step."""
    steps, runs = _parts(recording, "steps"), _parts(recording, "dag_runs")
    ends = [finite(each.get(name)) for each in (*steps, *runs) for name in ("start", "end")]
    length = max((each for each in (*ends, finite(recording.get("seconds"))) if each is not None), default=0)
    if not length > 0:
        return None
    axis = Scale(0.0, length)
    groups = [
        ("Steps", [_step(axis, each) for each in steps]),
        ("Model that answers", _versions(axis, recording)),
        ("Windows judged by monitoring", _windows(axis, recording)),
        ("Alerts in Prometheus", _alerts(axis, recording)),
        ("DAG runs in Airflow, with their tasks", [_run(axis, each) for each in runs]),
    ]
    headline = recording.get("headline") or {}
    found, done = finite(headline.get("drift_found_at")), finite(headline.get("redeployed_at"))
    band = span(axis, found, done) if found is not None and done is not None else None
    title = f"drift found {clock(found or 0)}, redeployed {clock(done or 0)}"
    return Timeline(time_ticks(axis), [(name, rows) for name, rows in groups if rows], band, title)


def requests(recording: Part) -> Requests | None:
    """The plots of the clients' requests; ``None`` without any."""
    part = recording.get("requests") or {}
    seconds = [each for each in part.get("seconds") or () if finite(each.get("second")) is not None]
    if not seconds:
        return None
    first, last = (pick(int(each["second"]) for each in seconds) for pick in (min, max))
    axis = Scale(first, last + 1)
    columns = {int(each["second"]): _column(each) for each in seconds}
    top = max((sum(each.values()) for each in columns.values()), default=0) * 1.15 or 1.0
    names = sorted({name for each in columns.values() for name in each}, key=_version_order)
    paths = stacked(axis, top, columns, names)
    by_second = {int(each["second"]): each for each in seconds}
    medians, slows = (
        [(each + 0.5, finite(by_second.get(each, {}).get(name))) for each in range(first, last + 1)]
        for name in ("p50_ms", "p95_ms")
    )
    delays = decades(value for _, value in (*medians, *slows) if value is not None)
    return Requests(
        total=int(part.get("total") or 0),
        failed=int(part.get("failed") or 0),
        ticks=time_ticks(axis),
        rates=value_ticks(top),
        layers=[
            Layer(
                f"version {name}" if name else "no answer",
                number,
                paths[name],
                int(sum(each.get(name, 0) for each in columns.values())),
            )
            for number, name in enumerate(names)
            if name in paths
        ],
        failures=[
            (axis.percent(int(each["second"]) + 0.5), f"{clock(each['second'])}: {each['failed']} failed")
            for each in seconds
            if each.get("failed")
        ],
        marks=_marks(axis, recording),
        delays=decade_ticks(delays),
        median=line(axis, delays, medians),
        slow=line(axis, delays, slows),
        worst=max((value for _, value in slows if value is not None), default=None),
    )


def length_of(start: object, end: object) -> str:
    """How long something took, such as ``12 s``; empty while that is not known."""
    first, last = finite(start), finite(end)
    if first is None or last is None:
        return ""
    seconds = max(last - first, 0.0)
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:,.0f} s"


def _step(axis: Scale, step: Part) -> Row:
    start, end, outcome = step.get("start"), step.get("end"), str(step.get("outcome", ""))
    title = str(step.get("title", ""))
    return Row(
        label=str(step.get("key", "")),
        length=length_of(start, end),
        bars=_bars(axis, [(start, end, outcome, title)]),
        said=_when(start, end, outcome),
        note=str(step.get("found") or title),
        state="" if outcome == "succeeded" else outcome,
    )


def _versions(axis: Scale, recording: Part) -> list[Row]:
    seen: dict[str, list[int]] = {}
    for each in (recording.get("requests") or {}).get("seconds") or ():
        for version in each.get("versions") or {}:
            seen.setdefault(str(version), []).append(int(each["second"]))
    return [
        Row(
            label=f"version {version}",
            length="",
            bars=tuple(
                Bar(found, f"layer{number % 4}", f"version {version}: {clock(start)} to {clock(end)}")
                for start, end in stretches(seconds)
                if (found := span(axis, start, end))
            ),
            said=", ".join(f"{clock(start)} to {clock(end)}" for start, end in stretches(seconds)),
        )
        for number, (version, seconds) in enumerate(sorted(seen.items(), key=lambda e: _version_order(e[0])))
    ]


def _windows(axis: Scale, recording: Part) -> list[Row]:
    rows = []
    for kind in ("quiet", "shifted"):
        windows = [each for each in _parts(recording, "windows") if each.get("traffic") == kind]
        bars = []
        for each in windows:
            drift = signal(each, "drift")
            tone = "bad" if drift.get("confirmed") else "warn" if drift.get("violated") else "good"
            word = {"bad": "drift confirmed", "warn": "drift seen", "good": "no drift"}[tone]
            text = f"{clock(finite(each.get('start')) or 0)} to {clock(finite(each.get('end')) or 0)}: {word}"
            if found := span(axis, each.get("start"), each.get("end")):
                bars.append(Bar(found, tone, text))
        if bars:
            rows.append(Row(f"{kind} trips", "", tuple(bars), "; ".join(each.title for each in bars)))
    return rows


def _alerts(axis: Scale, recording: Part) -> list[Row]:
    """Those that fired: each change of state begins the next bar."""
    changes: dict[str, list[Part]] = {}
    for each in _parts(recording, "alerts"):
        changes.setdefault(str(each.get("name", "")), []).append(each)
    rows = []
    for name, states in changes.items():
        if not any(each.get("state") == "firing" for each in states):
            continue
        ends = [*(each.get("at") for each in states[1:]), None]
        pieces = [
            (each.get("at"), end, str(each.get("state")), str(each.get("state")))
            for each, end in zip(states, ends, strict=True)
            if each.get("state") != "inactive"
        ]
        fired = "; ".join(f"{state} {_when(start, end, '')}" for start, end, state, _ in pieces)
        rows.append(Row(name, "", _bars(axis, pieces), fired))
    return rows


def _run(axis: Scale, run: Part) -> Row:
    start, end, state = run.get("start"), run.get("end"), str(run.get("state", ""))
    tasks: Sequence[Part] = run.get("tasks") or ()
    whole = _bars(axis, [(start, end, "whole", str(run.get("run_id", "")))])
    pieces = [
        (each.get("start"), each.get("end"), str(each.get("state")), str(each.get("task_id")))
        for each in tasks
    ]
    kind = str(run.get("run_type", "")).replace("_", " ")
    words = [f"{each.get('task_id')} {_task_word(each)}".strip() for each in tasks]
    return Row(
        label=str(run.get("job") or run.get("dag_id", "")),
        length=length_of(start, end),
        bars=(*whole, *_bars(axis, pieces)),
        said=_when(start, end, state),
        note=f"{kind}: {', '.join(words)}" if words else kind,
        url=run.get("url"),
        state="" if state == "success" else state,
    )


def _task_word(task: Part) -> str:
    length, tries = length_of(task.get("start"), task.get("end")), task.get("tries") or 0
    words = length if task.get("state") == "success" else str(task.get("state") or "not started")
    return f"{words} (try {tries})" if tries > 1 else words


def _bars(axis: Scale, pieces: Iterable[tuple[object, object, str, str]]) -> tuple[Bar, ...]:
    bars = []
    for start, end, state, title in pieces:
        found = span(axis, start, end)
        if found is not None:
            tone = "whole" if state == "whole" else TONES.get(state, "none")
            # The browser shows it beside the pointer, so it is cut as other text is.
            bars.append(Bar(found, tone, said(f"{title}: {_when(start, end, '')}")))
    return tuple(bars)


def _when(start: object, end: object, outcome: str) -> str:
    first, last = finite(start), finite(end)
    if first is None:
        return outcome or "not started"
    until = f"{clock(first)} to {clock(last)}" if last is not None else f"from {clock(first)}"
    return f"{until}, {outcome}" if outcome else until


def _column(second: Part) -> dict[str, float]:
    """Requests of a second by model version; under the empty name those that no model answered."""
    column = {str(name): float(count) for name, count in (second.get("versions") or {}).items()}
    unanswered = float(second.get("requests") or 0) - sum(column.values())
    return {**column, "": unanswered} if unanswered > 0 else column


def _version_order(name: str) -> tuple[bool, int, str]:
    """Versions by number, and what no model answered on top."""
    return (not name, int(name) if name.isdecimal() else 1 << 62, name)


def _marks(axis: Scale, recording: Part) -> list[Mark]:
    headline = recording.get("headline") or {}
    starts = {str(each.get("key")): finite(each.get("start")) for each in _parts(recording, "steps")}
    found = [
        ("longer trips from here on", starts.get("shift")),
        ("drift found", finite(headline.get("drift_found_at"))),
        ("redeployed", finite(headline.get("redeployed_at"))),
        *(("rolled back", at_of(recording, each)) for each in _entries(recording, "rolled_back")),
    ]
    places = sorted(
        (axis.percent(at), label, at) for label, at in found if at is not None and axis.low <= at <= axis.high
    )
    levels = [0]
    for (before, _, _), (at, _, _) in pairwise(places):
        levels.append(1 - levels[-1] if at - before < _NEAR else 0)
    return [
        Mark(place, f"{label} ({clock(at)})", level)
        for (place, label, at), level in zip(places, levels, strict=False)
    ]


def at_of(recording: Part, entry: Part) -> float | None:
    """The seconds of a ledger entry; ``None`` without a time."""
    try:
        started = datetime.fromisoformat(str(recording.get("started")))
        return (datetime.fromisoformat(str(entry.get("time"))) - started).total_seconds()
    except (ValueError, TypeError):
        return None


def signal(window: Part, name: str) -> Part:
    """A window's signal; empty where it was not written down."""
    found: Iterable[Part] = (each for each in window.get("signals") or () if each.get("signal") == name)
    return next(iter(found), {})


def _entries(recording: Part, event: str) -> list[Part]:
    return [each for each in _parts(recording, "ledger") if each.get("event") == event]


def _parts(recording: Part, name: str) -> list[Part]:
    """A list of the recording; empty where the story did not get that far."""
    return list(recording.get(name) or ())

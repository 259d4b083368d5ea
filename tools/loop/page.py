"""The loop as a page for people: one HTML file that needs nothing else, neither scripts nor network."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from mlops_config.contract.metrics import METRICS
from mlops_config.runtime.monitoring import plots
from mlops_config.runtime.monitoring.page import NOTHING, State, said, templates
from mlops_config.runtime.monitoring.report import Comparison
from mlops_config.runtime.monitoring.samples import compared_value, in_thresholds
from tools.loop.page_charts import HEIGHT, WIDTH, clock, finite
from tools.loop.page_time import Part, at_of, requests, signal, timeline

PAGE_NAME = "report.html"
TEMPLATE = "page.html.j2"
# Read when the loop begins, as this module is: whoever edits the template meanwhile changes the next page.
_PAGE = templates(Path(__file__).parent).get_template(TEMPLATE)

SUCCEEDED = State("Closed", "✓", "good")
FAILED = State("Failed", "▲", "bad")
INTERRUPTED = State("Interrupted", "△", "warn")
RUNNING = State("Running", "…", "none")
_OUTCOMES = {"succeeded": SUCCEEDED, "failed": FAILED, "interrupted": INTERRUPTED}

_CONFIRMED = State("Drift confirmed", "▲", "bad")
_SEEN = State("Drift seen", "△", "warn")
_NO_DRIFT = State("No drift", "✓", "good")
_NOT_JUDGED = State("Not judged", NOTHING, "none")

_SAID_ONCE = {
    "run": "unknown",
    "short": False,
    "steps": [],
    "seconds": 0.0,
    "versions": {},
    "cpu_seconds": None,
}

# The way back from a prediction, as people ask for it.
_WAY = ("entry", "model", "data", "release", "bundle", "file", "commit")


def write(recording: Mapping[str, Any], folder: Path) -> Path:
    """Writes the page of a recording, as loop.json holds it, into ``folder``; its path.

    Whatever the story did not get to is left out.
    """
    path = folder / PAGE_NAME
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(page(recording))
    new.replace(path)
    return path


def page(recording: Mapping[str, Any]) -> bytes:
    """The page as UTF-8; what the recording says is text and never markup."""
    outcome = _OUTCOMES.get(str(recording.get("outcome")), RUNNING)
    html: str = _PAGE.render(
        story={name: recording.get(name) or default for name, default in _SAID_ONCE.items()},
        state=outcome,
        headline=headline(recording),
        trouble=next((each.get("found") for each in _unfinished(recording)), None),
        started=_moment(recording.get("started")),
        cards=cards(recording),
        timeline=timeline(recording),
        requests=requests(recording),
        drift=drift(recording),
        contests=[contest(each) for each in recording.get("contests") or ()],
        ledger=[entry(recording, each) for each in recording.get("ledger") or ()],
        rollback=recording.get("rollback") or {},
        trace=trace(recording),
        links=[
            {"name": each.get("name"), "url": each.get("url"), "href": web_address(each.get("url"))}
            for each in recording.get("links") or recording.get("services") or ()
        ],
        files=[
            {"title": each.get("title") or each.get("path"), "href": beside(each.get("path"))}
            for each in recording.get("files") or ()
        ],
        web_address=web_address,
        clock=clock,
        against=plots.against_threshold,
        value_of=compared_value,
        plot_width=WIDTH,
        plot_height=HEIGHT,
    )
    return html.encode("utf-8", "replace")


def headline(recording: Part) -> str:
    """What happened, in one sentence."""
    outcome = recording.get("outcome")
    found = recording.get("headline") or {}
    seconds = finite(found.get("drift_to_redeployed_seconds"))
    if outcome == "succeeded" and seconds is not None:
        return f"Drift found, redeployed {seconds:,.0f} s later, {_failed(found)}"
    if outcome == "succeeded":
        return "The loop closed"
    word = {"failed": "did not close", "interrupted": "was interrupted"}.get(str(outcome), "goes on")
    where = next((f" at “{each.get('key', '')}”" for each in _unfinished(recording)), "")
    return f"The loop {word}{where}"


def cards(recording: Part) -> list[dict[str, str]]:
    """The numbers that come first: title, value, what it is of, and a tone."""
    found = recording.get("headline") or {}
    shown = []
    if (seconds := finite(found.get("drift_to_redeployed_seconds"))) is not None:
        shown.append(_card("Drift report to redeployed", f"{seconds:,.0f} s", "no person in between", "good"))
    if found.get("requests") is not None:
        failed = found.get("failed_requests") or 0
        tone = "bad" if failed else "good"
        shown.append(
            _card("Failed requests", f"{failed:,}", f"of {found['requests']:,}, from first to last", tone)
        )
    contests = [each for each in recording.get("contests") or () if each.get("accepted")]
    for name, value in list((contests[0].get("metrics") or {}).items())[:1] if contests else ():
        before = (contests[0].get("champion_metrics") or {}).get(name)
        text = f"{name} of the challenger; the champion's is {_short(before)} on the same trips"
        shown.append(_card("Challenger", _short(value), text, "good"))
    listening = recording.get("listening") or {}
    if listening.get("checked"):
        beyond: Sequence[str] = listening.get("beyond_loopback") or ()
        text = f"of {listening.get('ports')} ports, {listening.get('processes')} processes, all on 127.0.0.1"
        if beyond:
            text = ", ".join(beyond)
        shown.append(_card("Ports beyond loopback", str(len(beyond)), text, "bad" if beyond else "good"))
    return shown


def drift(recording: Part) -> dict[str, Any] | None:
    """Windows as columns, features as rows, the worst first; ``None`` without a window."""
    windows: Sequence[Part] = recording.get("windows") or ()
    if not windows:
        return None
    compared = [{each.name: each for each in _comparisons(window)} for window in windows]
    names = {name: None for column in compared for name in column}
    worst = {name: max(_severity(column.get(name)) for column in compared) for name in names}
    columns = []
    for number, window in enumerate(windows):
        before = windows[number - 1].get("model_version") if number else window.get("model_version")
        columns.append(
            {
                "traffic": window.get("traffic") or "",
                "version": window.get("model_version"),
                "state": _drift_state(window),
                "judged_at": finite(window.get("judged_at")),
                "is_new_model": window.get("model_version") != before,
                "report": beside(window.get("report")),
            }
        )
    ordered = sorted(names, key=lambda name: worst[name], reverse=True)
    return {
        "columns": columns,
        "rows": [(name, [column.get(name) for column in compared]) for name in ordered],
        "important": {each.name for column in compared for each in column.values() if each.important},
    }


def contest(found: Part) -> dict[str, Any]:
    """Champion and challenger by metric, and which is better in each."""
    ours, theirs = found.get("metrics") or {}, found.get("champion_metrics") or {}
    rows = [
        {
            "name": name,
            "challenger": finite(ours.get(name)),
            "champion": finite(theirs.get(name)),
            "better": better(name, ours.get(name), theirs.get(name)),
        }
        for name in dict.fromkeys([*ours, *theirs])
    ]
    accepted = bool(found.get("accepted"))
    state = State("Promoted", "✓", "good") if accepted else State("Refused", "△", "warn")
    return {**found, "rows": rows, "state": state, "at": finite(found.get("at"))}


def better(name: str, ours: object, theirs: object) -> str:
    """``challenger``, ``champion``, or nothing where they are equal or the metric has no known direction."""
    mine, other = finite(ours), finite(theirs)
    metric = next((each for key, each in METRICS.items() if key == name), None)
    if mine is None or other is None or metric is None or mine == other:
        return ""
    return "challenger" if (mine > other) == metric.greater_is_better else "champion"


def entry(recording: Part, found: Part) -> dict[str, Any]:
    """A line of the ledger."""
    at = at_of(recording, found)
    reasons = [str(each.get("text", "")) for each in found.get("reasons") or ()]
    run = str(found.get("dag_run") or "")
    tones = {"succeeded": State("succeeded", "✓", "good"), "refused": State("refused", "△", "warn")}
    outcome = str(found.get("outcome"))
    return {
        "sequence": found.get("sequence"),
        "at": "" if at is None else clock(at),
        "event": str(found.get("event", "")).replace("_", " "),
        "state": tones.get(outcome, State(said(outcome, 40), "▲", "bad")),
        "release": found.get("release") or "",
        "model": (found.get("model") or {}).get("version") or "",
        "why": "; ".join(reasons),
        "job": run.partition("/")[0].rpartition(".")[2],
        "run": run,
    }


def trace(recording: Part) -> dict[str, Any] | None:
    """The way from a prediction to its commit as links of a chain; ``None`` where none was followed."""
    part = recording.get("trace") or {}
    document = part.get("document") or {}
    nodes: Sequence[Part] = document.get("nodes") or ()
    if not nodes:
        return None
    answered = set(document.get("found") or ())
    links = []
    for kind in _WAY:
        of_kind = [each for each in nodes if each.get("kind") == kind]
        if kind == "entry":
            of_kind = [each for each in of_kind if each.get("id") in answered]
        if of_kind:
            links.append({"kind": kind, "nodes": [_node(each) for each in of_kind]})
        if kind == "model":
            trained = [e for e in nodes if e.get("kind") == "entry" and e.get("id") not in answered]
            links += [{"kind": "entry", "nodes": [_node(each)]} for each in trained]
    return {
        "prediction_id": part.get("prediction_id", ""),
        "prediction": finite(part.get("prediction")),
        "links": links,
    }


def web_address(text: object) -> str | None:
    """The address if a browser may follow it: http or https, in letters that addresses are made of."""
    address = str(text or "")
    if not address.isascii() or not address.isprintable():
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in ("http", "https") and parts.netloc else None


def beside(path: object) -> str | None:
    """The link to a file below the page's own folder; ``None`` for any other."""
    name = str(path or "")
    if not name.isprintable() or not name or name.startswith("/") or ".." in Path(name).parts:
        return None
    return "./" + quote(name)


def _node(node: Part) -> dict[str, Any]:
    details = node.get("details") or {}
    kind, name = str(node.get("kind")), str(node.get("name"))
    facts: list[str] = []
    if kind == "entry":
        facts += [str(details.get("event", "")).replace("_", " "), str(details.get("time", ""))]
        facts += [f"DAG run {details['dag_run']}"] if details.get("dag_run") else []
    elif kind == "release":
        facts += [str(details.get("ref", "")), str(details.get("created_at", ""))]
    elif kind == "file":
        # A file is known by its bytes; what people know it by is its name.
        digest, name = name, ", ".join(map(str, details.get("names") or ())) or name
        facts += [digest]
    return {"name": name, "facts": [each for each in facts if each]}


def _comparisons(window: Part) -> list[Comparison]:
    return [
        Comparison.model_validate({"rows": window.get("rows") or 0, "reference_rows": 0, **each})
        for each in window.get("features") or ()
    ]


def _severity(comparison: Comparison | None) -> float:
    return (in_thresholds(comparison) if comparison else None) or 0.0


def _drift_state(window: Part) -> State:
    found = signal(window, "drift")
    if found.get("violated") is None:
        return _NOT_JUDGED
    if not found["violated"]:
        return _NO_DRIFT
    return _CONFIRMED if found.get("confirmed") else _SEEN


def _unfinished(recording: Part) -> list[Part]:
    return [each for each in recording.get("steps") or () if each.get("outcome") != "succeeded"]


def _failed(found: Part) -> str:
    return f"{found.get('failed_requests') or 0:,} of {found.get('requests') or 0:,} requests failed"


def _card(title: str, value: str, of: str, tone: str) -> dict[str, str]:
    return {"title": title, "value": value, "of": of, "tone": tone}


def _short(value: object) -> str:
    shown = finite(value)
    return NOTHING if shown is None else f"{shown:,.2f}"


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None

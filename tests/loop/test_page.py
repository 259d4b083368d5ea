"""The loop's page: what it says first, that every part may be missing, and that nothing in it is markup."""

import json
import math
import re
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.monitoring.test_page import HOSTILE, Read
from tools.loop.page import beside, better, cards, contest, headline, page, trace, web_address, write
from tools.loop.page_charts import (
    HEIGHT,
    WIDTH,
    Scale,
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
from tools.loop.page_time import requests, timeline
from tools.loop.recording import Recording

from mlops_config.runtime.monitoring.page import templates

VALUES = st.floats(-1e6, 1e6)
SECONDS = range(10, 70)


def step(
    key: str, start: float, end: float | None, outcome: str = "succeeded", text: str = "it went well"
) -> Any:
    return {
        "key": key,
        "title": text,
        "start": start,
        "end": end,
        "outcome": outcome,
        "found": text,
        "facts": {},
        "notes": [text],
    }


def window(
    version: int, value: float, start: float, text: str, *, traffic: str = "shifted"
) -> dict[str, Any]:
    feature = {
        "family": "numeric",
        "method": "psi",
        "threshold": 0.25,
        "direction": "above",
        "important": True,
    }
    drifts = value > 0.25
    return {
        "window_id": text,
        "traffic": traffic,
        "start": start,
        "end": start + 5,
        "judged_at": start + 8,
        "rows": 500,
        "model_version": version,
        "signals": [{"signal": "drift", "violated": drifts, "confirmed": drifts, "reason": text}],
        "features": [
            {**feature, "name": "calm", "value": 0.01, "drifted": False},
            {**feature, "name": text, "value": value, "drifted": drifts},
        ],
        "report": text,
    }


def node(kind: str, name: str, **details: Any) -> dict[str, Any]:
    return {"id": f"{kind}:{name}", "kind": kind, "name": name, "details": details}


def story(text: str = "plain") -> dict[str, Any]:
    """A recording as loop.json holds it, with ``text`` wherever words come from outside."""
    recording = Recording("20261123-010203-abcd", short=False)
    recording.steps += [
        step("release", 0.0, 9.0, text=text),
        step("shift", 20.0, 33.0),
        step("alert", 34, 34),
    ]
    reason = {"code": text, "text": text}
    metrics = {"rmse": 2.5, "r2": 0.9, text: 1.0}
    for number, (version, value, kind) in enumerate(
        [(1, 0.01, "quiet"), (1, 1.4, "shifted"), (2, 0.02, "shifted")]
    ):
        recording.parts.setdefault("windows", []).append(
            window(version, value, 12.0 + number * 9, text, traffic=kind)
        )
    recording.put(
        "requests",
        {
            "total": 600,
            "failed": 2,
            "rows": 600,
            "seconds": [
                {
                    "second": second,
                    "requests": 10,
                    "failed": 2 if second == 40 else 0,
                    "versions": {"1" if second < 45 else "2": 8 if second == 40 else 10},
                    "statuses": {"200": 10},
                    "p50_ms": None if second == 40 else 9.0,
                    "p95_ms": None if second == 40 else 40.0 + second,
                }
                for second in SECONDS
            ],
        },
    )
    recording.put(
        "headline",
        {
            "drift_found_at": 33.0,
            "redeployed_at": 45.0,
            "drift_to_redeployed_seconds": 12.0,
            "requests": 600,
            "failed_requests": 2,
        },
    )
    recording.put(
        "alerts",
        [{"at": 34.0, "name": text, "state": "firing"}, {"at": 60.0, "name": text, "state": "inactive"}],
    )
    recording.put(
        "contests",
        [
            {
                "at": 44.0,
                "accepted": True,
                "challenger": 2,
                "metrics": metrics,
                "champion_metrics": {"rmse": 13.0},
                "triggered": [reason],
                "reasons": [reason],
            },
            {
                "at": 61.0,
                "accepted": False,
                "challenger": 3,
                "metrics": {"rmse": 20.0},
                "champion_metrics": metrics,
                "reasons": [reason],
            },
        ],
    )
    tasks = [
        {"task_id": text, "state": "success", "start": 21.0, "end": 25.0, "tries": 1},
        {"task_id": "retrain", "state": "failed", "start": 25.0, "end": 30.0, "tries": 2},
        {"task_id": "watch", "state": None, "start": None, "end": None, "tries": 0},
    ]
    recording.put(
        "dag_runs",
        [
            {
                "dag_id": text,
                "job": text,
                "run_id": text,
                "run_type": text,
                "state": "failed",
                "start": 20.5,
                "end": None,
                "url": text,
                "tasks": tasks,
            }
        ],
    )
    recording.put(
        "ledger",
        [
            {
                "event": text,
                "time": recording.started.isoformat(),
                "outcome": text,
                "dag_run": text,
                "release": text,
                "model": {"name": text, "version": 1},
                "reasons": [reason],
                "sequence": 1,
            },
            {"event": "rolled_back", "time": "no time", "outcome": "succeeded", "model": None, "sequence": 2},
        ],
    )
    recording.put("rollback", {"words": [text], "dry_run": f"{text}\nnothing was changed", "done": text})
    served = node("entry", text, event=text, time=text, dag_run=text)
    recording.put(
        "trace",
        {
            "prediction_id": text,
            "prediction": 13.756,
            "document": {
                "found": [served["id"]],
                "nodes": [
                    node("commit", "c0ffee"),
                    node("file", "sha256:00", names=["dev_training_config.yaml"]),
                    node("bundle", "sha256:01"),
                    node("release", text, ref=text, created_at=text),
                    node("model", "trip-fare-dev:2"),
                    node("entry", "trained", event="trained"),
                    served,
                ],
            },
        },
    )
    recording.put("listening", {"checked": True, "processes": 14, "ports": 5, "beyond_loopback": []})
    recording.put("cpu_seconds", 81.5)
    recording.put("versions", {text: text})
    recording.put("links", [{"name": text, "url": text}])
    recording.put("files", [{"title": text, "path": text}])
    recording.end("succeeded")
    document: dict[str, Any] = json.loads(json.dumps({**recording.document(), "seconds": 70.0}))
    return document


STORY = story()
PLAIN = Read(page(STORY))


def test_the_headline_says_what_happened_and_in_how_long() -> None:
    assert headline(STORY) == "Drift found, redeployed 12 s later, 2 of 600 requests failed"
    assert "Drift found, redeployed 12 s later" in PLAIN.text
    shown = {each["title"]: each for each in cards(STORY)}
    assert shown["Failed requests"]["tone"] == "bad"
    assert shown["Challenger"]["value"] == "2.50"
    assert "13.00" in shown["Challenger"]["of"]


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ("failed", "The loop did not close at “retrain”"),
        ("interrupted", "The loop was interrupted at “retrain”"),
        ("running", "The loop goes on at “retrain”"),
    ],
)
def test_a_story_that_ended_early_says_where(outcome: str, sentence: str) -> None:
    steps = [step("data", 0.0, 1.0), step("retrain", 1.0, None, outcome, "Connection refused")]
    early = {"outcome": outcome, "steps": steps, "seconds": 9.0}
    text = Read(page(early)).text
    assert f"{sentence} Connection refused" in text


@pytest.mark.parametrize("empty", [None, "left out"])
@pytest.mark.parametrize("part", sorted(STORY))
def test_any_part_may_be_missing(part: str, empty: str | None) -> None:
    less = {name: value for name, value in STORY.items() if name != part}
    Read(page(less if empty else {**less, part: None}))


def test_a_story_that_has_only_begun_has_a_page(tmp_path: Path) -> None:
    recording = Recording("run", short=True)
    path = write(recording.document(), tmp_path)
    assert "short form" in Read(path.read_bytes()).text
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_the_page_needs_nothing_else() -> None:
    html = page(STORY)
    read = Read(html)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(read.tags)
    assert not {"src", "srcset", "action", "xlink:href", "onload"} & {name for name, _ in read.attributes}
    assert b"url(" not in html
    assert b"default-src 'none'" in html


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    html = page(story(text))
    read = Read(html)
    # A name may be broken after its underscores, and whether a text is a file's name decides about a link.
    kept = [tag for tag in read.tags if tag not in ("wbr", "a")]
    assert kept == [tag for tag in PLAIN.tags if tag not in ("wbr", "a")]
    assert not set("\u0000\u0007\u2028\u202e") & set(html.decode())
    links = [value or "" for name, value in read.attributes if name == "href"]
    assert all(value.startswith("./") for value in links)
    assert len(html) < 120_000


def test_no_number_of_the_page_is_none_of_a_number() -> None:
    html = page(STORY).decode()
    assert not re.search(
        r"\b(nan|inf|None)\b", re.sub(r"<style>.*?</style>|default-src 'none'", "", html, flags=re.S)
    )


def test_pictures_have_names_and_tables_have_headings() -> None:
    assert PLAIN.tags.count("svg") >= 2
    roles = [value for name, value in PLAIN.attributes if name == "role"]
    assert roles.count("img") >= PLAIN.tags.count("svg")
    assert PLAIN.tags.count("table") == PLAIN.tags.count("thead") == 4
    names = {value for name, value in PLAIN.attributes if name == "id"}
    labelled = {value for name, value in PLAIN.attributes if name == "aria-labelledby"}
    assert labelled <= names


def test_drift_is_shown_before_and_after_the_new_model() -> None:
    text = PLAIN.text
    assert "version 1, 0:29 ▲ Drift confirmed" in text
    assert "version 2, 0:38 ✓ No drift" in text
    assert text.index("plain important") < text.index("calm important")


def test_champion_and_challenger_are_compared_by_the_metrics_own_direction() -> None:
    assert better("rmse", 2.0, 3.0) == "challenger"
    assert better("r2", 0.8, 0.9) == "champion"
    assert better("rmse", 2.0, 2.0) == better("rmse", None, 2.0) == better("mood", 1.0, 2.0) == ""
    refused = contest(STORY["contests"][1])
    assert refused["state"].word == "Refused"
    assert refused["rows"][0] == {"name": "rmse", "challenger": 20.0, "champion": 2.5, "better": "champion"}


def test_the_trace_leads_from_the_prediction_to_the_commit() -> None:
    found = trace(STORY)
    assert found is not None
    kinds = [each["kind"] for each in found["links"]]
    assert kinds == ["entry", "model", "entry", "release", "bundle", "file", "commit"]
    assert found["links"][-2]["nodes"] == [{"name": "dev_training_config.yaml", "facts": ["sha256:00"]}]


def test_the_timeline_shows_what_ran_when() -> None:
    found = timeline(STORY)
    assert found is not None
    rows = dict(found.groups)
    assert [row.label for row in rows["Model that answers"]] == ["version 1", "version 2"]
    (run,) = rows["DAG runs in Airflow, with their tasks"]
    assert run.state == "failed"
    assert [bar.tone for bar in run.bars] == ["whole", "done", "bad"]
    assert "retrain failed (try 2), watch not started" in run.note
    (alert,) = rows["Alerts in Prometheus"]
    assert alert.said == "firing 0:34 to 1:00"
    assert found.band == span(Scale(0, 70), 33.0, 45.0)
    bars = [bar.span for shown in rows.values() for row in shown for bar in row.bars]
    assert all(each.left >= 0 and each.left + each.width <= 100.01 for each in bars)


def test_failed_requests_are_marked_where_they_failed() -> None:
    found = requests(STORY)
    assert found is not None
    assert [(layer.label, layer.requests) for layer in found.layers] == [
        ("version 1", 348),
        ("version 2", 250),
        ("no answer", 2),
    ]
    ((at, text),) = found.failures
    assert text == "0:40: 2 failed"
    assert at == pytest.approx((40.5 - 10) / 60 * 100, abs=0.01)
    assert [mark.label for mark in found.marks] == [
        "longer trips from here on (0:20)",
        "drift found (0:33)",
        "redeployed (0:45)",
    ]
    # Nobody answered in one second: the line is interrupted there.
    assert found.median.count("M") == 2


def test_marks_too_near_to_each_other_lie_on_two_lines() -> None:
    near = deepcopy(STORY)
    near["headline"]["redeployed_at"] = 34.0
    found = requests(near)
    assert found is not None
    assert [mark.level for mark in found.marks] == [0, 0, 1]


@given(low=VALUES, high=VALUES, value=VALUES, is_log=st.booleans())
def test_nothing_lies_beyond_an_axis(low: float, high: float, value: float, is_log: bool) -> None:
    assert 0.0 <= Scale(low, high, is_log).percent(value) <= 100.0


@given(start=st.none() | VALUES, end=st.none() | VALUES)
def test_a_bar_can_be_seen_and_lies_on_its_axis(start: float | None, end: float | None) -> None:
    found = span(Scale(0.0, 700.0), start, end)
    assert (found is None) == (start is None)
    if found:
        assert found.width >= 0.4
        assert 0 <= found.left <= found.left + found.width <= 100.01


@given(low=st.floats(0, 1e5), length=st.floats(0, 1e5))
def test_ticks_of_time_are_few_and_in_order(low: float, length: float) -> None:
    ticks = time_ticks(Scale(low, low + length))
    assert len(ticks) <= 9
    assert all(before.at < after.at for before, after in pairwise(ticks))
    assert len({each.label for each in ticks}) == len(ticks)


@given(st.floats(1e-6, 1e9))
def test_ticks_of_values_begin_at_nothing_and_stay_below_the_top(top: float) -> None:
    ticks = value_ticks(top)
    assert ticks[0].at == 0.0
    assert 2 <= len(ticks) <= 4
    assert all(float(each.label) <= top * 1.001 for each in ticks)


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_a_logarithmic_axis_holds_all_values(values: list[float]) -> None:
    axis = decades(values)
    assert axis.low * 10 <= axis.high * 1.001
    assert all(axis.low <= each * 1.001 and each <= axis.high * 1.001 for each in values if each > 1e-5)
    assert decade_ticks(axis)


@given(
    st.dictionaries(st.integers(0, 30), st.dictionaries(st.sampled_from("ab"), st.floats(0, 20)), max_size=20)
)
def test_areas_stay_in_their_plot(columns: dict[int, dict[str, float]]) -> None:
    for path in stacked(Scale(0, 31), 10.0, columns, ["a", "b"]).values():
        points = [tuple(map(float, each.split())) for each in path.strip("MZ").split("L")]
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_areas_are_stacked() -> None:
    paths = stacked(Scale(0, 2), 10.0, {0: {"a": 5.0}, 1: {"a": 5.0, "b": 5.0}}, ["a", "b", "c"])
    assert paths == {
        "a": "M0 50L1000 50L1000 100L0 100Z",
        "b": "M0 50L500 50L500 0L1000 0L1000 50L0 50Z",
    }


def test_a_line_ends_where_nothing_is_known() -> None:
    assert line(Scale(0, 4), Scale(0, 10), [(0, 0), (1, 5), (2, None), (3, 10), (4, 10)]) == (
        "M0 100L250 50M750 0L1000 0"
    )


def test_seconds_near_each_other_are_one_stretch() -> None:
    assert stretches([]) == []
    assert stretches([5, 1, 2, 3, 20, 21]) == [(1, 6), (20, 22)]


def test_clocks_and_numbers() -> None:
    assert [clock(each) for each in (-1, 0, 65.9, 3725)] == ["0:00", "0:00", "1:05", "1:02:05"]
    assert [finite(each) for each in (1, None, math.nan, math.inf, True, "1")] == [1.0, *[None] * 5]


def test_only_addresses_and_files_below_are_linked() -> None:
    assert web_address("http://127.0.0.1:8080/dags/a/runs/b%3A") == "http://127.0.0.1:8080/dags/a/runs/b%3A"
    for other in ("javascript:alert(1)", "file:///etc/passwd", "http://[", "http:", None, "http://a\u202e"):
        assert web_address(other) is None
    assert beside("project/build/report of today.html") == "./project/build/report%20of%20today.html"
    assert beside("javascript:alert(1)") == "./javascript%3Aalert%281%29"
    for other in ("/etc/passwd", "../secret", "", None):
        assert beside(other) is None


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    full = color if len(color) == 7 else "#" + "".join(each * 2 for each in color[1:])
    parts = [int(full[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_in_both_schemes(scheme: int) -> None:
    css = templates().get_template("page.css.j2").render()
    rules = re.findall(r":root\{([^}]*)\}", css)
    colors = dict(each.split(":") for each in rules[scheme].removeprefix("--").split(";--"))
    for back in ("page", "card"):
        for ink in ("ink", "soft", "bad", "warn", "good", "none", "window"):
            assert contrast(colors[ink], colors[back]) >= 4.5, (ink, back)
    for tone in ("bad", "warn", "good", "none"):
        assert contrast(colors[tone], colors[f"{tone}-back"]) >= 4.5, tone

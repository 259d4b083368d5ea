"""The page as browsers read it: what comes first, what is folded away, and that data is never markup."""

from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.contract.models.monitoring import ViolationPolicy
from mlops_config.runtime.monitoring.judging import MOST_PLOTTED, with_plots
from mlops_config.runtime.monitoring.page import PLOTTED, page
from mlops_config.runtime.monitoring.report import (
    Comparison,
    MonitoringReport,
    PerformanceRecord,
    PerformanceResult,
    QualityCheck,
    Reference,
    Signal,
    SignalResult,
)
from mlops_config.store.objects import OBJECT_LIMIT_BYTES
from tests.runtime.monitoring.scenes import DAY, DIGEST, NOW, ROOT, WINDOW

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u0000\u0007\u2028",
    "القاهرة",
    "x" * 10_000,
    "javascript:alert(1)",
    "]]>--><!--",
    "\ud800",
)
_VOID = {"meta", "br", "img", "line", "rect", "path"}


class Read(HTMLParser):
    """A page taken apart; refuses what is not nested as it should be."""

    def __init__(self, html: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.folded: list[str] = []
        self.headings: list[str] = []
        self.feed(html.decode("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)
            if self.open and self.open[-1] in ("h1", "h2", "h3", "bdi") and data.strip():
                self.headings.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


PLOT = {
    "labels": ["up to 1", "1 to 2", "above 2"],
    "reference": [0.2, 0.3, 0.5],
    "window": [0, 0.1, 0.9],
}
BASELINE = Reference(type="training_baseline", digest=DIGEST, rows=4000, source="trip-fare-dev version 3")


def comparison(name: str = "distance_km", value: float | None = 0.4, **changes: Any) -> Comparison:
    fields: dict[str, Any] = {
        "name": name,
        "family": "numeric",
        "method": "psi",
        "threshold": 0.2,
        "direction": "above",
        "value": value,
        "drifted": None if value is None else value > 0.2,
        "rows": 600,
        "reference_rows": 4000,
        "plot": {
            "labels": ["up to 1", "1 to 2", "above 2"],
            "reference": [0.2, 0.3, 0.5],
            "window": [0, 0.1, 0.9],
        },
    }
    return Comparison(**{**fields, **changes})


def signals(**violated: bool | None) -> tuple[SignalResult, ...]:
    names: tuple[Signal, ...] = ("drift", "prediction_drift", "quality", "performance")
    return tuple(
        SignalResult(signal=name, violated=violated.get(name), confirmed=False, value=0.5, threshold=0.3)
        for name in names
    )


def report(**changes: Any) -> MonitoringReport:
    fields: dict[str, Any] = {
        "window_id": WINDOW.id,
        "window_start": WINDOW.start,
        "window_end": WINDOW.end,
        "created_at": NOW,
        "project": "city-taxi",
        "model_name": "trip-fare",
        "environment": "dev",
        "config_digest": DIGEST,
        "commit": "c0ffee" * 6 + "c0ff",
        "job_id": "0" * 16,
        "registered_model_name": "trip-fare-dev",
        "model_version": 3,
        "rows": 600,
        "reference": Reference(
            type="training_baseline", digest=DIGEST, rows=4000, source="trip-fare-dev version 3"
        ),
        "signals": signals(drift=True, prediction_drift=False, quality=False),
        "drift": (comparison(), comparison("passengers", 0.01)),
    }
    return MonitoringReport(**{**fields, **changes})


def confirmed(found: MonitoringReport, name: Signal) -> MonitoringReport:
    changed = [each.model_copy(update={"confirmed": each.signal == name}) for each in found.signals]
    return found.model_copy(update={"signals": tuple(changed)})


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        (report(), "Feature drift seen, not yet confirmed"),
        (confirmed(report(), "drift"), "Feature drift confirmed"),
        (report(signals=signals(drift=False)), "No violation"),
        (report(signals=signals(), drift=()), "Nothing could be judged"),
        (
            report(signals=signals(drift=True, quality=True, performance=True)),
            "Feature drift, data quality and performance seen, not yet confirmed",
        ),
    ],
)
def test_the_verdict_comes_first(found: MonitoringReport, headline: str) -> None:
    text = Read(page(found)).text
    assert headline in text.partition("Feature drift 50.0 %")[0].split(" UTC ")[0]


def test_the_page_says_where_it_comes_from() -> None:
    text = Read(page(report())).text
    for origin in (WINDOW.id, DIGEST, "c0ffee", "trip-fare-dev version 3", "version 3", "4,000 rows"):
        assert origin in text


def test_the_page_needs_nothing_else() -> None:
    read = Read(page(report(drift=(comparison(),), prediction_drift=comparison("fare_eur"))))
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(read.tags)
    assert not {"src", "href", "srcset", "action", "xlink:href"} & {name for name, _ in read.attributes}
    assert b"url(" not in page(report())
    assert b"default-src 'none'" in page(report())


def test_every_plot_has_a_name_and_its_numbers_as_a_table() -> None:
    read = Read(page(report()))
    assert read.tags.count("figure") == 2
    assert [value for name, value in read.attributes if name == "role"].count("img") >= 4
    assert "1 to 2" in read.text
    assert "30.0 %" in read.text


def test_the_worst_feature_comes_first_and_important_ones_are_marked() -> None:
    drift = (
        comparison("a", 0.01),
        comparison("b", 0.9),
        comparison("c", 0.3, important=True),
        comparison("d", None, reason="the window does not have the column", plot={}),
        comparison("e", 0.001, method="ks", threshold=0.05, direction="below", adjusted=1e-9, drifted=True),
    )
    read = Read(page(report(drift=drift)))
    names = [each for each in read.headings if each in "abcde"]
    assert names == ["c", "e", "b", "a", "d", "c", "e", "b", "a"]
    assert "important" in read.text
    assert "the window does not have the column" in read.text


def test_the_last_windows_are_shown_with_the_policy() -> None:
    history = [
        report(
            window_id="20260930T063000Z-20261001T063000Z",
            window_start=WINDOW.start - DAY,
            window_end=WINDOW.end - DAY,
            signals=signals(drift=False),
        )
    ]
    policy = ViolationPolicy(evaluation_windows=5, violation_windows=4)
    text = Read(page(report(), history, policy)).text
    assert "The last 2 windows" in text
    assert "4 of the newest 5 windows violate it, the newest among them" in text
    assert "10-01 06:30 10-02 06:30" in text


def test_hundreds_of_features_stay_usable() -> None:
    drift = with_plots([comparison(f"feature_{number:04d}", number / 1000) for number in range(600)])
    html = page(report(drift=drift))
    read = Read(html)
    assert read.tags.count("figure") == MOST_PLOTTED
    open_part = html.decode().partition("more features</summary>")[0]
    assert open_part.count("<figure") == PLOTTED
    assert "<details open" not in open_part
    assert "Table of all 600 features, the worst first" in read.text
    assert len(html) < 1_500_000


def test_a_report_of_the_most_features_a_contract_allows_can_be_read_again() -> None:
    label = "ü" * 100
    plot = {
        "labels": [f"{label}{each}" for each in range(31)],
        "reference": [1 / 31] * 31,
        "window": [1 / 31] * 31,
    }
    drift = with_plots([comparison(f"f{number:04d}", number / 5000, plot=plot) for number in range(5000)])
    quality = [
        QualityCheck(name=name, column=each.name, value=1 / 3, threshold=0.9, violated=False, text="x" * 120)
        for each in drift
        for name in ("completeness", "datatype", "range")
    ]
    assert len(report(drift=drift, quality=tuple(quality)).to_json()) < OBJECT_LIMIT_BYTES
    assert next(each.name for each in drift if each.plot) == "f4800"


def test_performance_is_a_table() -> None:
    results = (
        PerformanceResult(metric="rmse", value=3.2, threshold=2.0, champion_value=1.5, violated=True),
        PerformanceResult(metric="r2", value=None, threshold=0.8, violated=None, reason="not defined"),
    )
    text = Read(page(report(performance=results, labelled_rows=250, signals=signals(performance=True)))).text
    assert "250 rows with known truth" in text
    assert "rmse ▲ Violated 3.200 2.000 1.500" in text


def hostile_report(text: str) -> MonitoringReport:
    plot = {"labels": [text, "b"], "reference": [0.5, 0.5], "window": [0.1, 0.9]}
    return report(
        drift=(comparison(text, reason=text, plot=plot, family="categorical", method=text),),
        prediction_drift=comparison(text, plot=plot),
        quality=(
            QualityCheck(name=text, column=text, value=1.0, threshold=0.5, violated=True, text=text),
            QualityCheck(name=text, column=text, value=0.1, threshold=0.5, violated=False, text=text),
        ),
        performance=(PerformanceResult(metric=text, value=None, threshold=None, violated=None, reason=text),),
        signals=(SignalResult(signal="drift", violated=None, confirmed=False, reason=text),),
        warnings=(text,),
        model_versions={text: 600, "2": 1},
        project=text,
        model_name=text,
        environment=text,
        commit=text,
        reference=Reference(type="uri", digest=DIGEST, rows=1, source=text),
    )


PLAIN = Read(page(hostile_report("plain")))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    html = page(hostile_report(text))
    read = Read(html)
    assert read.tags == PLAIN.tags
    assert [name for name, _ in read.attributes] == [name for name, _ in PLAIN.attributes]
    assert not set("\u0000\u0007\u2028\u202e") & set(html.decode())
    assert len(html) < len(page(hostile_report("plain"))) + 60 * 400
    if text.isprintable() and len(text) < 20:
        assert text in read.text


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_no_text_makes_markup(text: str) -> None:
    assert Read(page(hostile_report(text))).tags == PLAIN.tags


@pytest.mark.parametrize(
    "plot",
    [
        {},
        {"labels": ["a"]},
        {"labels": ["a"], "reference": [1.0, 2.0], "window": [1.0]},
        {"labels": "abc", "reference": 1, "window": None},
        {"labels": [], "reference": [], "window": []},
        {"labels": ["a"], "reference": [-1.0], "window": ["<b>"]},
    ],
)
def test_a_plot_that_cannot_be_drawn_is_left_out(plot: dict[str, Any]) -> None:
    read = Read(page(report(drift=(comparison(plot=plot),))))
    assert "Numbers" not in read.text


def test_windows_of_any_length_are_named() -> None:
    for length, name in ((timedelta(hours=6), "6 hours"), (timedelta(hours=25), "25 hours"), (DAY, "1 day")):
        text = Read(page(report(window_start=WINDOW.end - length))).text
        assert f"({name})" in text


def schema() -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads((ROOT / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
    return found


def validator(definition: str | None = None) -> Any:
    document = schema()
    if definition is not None:
        document = {"$ref": f"#/$defs/{definition}", "$defs": document["$defs"]}
    return jsonschema.Draft202012Validator(
        document, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def test_reports_are_what_the_exported_schema_says() -> None:
    import json

    jsonschema.Draft202012Validator.check_schema(schema())
    for found in (report(), hostile_report("<b>"), report(signals=signals(), drift=(), reference=None)):
        document = json.loads(found.to_json())
        validator().validate(document)
        assert MonitoringReport.model_validate_json(found.to_json()) == found
        assert not validator().is_valid({**document, "window_id": "yesterday"})
        assert not validator().is_valid({**document, "surprise": 1})


def test_records_of_performance_are_what_the_exported_schema_says() -> None:
    import json

    record = PerformanceRecord(
        window_id=WINDOW.id,
        created_at=NOW,
        project="city-taxi",
        model_name="trip-fare",
        environment="dev",
        config_digest=DIGEST,
        job_id="0" * 16,
        model_version=3,
        performance=(PerformanceResult(metric="rmse", value=3.2, threshold=2.0, violated=True),),
        labelled_rows=10,
        signal=SignalResult(signal="performance", violated=True, confirmed=False),
    )
    validator("PerformanceRecord").validate(json.loads(record.to_json()))


def test_the_schema_is_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    from tools.generate_report_schema import main

    assert main(["--check"]) == 0, capsys.readouterr().err


def test_the_template_travels_with_the_package() -> None:
    import mlops_config.runtime.monitoring.page as module

    assert Path(module.__file__ or "").with_name(module.TEMPLATE).is_file()

"""promtool tests of the rules: each alert fires beyond its threshold, after its time, and never otherwise.

Here the alerts stand alone and get the values they watch as input, so that "exactly at the threshold" can be
said without rounding; how recording rules make those values is proven in :mod:`.chains`. Alerts that take
hours to fire are tested apart, in larger steps: promtool evaluates every rule at every step.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import Any

from mlops_config.alerting.conditions import Condition
from mlops_config.alerting.documents import labels_of, plain_annotations
from mlops_config.alerting.promql import human_span, number, span
from mlops_config.alerting.recording import JOB_AGE, Names
from mlops_config.alerting.rules import Absence, Age, AlertRule, AlertRules
from mlops_config.alerting.series import BASE_LABELS, JOB_SUCCESS, SERVING_INFO

_STEPS_AFTER = 5
_MOST_STEPS = 100
_STEPS = (60, 300, 900, 3600, 14400)
"""Seconds between evaluations; the smallest with which an alert's ``for`` takes few enough of them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One situation: what the series are, and whether the alert fires then."""

    name: str
    inputs: Mapping[str, float]
    fires: bool
    value: float = 0.0
    """What the alert reports when it fires."""
    then: Mapping[str, float] = field(default_factory=dict)
    """What the inputs become after the alert could fire; it is over then."""


def alerts_tests(
    names: Names, alerts: AlertRules, config_digest: str, alerts_file: str
) -> dict[timedelta, dict[str, Any]]:
    """The tests of the alerts by themselves, by the time between their evaluations."""
    cases = [(rule, case) for rule in alerts.rules for case in _cases(rule, names)]
    watched: dict[str, dict[str, None]] = {}
    for rule, case in cases:
        watched.setdefault(rule.name, {}).update(dict.fromkeys([*case.inputs, *case.then]))
    packed: dict[int, list[_Packed]] = {}
    for rule, case in cases:
        step = _step(rule)
        timed = _Timed(rule, case, ceil(rule.for_.total_seconds() / step))
        _pack(packed.setdefault(step, []), timed, watched[rule.name])
    return {
        timedelta(seconds=step): {
            "rule_files": [alerts_file],
            "evaluation_interval": span(timedelta(seconds=step)),
            "tests": [_test(each, alerts, step, config_digest) for each in packed[step]],
        }
        for step in sorted(packed)
    }


@dataclass(frozen=True, slots=True)
class _Timed:
    """A case of a rule; ``first`` is the step at which the alert fires if it does."""

    rule: AlertRule
    case: Case
    first: int

    def course(self, series: str) -> tuple[float | None, float | None, int]:
        """What becomes of a series: its value, its value after the alert could fire, and when that is."""
        before = self.case.inputs.get(series)
        after = self.case.then.get(series, before)
        return (before, after, 0 if before == after else self.first)


@dataclass(slots=True)
class _Packed:
    """Cases that one test holds: promtool sets up a database for each, which takes longer than the test."""

    cases: list[_Timed] = field(default_factory=list)
    courses: dict[str, tuple[float | None, float | None, int]] = field(default_factory=dict)


def _pack(tests: list[_Packed], timed: _Timed, watched: Iterable[str]) -> None:
    """Puts the case into the first test in which no series would have to be two things at once.

    ``watched`` are all series that matter to alerts of this name; those the case does not have stay away.
    """
    courses = {series: timed.course(series) for series in watched}
    for test in tests:
        if all(test.courses.get(series, course) == course for series, course in courses.items()):
            break
    else:
        tests.append(test := _Packed())
    test.courses.update(courses)
    test.cases.append(timed)


def _step(rule: AlertRule) -> int:
    seconds = rule.for_.total_seconds()
    return next((step for step in _STEPS if seconds / step <= _MOST_STEPS), _STEPS[-1])


def _cases(rule: AlertRule, names: Names) -> Iterator[Case]:
    match rule.fires_on:
        case Condition() as condition:
            yield from _compared(condition)
        case Age() as age:
            yield from _aged(age, names)
        case Absence(job=None):
            info = names.raw(SERVING_INFO.suffix, model_version="1", config_digest="sha256:0")
            yield from _absent(info, _elsewhere(info))
        case Absence(job=job):
            success = names.raw(JOB_SUCCESS.suffix, mlops_job=job or "")
            yield from _absent(success, names.raw(JOB_SUCCESS.suffix, mlops_job="another"))
        case None:
            yield Case("always", {}, fires=True, value=1)


def _absent(series: str, other: str) -> Iterator[Case]:
    yield Case("never seen", {}, fires=True, value=1)
    yield Case("seen", {series: 1}, fires=False)
    yield Case("another seen", {other: 1}, fires=True, value=1)
    yield Case("seen at last", {}, fires=True, value=1, then={series: 1})


def _compared(condition: Condition) -> Iterator[Case]:
    confirmed = {condition.confirmed_by: 1.0} if condition.confirmed_by else {}
    threshold = 1.0 if condition.threshold is None else condition.threshold
    step = abs(threshold) / 128 or 1.0
    sign = 1 if condition.op in ("gt", "ge") else -1
    beyond, within = threshold + sign * step, threshold - sign * step

    def case(name: str, value: float, **options: Any) -> Case:
        return Case(name, {condition.input: value, **confirmed}, condition.holds(value), value, **options)

    yield case("beyond the threshold", beyond)
    yield case("exactly at the threshold", threshold)
    yield case("within the threshold", within)
    yield Case("no value at all", dict(confirmed), fires=False)
    there = {condition.input: beyond, **confirmed}
    elsewhere = {_elsewhere(name): value for name, value in there.items()}
    yield Case("beyond the threshold in another environment", elsewhere, fires=False)
    if condition.threshold is not None:
        yield case("beyond the threshold for a while", beyond, then={condition.input: within})
    if condition.confirmed_by:
        inputs = {condition.input: beyond, condition.confirmed_by: 0.0}
        yield Case("beyond the threshold, not confirmed", inputs, condition.holds(beyond, confirmed=False))
        yield Case("beyond the threshold, nothing said of it", {condition.input: beyond}, fires=False)
    for feature in condition.important:
        drifted = condition.drifted.partition("feature=~")[0] + f'feature="{feature}"}}'
        for value in (0.0, 1.0):
            inputs = {condition.input: within, drifted: value, **confirmed}
            fires = condition.holds(within, important=bool(value))
            yield Case(f"within the threshold, {feature} at {value:g}", inputs, fires, within)


def _aged(age: Age, names: Names) -> Iterator[Case]:
    series = names.recorded(JOB_AGE, mlops_job=age.job)
    # A time of success is there: that none is, another rule of the same name says.
    seen = {names.raw(JOB_SUCCESS.suffix, mlops_job=age.job): 1.0}
    sign = 60 if age.op in ("gt", "ge") else -60
    beyond, within = age.seconds + sign, age.seconds - sign
    for name, value in (
        ("a minute beyond the limit", beyond),
        ("exactly at the limit", age.seconds),
        ("a minute within the limit", within),
    ):
        yield Case(name, {series: value, **seen}, age.holds(value), value)
    yield Case("it ran again", {series: beyond, **seen}, True, beyond, then={series: within})
    another = names.recorded(JOB_AGE, mlops_job="another")
    yield Case("another job is beyond the limit", {another: beyond, **seen}, fires=False)


def _elsewhere(series: str) -> str:
    """The same series of another environment."""
    head, _, tail = series.partition(f'{BASE_LABELS[2]}="')
    return f'{head}{BASE_LABELS[2]}="elsewhere{tail[tail.index(chr(34)) :]}'


def _test(packed: _Packed, alerts: AlertRules, step: int, digest: str) -> dict[str, Any]:
    """One promtool test: silent a step before ``for`` is over, as expected from then on."""
    last = max(timed.first for timed in packed.cases) + _STEPS_AFTER
    series = []
    for name, (before, after, switch) in packed.courses.items():
        if before is None and after is None:
            continue
        values = _repeated(before, last) if before == after else _switched(before, after, switch, last)
        series.append({"series": name, "values": values})
    return {
        "name": "; ".join(dict.fromkeys(timed.case.name for timed in packed.cases)),
        "interval": span(timedelta(seconds=step)),
        "input_series": series,
        "alert_rule_test": [
            check for timed in packed.cases for check in _checks(timed, alerts, step, digest)
        ],
    }


def _checks(timed: _Timed, alerts: AlertRules, step: int, digest: str) -> Iterator[dict[str, Any]]:
    def check(at: int, expected: list[dict[str, Any]]) -> dict[str, Any]:
        time = span(timedelta(seconds=step * at))
        return {"eval_time": time, "alertname": timed.rule.name, "exp_alerts": expected}

    if not timed.case.fires:
        yield check(timed.first + _STEPS_AFTER, [])
        return
    if timed.first > 0:
        yield check(timed.first - 1, [])
    yield check(timed.first, _expected(timed.rule, alerts, timed.case, digest))
    if timed.case.then:
        yield check(timed.first + _STEPS_AFTER, [])


def _switched(before: float | None, after: float | None, switch: int, last: int) -> str:
    return f"{_repeated(before, switch)} {_repeated(after, last - switch - 1)}"


def _repeated(value: float | None, times: int) -> str:
    """``times`` + 1 values."""
    if value is None:
        return "_" if times == 0 else f"_x{times + 1}"
    return f"{number(value)}+0x{times}" if times else number(value)


def _expected(rule: AlertRule, alerts: AlertRules, case: Case, digest: str) -> list[dict[str, Any]]:
    value = human_span(case.value) if isinstance(rule.fires_on, Age) else f"{case.value:.4g}"
    annotations = {
        name: text.replace("{{value}}", value) for name, text in plain_annotations(rule, digest).items()
    }
    return [{"exp_labels": labels_of(rule, alerts), "exp_annotations": annotations}]

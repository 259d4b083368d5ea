"""promtool tests from what servers and jobs expose to the alert: recording rules and alerts together."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from mlops_config.alerting.conditions import SERVICE_SIGNALS, Condition
from mlops_config.alerting.promql import number, quoted, selector, span
from mlops_config.alerting.recording import (
    AVAILABILITY,
    ERROR_RATIO,
    JOB_AGE,
    LATENCY,
    REQUEST_RATE,
    SERVER_UP,
    Names,
    has_endpoint,
)
from mlops_config.alerting.rules import Age, AlertRule, AlertRules
from mlops_config.alerting.series import (
    JOB_SUCCESS,
    REQUEST_SECONDS,
    REQUESTS,
    SERVING_INFO,
)

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import InferenceConfig

_MINUTES = 12
"""After so many, ranges of five minutes hold nothing but what the test is about."""
_LONGEST = timedelta(hours=2)
_PER_MINUTE = 60


def chain_test(
    names: Names, alerts: AlertRules, inference: "InferenceConfig", rule_files: list[str]
) -> dict[str, Any]:
    """The test file for ``rule_files``: recording rules first, then alerts."""
    chains = _Chains(names)
    served = has_endpoint(inference)
    fast = [rule for rule in alerts.rules if rule.for_ <= _LONGEST]
    tests = [
        *(chains.of_server() if served else ()),
        *chains.of_jobs(),
        *chains.of_service_alerts([rule for rule in fast if rule.signal in SERVICE_SIGNALS]),
        *chains.of_silences([rule for rule in fast if isinstance(rule.fires_on, Age)]),
    ]
    return {"rule_files": rule_files, "evaluation_interval": "1m", "tests": tests}


class _Chains:
    def __init__(self, names: Names) -> None:
        self.names = names

    def of_server(self) -> Iterator[dict[str, Any]]:
        up = {self._info("a"): "1+0x99"}
        yield self._test(
            "a server that nobody asks anything",
            {**up, **self._traffic(ok=0, failed=0), **self._latencies(0, 0.1, 0.2)},
            {REQUEST_RATE: 0, ERROR_RATIO: None, LATENCY.format(percentile=95): None, AVAILABILITY: 100},
        )
        yield self._test(
            "requests that all succeed, on a server that never failed",
            {**up, self._requests("200"): f"0+{_PER_MINUTE}x99"},
            {REQUEST_RATE: 1, ERROR_RATIO: 0},
        )
        yield self._test(
            "every fourth request fails; what a client does wrong is no failure",
            {**up, **self._traffic(ok=15, failed=15), self._requests("422"): "0+30x99"},
            {REQUEST_RATE: 1, ERROR_RATIO: 0.25},
        )
        yield self._test(
            "requests between 100 and 200 ms",
            {**up, **self._latencies(_PER_MINUTE, 0.1, 0.2)},
            {LATENCY.format(percentile=of): 0.1 + 0.001 * of for of in (50, 95, 99)},
        )
        yield self._test(
            "two servers of one model",
            {
                **up,
                self._info("b"): "1+0x99",
                self._requests("200"): f"0+{_PER_MINUTE}x99",
                self._requests("200", "b"): f"0+{_PER_MINUTE}x99",
            },
            {SERVER_UP: 1, AVAILABILITY: 100, REQUEST_RATE: 2},
        )
        elsewhere = Names(self.names.namespace, (*self.names.labels[:2], ("environment", "elsewhere")))
        yield self._test(
            "another environment's server",
            _Chains(elsewhere)._traffic(ok=_PER_MINUTE, failed=_PER_MINUTE)
            | {_Chains(elsewhere)._info("a"): "1+0x99"},
            {REQUEST_RATE: None, ERROR_RATIO: None, SERVER_UP: 0, AVAILABILITY: 0},
        )

    def of_jobs(self) -> Iterator[dict[str, Any]]:
        job = {"mlops_job": "monitoring"}
        success = self.names.raw(JOB_SUCCESS.suffix, **job)
        yield self._test(
            "a job that succeeded at the beginning",
            {success: "0+0x99"},
            {JOB_AGE: _MINUTES * 60},
            **job,
        )
        yield self._test(
            "a job whose runs come from two machines: the newest counts",
            {
                success.removesuffix("}") + ', instance="a"}': "0+0x99",
                success.removesuffix("}") + ', instance="b"}': "600+0x99",
            },
            {JOB_AGE: _MINUTES * 60 - 600},
            **job,
        )

    def of_service_alerts(self, rules: Sequence[AlertRule]) -> Iterator[dict[str, Any]]:
        """What a server exposes at its worst and at its best, when nobody asks, and when it is gone."""
        judged = {rule: rule.fires_on for rule in rules if isinstance(rule.fires_on, Condition)}
        if not judged:
            return
        limits = [
            condition.threshold
            for rule, condition in judged.items()
            if rule.signal == "latency" and condition.threshold is not None and condition.threshold > 0
        ] or [1.0]
        slow, quick = max(limits), min(limits)
        up = {self._info("a"): "1+0x999"}
        idle = {**self._traffic(ok=0, failed=0), **self._latencies(0, slow, 2 * slow)}
        worst = {**self._traffic(ok=0, failed=_PER_MINUTE), **self._latencies(_PER_MINUTE, slow, 2 * slow)}
        best = {**self._traffic(ok=_PER_MINUTE, failed=0), **self._latencies(_PER_MINUTE, 0.0, quick)}
        for name, series, values in (
            ("at its worst", {**up, **worst}, {"errors": 1.0, "latency": 1.95 * slow, "availability": 100.0}),
            ("at its best", {**up, **best}, {"errors": 0.0, "latency": 0.95 * quick, "availability": 100.0}),
            ("that nobody asks", {**up, **idle}, {"availability": 100.0}),
            ("that is gone", {}, {"availability": 0.0}),
        ):
            fires = {
                rule: rule.signal in values and condition.holds(values[rule.signal])
                for rule, condition in judged.items()
            }
            yield self._firing(f"alerts on a server {name}", series, fires)

    def of_silences(self, rules: Sequence[AlertRule]) -> Iterator[dict[str, Any]]:
        """Jobs whose last success is long ago, and jobs that just succeeded."""
        ages = {rule: rule.fires_on for rule in rules if isinstance(rule.fires_on, Age)}
        oldest: dict[str, float] = {}
        for age in ages.values():
            oldest[age.job] = max(age.seconds, oldest.get(age.job, 0.0))
        for name, ago in (
            ("too long ago", {job: seconds + 3600 for job, seconds in oldest.items()}),
            ("just now", dict.fromkeys(oldest, 0.0)),
        ):
            series = {
                self.names.raw(JOB_SUCCESS.suffix, mlops_job=job): f"{number(-seconds)}+0x999"
                for job, seconds in ago.items()
            }
            # A limit that the job's age crosses while it is watched would be a matter of minutes.
            fires = {
                rule: age.holds(ago[age.job])
                for rule, age in ages.items()
                if age.holds(ago[age.job]) == age.holds(ago[age.job] + 60 * _minutes(rule))
            }
            yield self._firing(f"jobs that succeeded {name}", series, fires)

    def _firing(
        self, name: str, series: Mapping[str, str], fires: Mapping[AlertRule, bool]
    ) -> dict[str, Any]:
        checks = []
        for rule, does in fires.items():
            state = {"alertname": rule.name, "alertstate": "firing"}
            labels = {**state, **dict(self.names.labels), **rule.labels}
            checks.append(
                {
                    "expr": f"count({selector('ALERTS', labels)})",
                    "eval_time": span(timedelta(minutes=_minutes(rule))),
                    "exp_samples": [{"labels": "{}", "value": 1}] if does else [],
                }
            )
        return {**_inputs(name, series), "promql_expr_test": checks}

    def _test(
        self, name: str, series: Mapping[str, str], expected: Mapping[str, float | None], **labels: str
    ) -> dict[str, Any]:
        """``expected`` are recorded values, right to a billionth; ``None``: there is none."""
        checks = [self._close(suffix, value, labels) for suffix, value in expected.items()]
        return {**_inputs(name, series), "promql_expr_test": checks}

    def _close(self, suffix: str, value: float | None, labels: Mapping[str, str]) -> dict[str, Any]:
        recorded = self.names.recorded(suffix, **labels)
        of = ", ".join(f"{name}={quoted(each)}" for name, each in [*self.names.labels, *labels.items()])
        return {
            "expr": f"abs({recorded} - {number(value or 0.0)}) < bool 0.000000001",
            "eval_time": f"{_MINUTES}m",
            "exp_samples": [] if value is None else [{"labels": f"{{{of}}}", "value": 1}],
        }

    def _info(self, instance: str) -> str:
        labels = {"instance": instance, "model_version": "3", "config_digest": "sha256:0"}
        return self.names.raw(SERVING_INFO.suffix, **labels)

    def _requests(self, code: str, instance: str = "a") -> str:
        return self.names.raw(REQUESTS.suffix, instance=instance, code=code)

    def _traffic(self, *, ok: int, failed: int) -> dict[str, str]:
        return {self._requests("200"): f"0+{ok}x999", self._requests("500"): f"0+{failed}x999"}

    def _latencies(self, per_minute: int, low: float, high: float) -> dict[str, str]:
        """Requests that took longer than ``low`` and at most ``high`` seconds."""
        suffix = REQUEST_SECONDS.suffix
        counts = {low: 0, high: per_minute}
        buckets = {number(le): count for le, count in counts.items() if le > 0} | {"+Inf": per_minute}
        series = {
            self.names.raw(f"{suffix}_bucket", instance="a", le=le): f"0+{count}x999"
            for le, count in buckets.items()
        }
        return {**series, self.names.raw(f"{suffix}_count", instance="a"): f"0+{per_minute}x999"}


def _inputs(name: str, series: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
    }


def _minutes(rule: AlertRule) -> int:
    return _MINUTES + ceil(rule.for_.total_seconds() / 60)

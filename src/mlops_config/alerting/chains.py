"""promtool tests from what servers and jobs expose to the alert: recording rules and alerts together."""

from collections.abc import Iterator, Mapping
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
    tests = [*(chains.of_server() if served else ()), *chains.of_jobs()]
    for rule in alerts.rules:
        if rule.signal in SERVICE_SIGNALS and isinstance(rule.fires_on, Condition):
            tests += chains.of_service_alert(rule, rule.fires_on)
        if isinstance(rule.fires_on, Age):
            tests += chains.of_silence(rule, rule.fires_on)
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

    def of_service_alert(self, rule: AlertRule, condition: Condition) -> Iterator[dict[str, Any]]:
        """What a server exposes, at its best and at its worst."""
        up = {self._info("a"): "1+0x999"}
        limit = condition.threshold or 1.0
        match rule.signal:
            case "errors":
                worst, value = {**up, **self._traffic(ok=0, failed=_PER_MINUTE)}, 1.0
                best, best_value = {**up, **self._traffic(ok=_PER_MINUTE, failed=0)}, 0.0
            case "latency":
                worst, value = {**up, **self._latencies(_PER_MINUTE, limit, 2 * limit)}, 1.95 * limit
                best, best_value = {**up, **self._latencies(_PER_MINUTE, 0.0, limit)}, 0.95 * limit
            case _:
                worst, value = {}, 0.0
                best, best_value = up, 100.0
        yield from self._fires(rule, "at its worst", worst, fires=condition.holds(value))
        yield from self._fires(rule, "at its best", best, fires=condition.holds(best_value))
        idle = {**up, **self._traffic(ok=0, failed=0), **self._latencies(0, limit, 2 * limit)}
        if rule.signal != "availability":
            yield from self._fires(rule, "without traffic", idle, fires=False)

    def of_silence(self, rule: AlertRule, age: Age) -> Iterator[dict[str, Any]]:
        success = self.names.raw(JOB_SUCCESS.suffix, mlops_job=age.job)
        minutes = _minutes(rule)
        for what, ago in (("too long ago", age.seconds + 3600), ("not long ago", 0.0)):
            fires = age.holds(ago + 60 * minutes)
            if fires == age.holds(ago):
                values = {success: f"{number(-ago)}+0x999"}
                yield from self._fires(rule, f"succeeded {what}", values, fires=fires)

    def _fires(
        self, rule: AlertRule, name: str, series: Mapping[str, str], *, fires: bool
    ) -> Iterator[dict[str, Any]]:
        if rule.for_ > _LONGEST:
            return
        firing = {"alertname": rule.name, "alertstate": "firing", **dict(self.names.labels)}
        yield {
            "name": f"{rule.name}: {name}",
            "interval": "1m",
            "input_series": [{"series": each, "values": values} for each, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f"count({selector('ALERTS', firing)})",
                    "eval_time": span(timedelta(minutes=_minutes(rule))),
                    "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
                }
            ],
        }

    def _test(
        self, name: str, series: Mapping[str, str], expected: Mapping[str, float | None], **labels: str
    ) -> dict[str, Any]:
        """``expected`` are recorded values, right to a billionth; ``None``: there is none."""
        return {
            "name": name,
            "interval": "1m",
            "input_series": [{"series": each, "values": values} for each, values in series.items()],
            "promql_expr_test": [self._close(suffix, value, labels) for suffix, value in expected.items()],
        }

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


def _minutes(rule: AlertRule) -> int:
    return _MINUTES + ceil(rule.for_.total_seconds() / 60)

"""The alerting rules of one environment: those of its monitoring file, and switches against silence."""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from mlops_config.alerting.conditions import SERVICE_SIGNALS, Condition, Conditions, Origin
from mlops_config.alerting.labels import identity_labels
from mlops_config.alerting.promql import BY, OPERATORS, number, span
from mlops_config.alerting.recording import JOB_AGE, has_endpoint
from mlops_config.alerting.series import JOB_SUCCESS, SERVING_INFO
from mlops_config.contract.rules.schedules import gaps
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.monitoring import ServiceAlert
    from mlops_config.contract.validation import EnvironmentConfigs

MISSED_RUNS = 2
"""A job is silent when it did not succeed in so many times the longest gap of its schedule."""
LONGEST_ABSENCE = timedelta(days=2)
"""A job that never succeeded at all is reported after this at the latest, however rarely it runs."""
SHORTEST_ABSENCE = timedelta(minutes=5)
WATCHDOG = "MlopsWatchdog"

_VALUE = "{{value}}"
_WORDS = {"gt": "above", "ge": "at or above", "lt": "below", "le": "at or below"}


@dataclass(frozen=True, slots=True)
class Age:
    """The last success of a job is too long ago."""

    job: str
    op: str
    seconds: float

    def holds(self, value: float) -> bool:
        """Whether so many seconds are too long."""
        return bool(getattr(operator, self.op)(value, self.seconds))


@dataclass(frozen=True, slots=True)
class Absence:
    """A series is not there: the last success of a job, or anything of a server (``None``)."""

    job: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AlertRule:
    """One alerting rule. ``description`` has ``{{value}}`` where the value goes."""

    name: str
    signal: str
    severity: str
    expr: str
    for_: timedelta
    summary: str
    description: str
    threshold: str
    runbook_url: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """Besides those that every alert has."""
    fires_on: "Condition | Age | Absence | None" = None
    """``None``: always."""


@dataclass(frozen=True, slots=True)
class AlertRules:
    """The rules of one environment, and what belongs to all of them."""

    rules: tuple[AlertRule, ...]
    labels: Mapping[str, str]
    """Project, model, environment and ``metrics.labels``: on every alert, to route by."""
    unwatched: tuple[str, ...] = ()
    """Alerts of the file that no series can fire, with why."""


def alert_rules(configs: "EnvironmentConfigs", *, watchdog: bool = False) -> AlertRules:
    """The rules for the monitoring file's alerts, and for every silence that it does not watch itself.

    Raises:
        UsageError: an alert watches a feature that is not compared, or a label of the file is one of our own.
    """
    return AlertRules(
        tuple(_Maker(configs).rules(watchdog=watchdog)),
        identity_labels(configs.monitoring),
        _unwatched(configs),
    )


def _unwatched(configs: "EnvironmentConfigs") -> tuple[str, ...]:
    served, enabled = has_endpoint(configs.inference), configs.monitoring.enabled
    found = []
    for alert in configs.monitoring.alerts:
        if alert.signal in SERVICE_SIGNALS and not served:
            found.append(f"{alert.name} watches the server's {alert.signal}, but inference.mode is batch")
        if alert.signal == "staleness" and not enabled:
            found.append(
                f"{alert.name} watches for monitoring that did not run, but monitoring is not enabled"
            )
    return tuple(found)


class _Maker:
    def __init__(self, configs: "EnvironmentConfigs") -> None:
        self.configs = configs
        self.monitoring = configs.monitoring
        self.conditions = Conditions(configs)
        self.names = self.conditions.names
        about = self.monitoring.metadata
        self.model = f"{about.model_name} in {about.environment}"

    def rules(self, *, watchdog: bool) -> Iterator[AlertRule]:
        served = has_endpoint(self.configs.inference)
        signals = {alert.signal for alert in self.monitoring.alerts}
        for index, alert in enumerate(self.monitoring.alerts):
            if alert.signal == "staleness":
                yield from self._written_staleness(alert, index) if self.monitoring.enabled else ()
            elif served or alert.signal not in SERVICE_SIGNALS:
                condition = self.conditions.of(alert, index)
                yield AlertRule(
                    name=alert.name,
                    signal=alert.signal,
                    severity=alert.severity,
                    expr=condition.expr,
                    for_=alert.for_,
                    summary=f"{self.model}: {_NEWS[alert.signal]}",
                    description=self._described(condition),
                    threshold=f"{condition.written} ({condition.origin})",
                    runbook_url=alert.runbook_url,
                    fires_on=condition,
                )
        if self.monitoring.enabled and "staleness" not in signals:
            yield from self._silence("MlopsMonitoringSilent", "monitoring", *self._monitoring_gap())
        if served and "availability" not in signals:
            yield self._absent_server()
        retraining = self._retraining_gap()
        if retraining is not None:
            yield from self._silence("MlopsRetrainingSilent", "retraining", *retraining)
        batch = self.configs.inference.batch
        if batch is not None and self.configs.inference.mode != "endpoint":
            origin = self.conditions.origin(Kind.INFERENCE, ("batch", "schedule", "cron"))
            longest = gaps(batch.schedule.cron)[1]
            yield from self._silence("MlopsBatchSilent", "inference", longest * MISSED_RUNS, origin)
        if watchdog:
            yield AlertRule(
                WATCHDOG,
                "watchdog",
                "none",
                "vector(1)",
                timedelta(0),
                f"{self.model}: alerts arrive",
                "This alert always fires. When it does not arrive, none does.",
                "always",
            )

    def _described(self, condition: Condition) -> str:
        text = f"{condition.what} is {_VALUE}{condition.unit}"
        if condition.threshold is not None:
            text += f"; the alert fires {_WORDS[condition.op]} {condition.written}"
        if condition.important:
            text += f", or when one of {', '.join(condition.important)} drifts"
        if condition.confirmed_by is not None:
            text += f"; {condition.confirmation}"
        return f"{text}."

    def _monitoring_gap(self) -> tuple[timedelta, Origin]:
        cron = self.monitoring.schedule.cron
        return gaps(cron)[1] * MISSED_RUNS, self.conditions.origin(Kind.MONITORING, ("schedule", "cron"))

    def _retraining_gap(self) -> tuple[timedelta, Origin] | None:
        """By the trigger that comes round most often; ``None`` where retraining has no calendar."""
        longest = [
            (gaps(trigger.cron)[1] * MISSED_RUNS, index)
            for index, trigger in enumerate(self.configs.retrain.triggers)
            if trigger.type == "schedule"
        ]
        if not longest:
            return None
        oldest, index = min(longest)
        return oldest, self.conditions.origin(Kind.RETRAIN, ("triggers", index, "cron"))

    def _written_staleness(self, alert: "ServiceAlert", index: int) -> Iterator[AlertRule]:
        oldest, origin = self._monitoring_gap()
        seconds = oldest.total_seconds()
        if alert.threshold is not None:
            seconds = alert.threshold
            origin = self.conditions.origin(Kind.MONITORING, ("alerts", index, "threshold"))
        yield from self._silent(
            alert.name,
            "monitoring",
            seconds,
            origin,
            op=alert.op or "gt",
            for_=alert.for_,
            severity=alert.severity,
            runbook_url=alert.runbook_url,
        )

    def _silence(self, name: str, job: str, oldest: timedelta, origin: Origin) -> Iterator[AlertRule]:
        yield from self._silent(name, job, oldest.total_seconds(), origin)

    def _silent(
        self,
        name: str,
        job: str,
        seconds: float,
        origin: Origin,
        *,
        op: str = "gt",
        for_: timedelta = timedelta(0),
        severity: str = "ticket",
        runbook_url: str | None = None,
    ) -> Iterator[AlertRule]:
        """Two rules of one name: the last success is too old, and there never was one that Prometheus saw."""
        summary = f"{self.model}: {job} did not succeed for too long"
        limit = f"{number(seconds)} s" if op == "gt" else f"{_WORDS[op]} {number(seconds)} s"
        threshold = f"{limit} ({origin})"
        age = f"max {BY} ({self.names.recorded(JOB_AGE, mlops_job=job)})"
        yield AlertRule(
            name,
            "staleness",
            severity,
            f"{age} {OPERATORS[op]} {number(seconds)}",
            for_,
            summary,
            f"The job {job} last succeeded {_VALUE} ago.",
            threshold,
            runbook_url,
            {"mlops_job": job},
            Age(job, op, seconds),
        )
        yield AlertRule(
            name,
            "staleness",
            severity,
            f"absent({self.names.raw(JOB_SUCCESS.suffix, mlops_job=job)})",
            max(for_, SHORTEST_ABSENCE, min(timedelta(seconds=ceil(seconds)), LONGEST_ABSENCE)),
            summary,
            f"Prometheus knows no success of the job {job}: it never succeeded, or nothing scrapes it.",
            threshold,
            runbook_url,
            {"mlops_job": job, "absent": "true"},
            Absence(job),
        )

    def _absent_server(self) -> AlertRule:
        return AlertRule(
            "MlopsServerAbsent",
            "availability",
            "ticket",
            f"absent({self.names.raw(SERVING_INFO.suffix)})",
            SHORTEST_ABSENCE,
            f"{self.model}: no model server answers",
            "Prometheus sees no series of a model server: none runs, or nothing scrapes it.",
            f"no series for {span(SHORTEST_ABSENCE)}",
            fires_on=Absence(),
        )


_NEWS = {
    "drift": "features drift",
    "prediction_drift": "predictions drift",
    "performance": "predictions got worse",
    "quality": "the data is bad",
    "latency": "requests take too long",
    "errors": "requests fail",
    "availability": "the server does not answer",
    "integrity": "a job refused its configuration",
}

"""When an alert fires: the series it watches, and the threshold with the one place that says it."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mlops_config.alerting.promql import BY, OPERATORS, number, selector
from mlops_config.alerting.recording import AVAILABILITY, ERROR_RATIO, LATENCY_P95, Names
from mlops_config.alerting.series import (
    DRIFT_SHARE,
    FEATURE_DRIFT,
    FEATURE_DRIFTED,
    INTEGRITY_FAILED,
    PERFORMANCE,
    PREDICTION_DRIFT,
    QUALITY_VIOLATIONS,
    SIGNAL_CONFIRMED,
)
from mlops_config.contract.metrics import METRICS
from mlops_config.contract.rules.drift import comparisons, prediction_comparison
from mlops_config.contract.rules.wording import listed
from mlops_config.contract.show import resolve
from mlops_config.errors import UsageError
from mlops_config.findings import ConfigPath, format_path
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.monitoring import Alert, DriftAlert, PerformanceAlert
    from mlops_config.contract.validation import EnvironmentConfigs

SERVICE_SIGNALS = frozenset({"latency", "errors", "availability"})
"""Watched on the model server."""


class Origin(NamedTuple):
    """Where a threshold comes from."""

    where: str
    """``file:line``, or the contract's default."""
    path: str

    def __str__(self) -> str:
        return f"{self.where} {self.path}".strip()


@dataclass(frozen=True, slots=True)
class Condition:
    """When an alert fires. ``value`` and ``input`` speak of one series of the model."""

    what: str
    """What is watched, in words, at the beginning of a sentence."""
    value: str
    """Expression with one series whose labels are project, model and environment."""
    input: str
    """The series the value is read from."""
    op: str
    threshold: float | None
    """In the unit of ``value``; ``None``: the monitoring job alone judges it."""
    written: str
    """The threshold in the unit the configuration has it in."""
    origin: Origin
    confirmed_by: str | None = None
    """The series that must be 1 besides: the violation policy's, or the verdict on the feature."""
    confirmation: str = ""
    """What ``confirmed_by`` adds, in words."""
    important: tuple[str, ...] = ()
    """Features any of which makes the condition true when it drifts."""
    drifted: str = ""
    """The series of the important features, 1 where one drifts."""
    unit: str = ""

    def holds(self, value: float, *, confirmed: bool = True, important: bool = False) -> bool:
        """Whether the condition is true; what the expression says, said apart from it."""
        beyond = self.threshold is None or getattr(operator, self.op)(value, self.threshold)
        return (beyond or important) and (confirmed or self.confirmed_by is None)

    @property
    def expr(self) -> str:
        """The condition in PromQL: its result is what is watched, where the condition is true."""
        expr = self.value
        if self.threshold is not None:
            expr = f"{self.value} {OPERATORS[self.op]} {number(self.threshold)}"
        if self.important:
            expr = f"({expr}\n  or ({self.value}\n    and max {BY} ({self.drifted}) > 0))"
        if self.confirmed_by is not None:
            expr = f"{expr}\nand max {BY} ({self.confirmed_by}) == 1"
        return expr


class Conditions:
    """The conditions of one environment's alerts."""

    def __init__(self, configs: "EnvironmentConfigs") -> None:
        self.monitoring = configs.monitoring
        self.inference = configs.inference
        self.training = configs.training
        self.names = Names.of(configs.monitoring)
        self._origins: Mapping[tuple[Kind, ConfigPath], str] = {
            (each.kind, each.path): each.origin for each in resolve(configs)
        }

    def of(self, alert: "Alert", index: int) -> Condition:
        """The condition of the alert that stands at ``index``; staleness has none of its own.

        Raises:
            UsageError: it watches a feature that is not compared.
        """
        match alert.signal:
            case "drift" if alert.feature is not None:
                return self._feature(alert, index, alert.feature)
            case "drift":
                return self._share(alert, index)
            case "prediction_drift":
                return self._prediction(alert, index)
            case "performance":
                return self._performance(alert, index)
            case "quality":
                series = self.names.raw(QUALITY_VIOLATIONS.suffix)
                home = Origin("every check of", "quality")
                return self._judged(
                    alert, index, "The number of failed data checks", series, "gt", 0.0, home, "quality"
                )
            case "latency":
                home = self._origin(Kind.INFERENCE, ("service_level", "p95_latency_ms"))
                return self._service(
                    alert,
                    index,
                    "The latency of 95 of 100 requests",
                    LATENCY_P95,
                    "gt",
                    self.inference.service_level.p95_latency_ms,
                    home,
                    written=" ms",
                    unit=" s",
                    scale=1000,
                )
            case "errors":
                home = self._origin(Kind.INFERENCE, ("service_level", "error_rate_max_fraction"))
                most = self.inference.service_level.error_rate_max_fraction
                return self._service(
                    alert, index, "The share of failed requests", ERROR_RATIO, "gt", most, home
                )
            case "availability":
                home = self._origin(Kind.INFERENCE, ("service_level", "availability_percent"))
                least = self.inference.service_level.availability_percent
                return self._service(
                    alert,
                    index,
                    "The time the server answers",
                    AVAILABILITY,
                    "lt",
                    least,
                    home,
                    written=" %",
                    unit=" %",
                )
            case "integrity":
                series = self.names.raw(INTEGRITY_FAILED.suffix)
                home = Origin("config digest", "MLOPS_CONFIG_DIGEST")
                return self._judged(
                    alert, index, "The number of configurations refused", series, "gt", 0.0, home, None
                )
            case _:
                raise ValueError(f"{alert.signal} has no condition of its own")

    def _share(self, alert: "DriftAlert", index: int) -> Condition:
        drift = self.monitoring.drift
        condition = self._judged(
            alert,
            index,
            "The share of features that drift",
            self.names.raw(DRIFT_SHARE.suffix),
            "ge",
            drift.drift_share_fraction,
            self._origin(Kind.MONITORING, ("drift", "drift_share_fraction")),
            "drift",
        )
        if alert.threshold is not None or alert.op is not None or condition.threshold is None:
            return condition
        name = f"{self.names.namespace}_{FEATURE_DRIFTED.suffix}"
        drifted = selector(name, dict(self.names.labels), feature="|".join(drift.important_features))
        return replace(condition, important=drift.important_features, drifted=drifted)

    def _feature(self, alert: "DriftAlert", index: int, feature: str) -> Condition:
        compared = {each.name: each for each in comparisons(self.training, self.monitoring)}
        if feature not in compared:
            raise UsageError(
                f"the alert {alert.name} watches {feature}, which monitoring does not compare",
                hint=f"name one of {listed(compared)}",
            )
        found = compared[feature]
        condition = self._judged(
            alert,
            index,
            f"The drift of {feature} ({found.method.method})",
            self.names.raw(FEATURE_DRIFT.suffix, feature=feature, method=found.method.method),
            "lt" if found.method.direction == "below" else "gt",
            found.method.threshold,
            self._origin(Kind.MONITORING, (*found.path, "threshold")),
            None,
        )
        if alert.threshold is not None or alert.op is not None:
            return condition
        return replace(
            condition,
            confirmed_by=self.names.raw(FEATURE_DRIFTED.suffix, feature=feature),
            confirmation="monitoring finds it more than chance alone makes of so many rows",
        )

    def _prediction(self, alert: "DriftAlert", index: int) -> Condition:
        found = prediction_comparison(self.training, self.monitoring)
        if found is None:  # the contract's rule C29 refuses it
            raise ValueError(f"{alert.name} watches predictions, which are not compared")
        return self._judged(
            alert,
            index,
            f"The drift of the predictions ({found.method.method})",
            self.names.raw(PREDICTION_DRIFT.suffix, method=found.method.method),
            "lt" if found.method.direction == "below" else "gt",
            found.method.threshold,
            self._origin(Kind.MONITORING, (*found.path, "threshold")),
            "prediction_drift",
        )

    def _performance(self, alert: "PerformanceAlert", index: int) -> Condition:
        own = self.monitoring.performance.thresholds[alert.metric]
        path: ConfigPath = ("performance", "thresholds", alert.metric)
        home = self._origin(Kind.MONITORING, (*path, "threshold"))
        if own.threshold is None:
            change = "min_relative_change" if own.min_relative_change is not None else "min_absolute_change"
            home = self._origin(Kind.MONITORING, (*path, change))
        return self._judged(
            alert,
            index,
            f"The metric {alert.metric}",
            self.names.raw(PERFORMANCE.suffix, metric=alert.metric),
            "lt" if METRICS[alert.metric].greater_is_better else "gt",
            own.threshold,
            home,
            "performance",
        )

    def _judged(
        self,
        alert: "Alert",
        index: int,
        what: str,
        series: str,
        op: str,
        threshold: float | None,
        home: Origin,
        signal: str | None,
    ) -> Condition:
        """A condition on what a job exports. With nothing but the configuration's own threshold the violation
        policy has a say too: then the alert fires when monitoring itself would call it a violation."""
        own = alert.threshold is None and (alert.op is None or threshold is None)
        confirmed = self.names.raw(SIGNAL_CONFIRMED.suffix, signal=signal) if own and signal else None
        policy = self.monitoring.violation_policy
        if confirmed and not policy.newest_must_violate:
            threshold = None
        condition = self._condition(alert, index, what, series, op, threshold, home)
        if confirmed is None:
            return condition
        words = (
            f"{policy.violation_windows} of the last {policy.evaluation_windows} windows violate what the"
            " configuration allows"
        )
        return replace(condition, confirmed_by=confirmed, confirmation=words)

    def _service(
        self,
        alert: "Alert",
        index: int,
        what: str,
        recorded: str,
        op: str,
        threshold: float,
        home: Origin,
        *,
        written: str = "",
        unit: str = "",
        scale: float = 1.0,
    ) -> Condition:
        series = self.names.recorded(recorded)
        return self._condition(
            alert, index, what, series, op, threshold, home, written=written, unit=unit, scale=scale
        )

    def _condition(
        self,
        alert: "Alert",
        index: int,
        what: str,
        series: str,
        op: str,
        threshold: float | None,
        home: Origin,
        *,
        written: str = "",
        unit: str = "",
        scale: float = 1.0,
    ) -> Condition:
        op = alert.op or op
        if alert.threshold is not None:
            threshold = alert.threshold
            home = self._origin(Kind.MONITORING, ("alerts", index, "threshold"))
        return Condition(
            what=what,
            value=f"{'max' if op in ('gt', 'ge') else 'min'} {BY} ({series})",
            input=series,
            op=op,
            threshold=None if threshold is None else threshold / scale,
            written="as monitoring judges it" if threshold is None else f"{number(threshold)}{written}",
            origin=home,
            unit=unit,
        )

    def origin(self, kind: Kind, path: ConfigPath) -> Origin:
        """Where the configuration says the value at ``path``."""
        return self._origin(kind, path)

    def _origin(self, kind: Kind, path: ConfigPath) -> Origin:
        return Origin(self._origins.get((kind, path), f"default of the {kind.value} file"), format_path(path))

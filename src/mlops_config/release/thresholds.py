"""The thresholds in force: what each alert of a configuration fires at, and the limits behind them.

Reads the meaning of the monitoring, inference and training files (``bundle.semantic.meaning``). A team's own
contract may lack any part: what is not there is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlops_config.contract.metrics import METRICS
from mlops_config.kinds import Kind

SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}

METHODS = {
    "psi": "population stability index",
    "ks": "Kolmogorov-Smirnov p-value",
    "wasserstein": "Wasserstein distance",
    "jensen_shannon": "Jensen-Shannon distance",
    "chi_square": "chi-square p-value",
    "l_infinity": "largest change of a share",
}

QUALITY_LIMITS = (
    ("completeness_min_fraction", "share of rows with a value", "<"),
    ("datatype_check_threshold", "share of values of a wrong type", ">"),
    ("domain_content_threshold", "share of values outside the domain", ">"),
    ("max_duplicate_fraction", "share of rows seen before", ">"),
    ("freshness_max_age", "age of the newest row", ">"),
)

SERVICE_LEVELS = {
    "latency": ("p95_latency_ms", "95th percentile of latency", ">", "ms"),
    "errors": ("error_rate_max_fraction", "share of failed requests", ">", ""),
    "availability": ("availability_percent", "availability", "<", "%"),
}

NUMERIC_TYPES = ("integral", "fractional")


@dataclass(frozen=True, slots=True)
class Limit:
    """A value and the threshold it must not pass. ``measure`` is our wording; the rest is from the files."""

    measure: str
    sign: str
    """How the value compares with the threshold when it is bad: ``>``, ``≥``, ``<`` or ``≤``."""
    threshold: Any
    path: str
    """Where the threshold stands: ``monitoring: drift.numeric.threshold``."""
    subject: str | None = None
    """The feature or metric it is about."""
    unit: str = ""
    any_of: tuple[str, ...] = ()
    """Features any one of which is enough."""


@dataclass(frozen=True, slots=True)
class AlertInForce:
    """An alert and what it fires at. ``event`` stands for a limit where there is no number."""

    name: str
    severity: str
    hold: str
    """ISO-8601 duration it must hold before it fires."""
    limit: Limit | None = None
    event: str | None = None
    runbook_url: str | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Everything that can raise an alarm."""

    alerts: tuple[AlertInForce, ...] = ()
    limits: tuple[Limit, ...] = ()
    windows: tuple[int, int, bool] | None = None
    """k, n: k of the last n windows must violate; whether the newest must be one of them."""
    monitored: bool = True


def thresholds(configs: Mapping[Kind, Mapping[str, Any]]) -> Thresholds:
    """What is in force by these configurations, each kind's meaning as JSON data."""
    meanings = _Meanings(
        configs.get(Kind.MONITORING) or {},
        configs.get(Kind.INFERENCE) or {},
        configs.get(Kind.TRAINING) or {},
    )
    policy = meanings.monitoring.get("violation_policy") or {}
    windows = None
    if {"violation_windows", "evaluation_windows"} <= policy.keys():
        windows = (
            policy["violation_windows"],
            policy["evaluation_windows"],
            bool(policy.get("newest_must_violate")),
        )
    return Thresholds(
        alerts=tuple(_alert(meanings, entry) for entry in meanings.monitoring.get("alerts") or ()),
        limits=tuple(_limits(meanings)),
        windows=windows,
        monitored=bool(meanings.monitoring.get("enabled", True)),
    )


@dataclass(frozen=True, slots=True)
class _Meanings:
    monitoring: Mapping[str, Any]
    inference: Mapping[str, Any]
    training: Mapping[str, Any]

    def feature_group(self, name: str) -> str:
        """``numeric`` or ``categorical``, by the feature's type in the training schema."""
        schema = self.training.get("schema") or {}
        types = {feature.get("name"): feature.get("type") for feature in schema.get("features") or ()}
        return "numeric" if types.get(name, "fractional") in NUMERIC_TYPES else "categorical"

    def prediction_group(self) -> str:
        target = (self.training.get("schema") or {}).get("target") or {}
        return "numeric" if target.get("problem_type", "regression") == "regression" else "categorical"


def _limits(meanings: _Meanings) -> Iterator[Limit]:
    drift = meanings.monitoring.get("drift") or {}
    share = _drift_share(drift)
    if share:
        yield share
    for group in ("numeric", "categorical"):
        yield from _method_limit(drift.get(group), f"of a {group} feature", f"drift.{group}")
    for name, feature in (drift.get("features") or {}).items():
        for group in ("numeric", "categorical"):
            if feature.get(group) and not feature.get("ignore"):
                yield from _method_limit(feature[group], "of", f"drift.features.{name}.{group}", name)
    yield from _prediction_limits(meanings)
    yield from _quality_limits(meanings)
    yield from _performance_limits(meanings)
    yield from _service_limits(meanings)


def _drift_share(drift: Mapping[str, Any]) -> Limit | None:
    if drift.get("drift_share_fraction") is None:
        return None
    return Limit(
        "share of features that drift",
        "≥",
        drift["drift_share_fraction"],
        "monitoring: drift.drift_share_fraction",
        any_of=tuple(drift.get("important_features") or ()),
    )


def _method_limit(
    method: Mapping[str, Any] | None, whose: str, path: str, subject: str | None = None
) -> Iterator[Limit]:
    if not method or method.get("threshold") is None:
        return
    name = METHODS.get(method.get("method", ""), "drift measure")
    sign = "<" if method.get("direction") == "below" else ">"
    yield Limit(f"{name} {whose}", sign, method["threshold"], f"monitoring: {path}.threshold", subject)


def _prediction_limits(meanings: _Meanings) -> Iterator[Limit]:
    drift = meanings.monitoring.get("prediction_drift") or {}
    if drift.get("enabled", True):
        group = meanings.prediction_group()
        yield from _method_limit(drift.get(group), "of the predictions", f"prediction_drift.{group}")


def _quality_limits(meanings: _Meanings) -> Iterator[Limit]:
    quality = meanings.monitoring.get("quality") or {}
    for key, measure, sign in QUALITY_LIMITS:
        if quality.get(key) is not None:
            yield Limit(measure, sign, quality[key], f"monitoring: quality.{key}")


def _performance_limits(meanings: _Meanings) -> Iterator[Limit]:
    performance = meanings.monitoring.get("performance") or {}
    for metric, threshold in (performance.get("thresholds") or {}).items():
        if threshold.get("threshold") is not None:
            path = f"monitoring: performance.thresholds.{metric}.threshold"
            yield Limit("metric", _metric_sign(metric), threshold["threshold"], path, metric)


def _service_limits(meanings: _Meanings) -> Iterator[Limit]:
    level = meanings.inference.get("service_level") or {}
    for key, measure, sign, unit in SERVICE_LEVELS.values():
        if level.get(key) is not None:
            yield Limit(measure, sign, level[key], f"inference: service_level.{key}", unit=unit)


def _metric_sign(metric: str) -> str:
    known = METRICS.get(metric)
    return "<" if known and known.greater_is_better else ">"


def _alert(meanings: _Meanings, alert: Mapping[str, Any]) -> AlertInForce:
    name = str(alert.get("name", "unnamed"))
    limit = _limit_of_alert(meanings, alert)
    event = None if limit else _event(alert)
    if alert.get("threshold") is not None:
        sign = SIGNS.get(alert.get("op") or "", limit.sign if limit else ">")
        path = f"monitoring: alerts[{name}].threshold"
        if limit:
            limit = replace(limit, sign=sign, threshold=alert["threshold"], path=path, any_of=())
        else:
            limit = Limit(f"{alert.get('signal', 'signal')} value", sign, alert["threshold"], path)
            event = None
    elif limit and alert.get("op") in SIGNS:
        limit = replace(limit, sign=SIGNS[alert["op"]])
    return AlertInForce(
        name,
        str(alert.get("severity", "ticket")),
        str(alert.get("for", "PT0S")),
        limit,
        event,
        alert.get("runbook_url"),
    )


def _limit_of_alert(meanings: _Meanings, alert: Mapping[str, Any]) -> Limit | None:
    """The limit that the configuration gives for the alert's signal elsewhere."""
    signal = alert.get("signal")
    drift = meanings.monitoring.get("drift") or {}
    if signal == "drift" and not alert.get("feature"):
        return _drift_share(drift)
    if signal == "drift":
        feature = str(alert["feature"])
        group = meanings.feature_group(feature)
        own = ((drift.get("features") or {}).get(feature) or {}).get(group)
        path = f"drift.features.{feature}.{group}" if own else f"drift.{group}"
        return next(_method_limit(own or drift.get(group), "of", path, feature), None)
    if signal == "prediction_drift":
        return next(_prediction_limits(meanings), None)
    if signal == "performance":
        found = (limit for limit in _performance_limits(meanings) if limit.subject == alert.get("metric"))
        return next(found, None)
    if signal in SERVICE_LEVELS:
        measure = SERVICE_LEVELS[signal][1]
        return next((limit for limit in _service_limits(meanings) if limit.measure == measure), None)
    return None


def _event(alert: Mapping[str, Any]) -> str:
    return {
        "quality": "a check of data quality fails",
        "integrity": "files are not what their config digest says",
        "staleness": "monitoring did not run when it was due",
    }.get(str(alert.get("signal")), "its signal is bad")

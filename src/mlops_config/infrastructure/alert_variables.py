"""Alerts and recording rules as Terraform's variables have them: each alert by name, as two expressions.

A Prometheus that evaluates recording rules takes ``expr``. A service that knows no recording rules takes
``query``, the same condition over the series that jobs and servers expose.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_config.alerting.documents import annotations_of, labels_of
from mlops_config.alerting.promql import quoted, span
from mlops_config.alerting.recording import Names, RecordingRule, recording_rules
from mlops_config.alerting.rules import AlertRule, alert_rules
from mlops_config.alerting.series import BASE_LABELS

if TYPE_CHECKING:
    from mlops_config.contract.validation import EnvironmentConfigs

STEP = "1m"
"""Between two points of a series that is computed on the spot: how often Prometheus evaluates rules."""

_STRING = r'"(?:\\.|[^"\\])*"'
_SELECTOR = re.compile(
    rf'{_STRING}|(?P<name>[A-Za-z_:][A-Za-z0-9_:]*){{(?P<labels>(?:{_STRING}|[^}}"])*)}}(?:\[(?P<range>\w+)\])?'
)
_MATCHER = re.compile(rf"\w+\s*(?:=~|!=|!~|=)\s*{_STRING}")


def alert_values(configs: "EnvironmentConfigs") -> dict[str, dict[str, object]]:
    """What Terraform is told of each alert, by a key that is unique.

    A staleness alert has two rules of one name. The second, for a success that was never seen, has
    ``-absent`` behind its key. Neither config digest nor line numbers are in them: an alert that did not
    change is no change of a plan.

    Raises:
        UsageError: an alert watches what is not compared, or a label of the file is one of our own.
    """
    found = alert_rules(configs)
    names = Names.of(configs.monitoring)
    recorded = recording_rules(names, configs.inference)
    values: dict[str, dict[str, object]] = {}
    for rule in found.rules:
        texts = annotations_of(rule, config_digest="")
        values[key_of(rule)] = {
            "name": rule.name,
            "expr": rule.expr,
            "query": written_out(rule.expr, recorded, names),
            "for": span(rule.for_),
            "severity": rule.severity,
            "labels": labels_of(rule, found),
            "summary": texts["summary"],
            "description": texts["description"],
            "runbook_url": rule.runbook_url,
        }
    return values


def recording_values(configs: "EnvironmentConfigs") -> dict[str, str]:
    """The expression of each recording rule, by the name that it records under."""
    names = Names.of(configs.monitoring)
    return {rule.record: rule.expr for rule in recording_rules(names, configs.inference)}


def key_of(rule: AlertRule) -> str:
    """What the rule is called among Terraform's alerts."""
    return (
        f"{rule.name}-absent"
        if rule.labels.get("absent") == "true" and "mlops_job" in rule.labels
        else rule.name
    )


def alert_sources(configs: "EnvironmentConfigs") -> dict[str, tuple[str, ...]]:
    """The configuration keys that an alert's expression and texts are made of, by the alert's key."""
    written = {alert.name: index for index, alert in enumerate(configs.monitoring.alerts)}
    found = {}
    for rule in alert_rules(configs).rules:
        keys: tuple[str, ...] = _SIGNALS.get(rule.signal, ())
        if rule.signal == "staleness":
            keys = _SCHEDULES[rule.labels["mlops_job"]]
        if rule.name in written:
            keys = (f"monitoring.alerts[{written[rule.name]}]", *keys)
        found[key_of(rule)] = keys
    return found


_POLICY = "monitoring.violation_policy"
_SIGNALS = {
    "drift": ("monitoring.drift", _POLICY, "training.schema"),
    "prediction_drift": ("monitoring.prediction_drift", _POLICY, "training.schema.target"),
    "performance": ("monitoring.performance", _POLICY),
    "quality": ("monitoring.quality", _POLICY),
    "latency": ("inference.service_level.p95_latency_ms",),
    "errors": ("inference.service_level.error_rate_max_fraction",),
    "availability": ("inference.service_level.availability_percent", "inference.mode"),
}
_SCHEDULES = {
    "monitoring": ("monitoring.schedule", "monitoring.enabled"),
    "retraining": ("retrain.triggers",),
    "inference": ("inference.batch.schedule", "inference.mode"),
}


def written_out(expr: str, rules: Sequence[RecordingRule], names: Names) -> str:
    """The expression with every recorded series computed on the spot.

    Of a range of a recorded series a subquery is made, a point each :data:`STEP`.
    """
    known = {rule.record: rule for rule in rules}
    return _SELECTOR.sub(lambda found: _replaced(found, known, names), expr)


def _replaced(found: "re.Match[str]", rules: Mapping[str, RecordingRule], names: Names) -> str:
    rule = rules.get(found["name"] or "")
    if rule is None:
        return found[0]
    own = {f"{label}={quoted(value)}" for label, value in names.labels}
    further = [matcher for matcher in _MATCHER.findall(found["labels"]) if matcher not in own]
    below = {name: each for name, each in rules.items() if name != rule.record}
    inner = _SELECTOR.sub(lambda each: _replaced(each, below, names), _narrowed(rule.expr, further))
    if not _keeps_labels(rule, rules):
        for label, value in names.labels:
            inner = f'label_replace({inner}, {quoted(label)}, {quoted(value)}, "", "")'
    return f"({inner})[{found['range']}:{STEP}]" if found["range"] else f"({inner})"


def _narrowed(expr: str, matchers: Sequence[str]) -> str:
    """The expression over series that fit further matchers; its aggregations keep their labels."""
    if not matchers:
        return expr

    def narrow(found: "re.Match[str]") -> str:
        if not found["name"]:
            return found[0]
        period = f"[{found['range']}]" if found["range"] else ""
        return f"{found['name']}{{{', '.join([found['labels'], *matchers])}}}{period}"

    return _SELECTOR.sub(narrow, expr)


def _keeps_labels(rule: RecordingRule, rules: Mapping[str, RecordingRule]) -> bool:
    """Whether the expression's result says which model it is about; if not, the recording rule adds that."""
    aggregates = ", ".join(BASE_LABELS) in rule.expr
    reads = {found["name"] for found in _SELECTOR.finditer(rule.expr)}
    return aggregates or bool(reads & rules.keys())

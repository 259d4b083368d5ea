"""A Grafana dashboard of one environment, with the configuration's thresholds drawn in."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_config.alerting.promql import quoted
from mlops_config.alerting.recording import (
    AVAILABILITY,
    ERROR_RATIO,
    JOB_AGE,
    LATENCY,
    PERCENTILES,
    WINDOW,
    Names,
    has_endpoint,
)
from mlops_config.alerting.series import (
    CAPTURE_DROPPED,
    CHAMPION_VERSION,
    DRIFT_SHARE,
    FEATURE_DRIFT,
    FEATURE_DRIFTED,
    IN_FLIGHT,
    INTEGRITY_FAILED,
    JOB_FAILED,
    JOB_RUN,
    JOB_SECONDS,
    JOB_SUCCESS,
    PERFORMANCE,
    PREDICTION_DRIFT,
    QUALITY_VIOLATIONS,
    REQUESTS,
    RETRAIN_DECISION,
    ROWS_PREDICTED,
    ROWS_REFUSED,
    SERVING_INFO,
    SIGNAL_CONFIRMED,
    SIGNAL_VIOLATED,
    WINDOW_END,
    WINDOW_ROWS,
)
from mlops_config.contract.metrics import METRICS
from mlops_config.contract.rules.drift import comparisons, prediction_comparison

if TYPE_CHECKING:
    from mlops_config.contract.validation import EnvironmentConfigs

SCHEMA_VERSION = 36
"""Grafana 10's; newer versions migrate it when they load it. Source: Grafana, dashboard JSON model."""
ENVIRONMENT = "$environment"
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS = 24
_HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold that a panel draws."""

    value: float
    bad_above: bool = True


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: queries with their legends, and how they are shown."""

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    limits: tuple[Limit, ...] = ()
    width: int = 8
    mappings: tuple[tuple[str, str, str], ...] = ()
    """Value, text and colour."""


def dashboard(configs: "EnvironmentConfigs") -> dict[str, Any]:
    """The dashboard as Grafana imports it. Its environment can be changed; its thresholds stay this one's."""
    names = Names.of(configs.monitoring)
    about = configs.monitoring.metadata
    identity = "/".join((about.project, about.model_name, configs.environment))
    return {
        "uid": f"mlops-{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
        "title": f"{about.project} {about.model_name}: {configs.environment}",
        "description": (
            "What serves, how good its data and predictions are, and how its jobs run."
            f" Thresholds are those of {configs.environment}."
        ),
        "tags": ["mlops-config", about.project, about.model_name],
        "schemaVersion": SCHEMA_VERSION,
        "style": "dark",
        "timezone": "utc",
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-7d", "to": "now"},
        "refresh": "1m",
        "templating": {"list": _variables(names, configs.environment)},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_laid_out(_Panels(configs, names).rows())),
    }


class _Panels:
    def __init__(self, configs: "EnvironmentConfigs", names: Names) -> None:
        self.configs = configs
        self.monitoring = configs.monitoring
        labels = (*names.labels[:2], ("environment", ENVIRONMENT))
        self.names = Names(names.namespace, labels)

    def rows(self) -> Iterator[tuple[str, Sequence[Panel]]]:
        yield "Verdicts", self._verdicts()
        yield "Data and predictions", self._data()
        if has_endpoint(self.configs.inference):
            yield "Service", self._service()
        yield "Jobs and models", self._jobs()

    def _verdicts(self) -> Sequence[Panel]:
        verdict = (("0", "fine", "green"), ("1", "violated", "orange"))
        confirmed = (("0", "fine", "green"), ("1", "confirmed", "red"))
        labels = ", ".join(f"{name}={quoted(value)}" for name, value in self.names.labels)
        return (
            self._latest("Newest window", "Signals that it violates.", SIGNAL_VIOLATED.suffix, verdict),
            self._latest(
                "Violation policy", "Signals it counts as violated.", SIGNAL_CONFIRMED.suffix, confirmed
            ),
            Panel(
                "Alerts that fire",
                "By name and severity.",
                ((f'ALERTS{{{labels}, alertstate="firing"}}', ""),),
                kind="table",
            ),
        )

    def _latest(
        self, title: str, text: str, suffix: str, mappings: tuple[tuple[str, str, str], ...]
    ) -> Panel:
        query = f"max by (signal) ({self.names.raw(suffix)})"
        return Panel(title, text, ((query, "{{signal}}"),), kind="stat", mappings=mappings)

    def _data(self) -> Sequence[Panel]:
        drift = self.monitoring.drift
        found = list(comparisons(self.configs.training, self.monitoring))
        limits = {Limit(each.method.threshold, each.method.direction == "above"): None for each in found}
        raw = self.names.raw
        panels = [
            Panel(
                "Drift by feature",
                "By the method of the feature. Lines: thresholds in use.",
                ((f"max by (feature, method) ({raw(FEATURE_DRIFT.suffix)})", "{{feature}} {{method}}"),),
                limits=tuple(limits),
                width=12,
            ),
            Panel(
                "Features that drift",
                "1 where a feature drifts; of the features without a series of their own, how many.",
                ((f"max by (feature) ({raw(FEATURE_DRIFTED.suffix)}) > 0", "{{feature}}"),),
                width=12,
            ),
            Panel(
                "Share of features that drift",
                "Line: drift.drift_share_fraction.",
                ((f"max({raw(DRIFT_SHARE.suffix)})", "share"),),
                unit="percentunit",
                limits=(Limit(drift.drift_share_fraction),),
            ),
        ]
        prediction = prediction_comparison(self.configs.training, self.monitoring)
        if prediction is not None:
            limit = Limit(prediction.method.threshold, prediction.method.direction == "above")
            query = f"max by (method) ({raw(PREDICTION_DRIFT.suffix)})"
            text = "Line: its threshold."
            panels.append(Panel("Prediction drift", text, ((query, "{{method}}"),), limits=(limit,)))
        panels += [
            Panel(
                "Failed data checks",
                "Any is a violation.",
                ((f"max({raw(QUALITY_VIOLATIONS.suffix)})", "checks"),),
                limits=(Limit(1),),
            ),
            Panel(
                "Rows in the newest window",
                "Line: drift.min_samples; with fewer a window is not judged.",
                ((f"max({raw(WINDOW_ROWS.suffix)})", "rows"),),
                limits=(Limit(drift.min_samples, bad_above=False),),
            ),
            Panel(
                "Age of the newest window",
                "Since the end of the window judged last.",
                ((f"time() - max({raw(WINDOW_END.suffix)})", "age"),),
                unit="s",
            ),
        ]
        return (*panels, *self._performance())

    def _performance(self) -> Iterator[Panel]:
        thresholds = self.monitoring.performance.thresholds if self.monitoring.performance else {}
        for metric, given in thresholds.items():
            limits = (
                (Limit(given.threshold, bad_above=not METRICS[metric].greater_is_better),)
                if given.threshold is not None
                else ()
            )
            query = f"max({self.names.raw(PERFORMANCE.suffix, metric=metric)})"
            yield Panel(f"Performance: {metric}", "Against the truth.", ((query, metric),), limits=limits)

    def _service(self) -> Sequence[Panel]:
        level = self.configs.inference.service_level
        recorded, raw = self.names.recorded, self.names.raw

        def rate(suffix: str) -> str:
            return f"sum(rate({raw(suffix)}[{WINDOW}]))"

        return (
            Panel(
                "Latency",
                "Line: service_level.p95_latency_ms, which the 95th percentile keeps.",
                tuple((recorded(LATENCY.format(percentile=of)), f"p{of}") for of in PERCENTILES),
                unit="s",
                limits=(Limit(level.p95_latency_ms / 1000),),
            ),
            Panel(
                "Failed requests",
                "Share of the requests. Line: service_level.error_rate_max_fraction.",
                ((recorded(ERROR_RATIO), "failed"),),
                unit="percentunit",
                limits=(Limit(level.error_rate_max_fraction),),
            ),
            Panel(
                "Availability",
                "Share of the time a server is seen. Line: service_level.availability_percent.",
                ((recorded(AVAILABILITY), "answers"),),
                unit="percent",
                limits=(Limit(level.availability_percent, bad_above=False),),
            ),
            Panel(
                "Traffic",
                "Requests a second, by HTTP status.",
                ((f"sum by (code) (rate({raw(REQUESTS.suffix)}[{WINDOW}]))", "{{code}}"),),
                unit="reqps",
            ),
            Panel(
                "Rows",
                "Rows a second.",
                (
                    (rate(ROWS_PREDICTED.suffix), "predicted"),
                    (rate(ROWS_REFUSED.suffix), "refused"),
                    (rate(CAPTURE_DROPPED.suffix), "not captured"),
                ),
            ),
            Panel(
                "Requests being answered",
                "All servers together.",
                ((f"sum({raw(IN_FLIGHT.suffix)})", "requests"),),
            ),
            Panel(
                "What serves",
                "Model version and config digest of every server.",
                ((f"count by (model_version, config_digest) ({raw(SERVING_INFO.suffix)})", ""),),
                kind="table",
                width=_COLUMNS,
            ),
        )

    def _jobs(self) -> Sequence[Panel]:
        raw = self.names.raw

        def by_job(suffix: str) -> tuple[tuple[str, str], ...]:
            return ((f"max by (mlops_job) ({raw(suffix)})", "{{mlops_job}}"),)

        state = (("0", "fine", "green"), ("1", "failed", "red"))
        age = f"max by (mlops_job) ({self.names.recorded(JOB_AGE)})"
        ran = f"time() - max by (mlops_job) ({raw(JOB_RUN.suffix)})"
        succeeded = f"1000 * max by (mlops_job) ({raw(JOB_SUCCESS.suffix)})"
        return (
            Panel("Since the last success", "By job.", ((age, "{{mlops_job}}"),), unit="s"),
            Panel("Since the last run", "By job, however it ended.", ((ran, "{{mlops_job}}"),), unit="s"),
            Panel(
                "Last success",
                "By job.",
                ((succeeded, "{{mlops_job}}"),),
                kind="stat",
                unit="dateTimeFromNow",
            ),
            Panel("Last run", "By job.", by_job(JOB_FAILED.suffix), kind="stat", mappings=state),
            Panel(
                "Configuration refused",
                "Jobs that found files other than their digest says.",
                by_job(INTEGRITY_FAILED.suffix),
                kind="stat",
                mappings=state,
            ),
            Panel("Duration", "Of each job's last run.", by_job(JOB_SECONDS.suffix), unit="s"),
            Panel(
                "Retraining",
                "1 when the newest decision was to retrain.",
                ((f"max({raw(RETRAIN_DECISION.suffix)})", "started"),),
                width=12,
            ),
            Panel(
                "Champion",
                "Version of the model that serves.",
                ((f"max({raw(CHAMPION_VERSION.suffix)})", "version"),),
                width=12,
            ),
        )


def _variables(names: Names, environment: str) -> list[dict[str, Any]]:
    project, model = (quoted(value) for _, value in names.labels[:2])
    series = f"{names.namespace}_{JOB_RUN.suffix}{{project={project}, model={model}}}"
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0},
        {
            "name": "environment",
            "label": "Environment",
            "type": "query",
            "datasource": _DATASOURCE,
            "query": {"query": f"label_values({series}, environment)", "refId": "environment"},
            "current": {"selected": True, "text": environment, "value": environment},
            "refresh": 2,
            "multi": False,
            "includeAll": False,
            "hide": 0,
        },
    ]


def _laid_out(rows: Iterator[tuple[str, Sequence[Panel]]]) -> Iterator[dict[str, Any]]:
    """Panels from left to right, row by row."""
    number, top = 0, 0
    for title, panels in rows:
        number += 1
        place = {"h": 1, "w": _COLUMNS, "x": 0, "y": top}
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": place,
            "panels": [],
        }
        top, left = top + 1, 0
        for panel in panels:
            if left + panel.width > _COLUMNS:
                top, left = top + _HEIGHT, 0
            number += 1
            place = {"h": _HEIGHT, "w": panel.width, "x": left, "y": top}
            yield {"id": number, "gridPos": place, **_shown(panel)}
            left += panel.width
        top += _HEIGHT


def _shown(panel: Panel) -> dict[str, Any]:
    table = panel.kind == "table"
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": _DATASOURCE,
            "expr": query,
            "legendFormat": legend,
            **({"format": "table", "instant": True} if table else {"range": True}),
        }
        for index, (query, legend) in enumerate(panel.queries)
    ]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": _thresholds(panel.limits)}
    if panel.mappings:
        options = {value: {"text": text, "color": color} for value, text, color in panel.mappings}
        defaults["mappings"] = [{"type": "value", "options": options}]
    if panel.limits:
        defaults["custom"] = {"thresholdsStyle": {"mode": "dashed"}}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
    }


def _thresholds(limits: Sequence[Limit]) -> dict[str, Any]:
    """Steps from the lowest up, the first without a value; the colour above each is that of what it means."""
    ordered = sorted(limits, key=lambda limit: limit.value)
    lowest = "green" if not ordered or ordered[0].bad_above else "red"
    steps: list[dict[str, Any]] = [{"value": None, "color": lowest}]
    steps += [{"value": each.value, "color": "red" if each.bad_above else "green"} for each in ordered]
    return {"mode": "absolute", "steps": steps}

"""Recording rules: what the series of server and jobs come to, in the units the configuration has."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mlops_config.alerting.promql import BY, selector
from mlops_config.alerting.series import (
    BASE_LABELS,
    JOB_SUCCESS,
    REQUEST_SECONDS,
    REQUESTS,
    SERVING_INFO,
)

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import InferenceConfig, MonitoringConfig

WINDOW = "5m"
"""Service levels are judged over it. Two scrapes at least must fall into it: scrape each minute at least."""

REQUEST_RATE = "requests:rate5m"
ERROR_RATIO = "request_errors:ratio_rate5m"
LATENCY = "request_duration_seconds:p{percentile}_5m"
LATENCY_P95 = LATENCY.format(percentile=95)
PERCENTILES = (50, 95, 99)
SERVER_UP = "server:up"
AVAILABILITY = "availability:percent_5m"
JOB_AGE = "job_success:age_seconds"


class RecordingRule(NamedTuple):
    """One rule: the name of what it records, and the expression."""

    record: str
    expr: str


@dataclass(frozen=True, slots=True)
class Names:
    """Names and selectors of one model's series in one environment."""

    namespace: str
    labels: tuple[tuple[str, str], ...]
    """Project, model and environment."""

    @classmethod
    def of(cls, monitoring: "MonitoringConfig") -> "Names":
        """Those of a monitoring file."""
        about = monitoring.metadata
        values = (about.project, about.model_name, about.environment)
        return cls(monitoring.metrics.namespace, tuple(zip(BASE_LABELS, values, strict=True)))

    def raw(self, suffix: str, **labels: str) -> str:
        """Selects a series that jobs or servers expose."""
        return selector(f"{self.namespace}_{suffix}", {**dict(self.labels), **labels})

    def recorded(self, suffix: str, **labels: str) -> str:
        """Selects a series that a recording rule makes."""
        return selector(f"{self.namespace}:{suffix}", {**dict(self.labels), **labels})

    def name(self, suffix: str) -> str:
        """What a recording rule records."""
        return f"{self.namespace}:{suffix}"


def recording_rules(names: Names, inference: "InferenceConfig") -> tuple[RecordingRule, ...]:
    """The rules, each after those it reads. Those of the server only where an endpoint is configured."""
    service = _service_rules(names) if has_endpoint(inference) else ()
    success = names.raw(JOB_SUCCESS.suffix)
    age = f"time() - max by ({', '.join(BASE_LABELS)}, mlops_job) ({success})"
    return (*service, RecordingRule(names.name(JOB_AGE), age))


def has_endpoint(inference: "InferenceConfig") -> bool:
    """Whether predictions are served on request."""
    return inference.mode != "batch"


def _service_rules(names: Names) -> tuple[RecordingRule, ...]:
    requests = names.raw(REQUESTS.suffix)
    failed = selector(f"{names.namespace}_{REQUESTS.suffix}", dict(names.labels), code="5..")
    rate = names.recorded(REQUEST_RATE)
    buckets = names.raw(f"{REQUEST_SECONDS.suffix}_bucket")
    count = names.raw(f"{REQUEST_SECONDS.suffix}_count")
    return (
        RecordingRule(names.name(REQUEST_RATE), f"sum {BY} (rate({requests}[{WINDOW}]))"),
        # Nothing was asked: no ratio, rather than 0/0. Nothing ever failed: no series with 5xx; it is 0.
        RecordingRule(
            names.name(ERROR_RATIO),
            f"(sum {BY} (rate({failed}[{WINDOW}])) or 0 * {rate})\n/ ({rate} > 0)",
        ),
        *(
            RecordingRule(
                names.name(LATENCY.format(percentile=percentile)),
                f"histogram_quantile({percentile / 100}, sum by (le, {', '.join(BASE_LABELS)})"
                f" (rate({buckets}[{WINDOW}])))\nand (sum {BY} (rate({count}[{WINDOW}])) > 0)",
            )
            for percentile in PERCENTILES
        ),
        # A server that is gone exposes nothing: its silence has to be made a number.
        RecordingRule(
            names.name(SERVER_UP), f"clamp_max(count({names.raw(SERVING_INFO.suffix)}), 1) or vector(0)"
        ),
        RecordingRule(
            names.name(AVAILABILITY), f"100 * avg_over_time({names.recorded(SERVER_UP)}[{WINDOW}])"
        ),
    )

"""The labels that say which model a series is about: on every series, and so in every rule."""

from typing import TYPE_CHECKING

from mlops_config.alerting.series import ALL, BASE_LABELS
from mlops_config.errors import UsageError

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import MonitoringConfig

TARGET_LABELS = ("job", "instance")
"""Set by Prometheus on what it scrapes. Source: Prometheus, Jobs and instances."""
RULE_LABELS = ("alertname", "severity", "signal", "le", "quantile")
"""Set by rules, by Prometheus on an alert, and on histograms."""

OWN_LABELS = frozenset(
    {*BASE_LABELS, *TARGET_LABELS, *RULE_LABELS, *(label for series in ALL for label in series.labels)}
)


def identity_labels(monitoring: "MonitoringConfig") -> dict[str, str]:
    """The labels of every series: project, model and environment, then ``metrics.labels`` by name.

    Raises:
        UsageError: one of ``metrics.labels`` is a label that we or Prometheus set.
    """
    given = monitoring.metrics.labels
    if taken := sorted(OWN_LABELS.intersection(given)):
        raise UsageError(
            f"metrics.labels of the {monitoring.metadata.environment} monitoring file sets"
            f" {', '.join(taken)}, which the series have already",
            hint=f"call it something else, such as team_{taken[0]}",
        )
    about = monitoring.metadata
    own = (about.project, about.model_name, about.environment)
    return {**dict(zip(BASE_LABELS, own, strict=True)), **{name: given[name] for name in sorted(given)}}

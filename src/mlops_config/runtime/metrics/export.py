"""Exports a job's series by the way the monitoring file names: a text file, or a push gateway."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlops_config.alerting.labels import identity_labels
from mlops_config.alerting.series import BASE_LABELS
from mlops_config.errors import UsageError
from mlops_config.pipeline import OUTPUT_NAME
from mlops_config.runtime.metrics.exposition import Sample as Sample
from mlops_config.runtime.metrics.exposition import text_of
from mlops_config.runtime.metrics.pushgateway import RETRIES, push
from mlops_config.runtime.metrics.textfile import path_of, write_text

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import MonitoringConfig
    from mlops_config.retrying import Retries

DIRECTORY_VARIABLE = "MLOPS_METRICS_DIR"
PUSHGATEWAY_VARIABLE = "MLOPS_PUSHGATEWAY_URL"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where series go on this machine; which of the two is used, the monitoring file says."""

    directory: Path
    pushgateway_url: str | None = None


def destination(root: Path) -> Destination:
    """As ``MLOPS_METRICS_DIR`` (default ``.mlops-config/metrics``) and ``MLOPS_PUSHGATEWAY_URL`` say."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    return Destination(
        Path(directory) if directory else root / OUTPUT_NAME / "metrics",
        os.environ.get(PUSHGATEWAY_VARIABLE) or None,
    )


def export(
    samples: Sequence[Sample],
    monitoring: "MonitoringConfig",
    *,
    directory: Path,
    pushgateway_url: str | None,
    job: str,
    replace: Literal["group", "families"] = "group",
    retries: "Retries" = RETRIES,
) -> None:
    """Makes ``samples`` the job's series, by ``metrics.transport`` of the monitoring file.

    ``textfile`` and ``scrape`` write ``<project>_<model>_<environment>_<job>.prom`` into ``directory``, for
    node_exporter or for the model server's ``/metrics``. ``pushgateway`` pushes to ``pushgateway_url`` under
    the grouping key job, project, model, environment. What the job exported before and does not now is gone,
    unless ``replace`` is ``families``: then only families of the same names are replaced. Other jobs' series
    stay.

    Whether a failed export fails the job is for the caller to say: this raises.

    Raises:
        ServiceError: the disk is full, or the push gateway stayed away after bounded retries or refused.
        UsageError: no push gateway is named, or a label of ``metrics.labels`` is one of our own.
    """
    text = text_of(samples, monitoring)
    if monitoring.metrics.transport != "pushgateway":
        write_text(path_of(directory, monitoring, job), text, replace=replace)
        return
    if pushgateway_url is None:
        raise UsageError(
            "metrics.transport is pushgateway, but no push gateway is named",
            hint=f"set {PUSHGATEWAY_VARIABLE}, such as http://pushgateway:9091",
        )
    labels = identity_labels(monitoring)
    grouping = {"job": job, **{name: labels[name] for name in BASE_LABELS}}
    push(pushgateway_url, text, grouping, replace=replace, retries=retries)

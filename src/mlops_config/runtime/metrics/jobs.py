"""Tells Prometheus how each job ended: the series that alerts on silence, failure and integrity read."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.alerting.series import (
    INTEGRITY_FAILED,
    JOB_FAILED,
    JOB_RUN,
    JOB_SECONDS,
    JOB_SUCCESS,
)
from mlops_config.console import Console
from mlops_config.errors import IntegrityError, MlopsConfigError
from mlops_config.retrying import Retries
from mlops_config.runtime.metrics.export import Destination, Sample, destination, export
from mlops_config.runtime.metrics.pushgateway import RETRIES
from mlops_config.settings import load_settings

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import MonitoringConfig
    from mlops_config.runtime.context import JobContext
    from mlops_config.runtime.opening import Request

LABEL = "mlops_job"
log = logging.getLogger(__name__)


@contextmanager
def job_metrics(
    context: "JobContext",
    job: str,
    *,
    required: bool = False,
    clock: Callable[[], float] = time.time,
) -> Iterator[None]:
    """The block is the job's run: when it ends, however it ends, its series say when, how long and how.

    The time of the last success stays when a run fails. A failed export is shown and does not fail the job,
    unless ``required``; a job that failed itself keeps its own error either way.

    Raises:
        ServiceError: ``required``, the job succeeded, and its series could not be exported.
    """
    monitoring, where = context.configs.monitoring, destination(context.root)
    started = clock()
    try:
        yield
    except BaseException as error:
        samples = _ended(job, started, clock(), failed=True, integrity=isinstance(error, IntegrityError))
        # Who interrupts a job ends it soon: no time to wait for a push gateway that is away.
        retries = RETRIES if isinstance(error, Exception) else Retries(tries=1)
        try:
            _export(samples, monitoring, where, job, retries)
        except MlopsConfigError as failure:
            context.console.say(_not_exported(job, failure))
        raise
    samples = _ended(job, started, clock(), failed=False, integrity=False)
    try:
        _export(samples, monitoring, where, job, RETRIES)
    except MlopsConfigError as failure:
        if required:
            raise
        context.console.say(_not_exported(job, failure))


def report_integrity_failure(
    job: str, request: "Request", console: Console | None = None, *, clock: Callable[[], float] = time.time
) -> None:
    """Exports that a job refused its configuration, so that the alert on integrity fires.

    The files are not proven, so nothing is taken from them but how the series are called and by which way
    they go; the push gateway's address is never theirs. Where even that cannot be read nothing is exported,
    and the alert on the job's silence fires instead.
    """
    tell = console.say if console is not None else log.warning
    monitoring = _unproven_monitoring(request)
    if monitoring is None:
        tell(f"that {job} refused its configuration was not exported: no monitoring file can be read")
        return
    now = clock()
    try:
        samples = _ended(job, now, now, failed=True, integrity=True)
        _export(samples, monitoring, destination(request.root), job, RETRIES)
    except MlopsConfigError as failure:
        tell(_not_exported(job, failure))


def run_group(job: str) -> str:
    """What the group of a job's own ending is called, apart from the group of what the job found out."""
    return f"{job}-run"


def _ended(job: str, started: float, ended: float, *, failed: bool, integrity: bool) -> list[Sample]:
    values = {
        JOB_RUN: ended,
        JOB_SECONDS: max(0.0, ended - started),
        JOB_FAILED: float(failed),
        INTEGRITY_FAILED: float(integrity),
    }
    if not failed:
        values[JOB_SUCCESS] = ended
    return [Sample(series, value, {LABEL: job}) for series, value in values.items()]


def _export(
    samples: list[Sample], monitoring: "MonitoringConfig", where: Destination, job: str, retries: Retries
) -> None:
    export(
        samples,
        monitoring,
        directory=where.directory,
        pushgateway_url=where.pushgateway_url,
        job=run_group(job),
        replace="families",
        retries=retries,
    )


def _not_exported(job: str, failure: MlopsConfigError) -> str:
    return f"the metrics of {job} were not exported: {failure.message}"


def _unproven_monitoring(request: "Request") -> "MonitoringConfig | None":
    """The monitoring file the job was pointed at, if it is valid by itself."""
    from pydantic import ValidationError

    from mlops_config.contract.models.by_kind import MonitoringConfig
    from mlops_config.contract.reading.yaml_reader import read_document

    folder = _folder_of(request)
    for path in sorted(folder.glob("*monitoring_config.yaml")) if folder else ():
        try:
            document = read_document(path.read_bytes(), path.name)
            return MonitoringConfig.model_validate(document.data)
        except (OSError, ValidationError):
            continue
    return None


def _folder_of(request: "Request") -> Path | None:
    from mlops_config.runtime.integrity import ENVIRONMENT_VARIABLE

    if request.config is not None:
        return request.config.parent
    if baked := os.environ.get("MLOPS_CONFIG_DIR"):
        return Path(baked)
    environment = request.environment or os.environ.get(ENVIRONMENT_VARIABLE)
    if environment is None:
        return None
    try:
        return request.root / load_settings(request.root, request.settings).config_dir / environment
    except MlopsConfigError:
        return None

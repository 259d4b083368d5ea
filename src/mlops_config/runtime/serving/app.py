"""Puts the model server together from a package and the configuration it is served with."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_config.alerting.labels import identity_labels
from mlops_config.contract.models.by_kind import InferenceConfig, MonitoringConfig
from mlops_config.contract.models.tables import TableSchema
from mlops_config.deploy.local.processes import LAUNCH_VARIABLE
from mlops_config.errors import IntegrityError
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.serving.asgi import App
from mlops_config.runtime.serving.capture import Capture, WriteTable
from mlops_config.runtime.serving.description import Serving
from mlops_config.runtime.serving.limits import Limits
from mlops_config.runtime.serving.predictor import Predictor
from mlops_config.runtime.serving.requests import Row
from mlops_config.runtime.serving.telemetry import Telemetry


def create_app(
    package: ModelPackage,
    *,
    inference: InferenceConfig,
    monitoring: MonitoringConfig,
    model_version: int,
    config_digest: str,
    job_id: str,
    commit: str | None = None,
    url: str = "http://127.0.0.1:8080",
    limits: Limits | None = None,
    write: WriteTable | None = None,
    jobs: Path | None = None,
) -> App:
    """The ASGI application that serves ``package``.

    Args:
        package: The model and its columns.
        inference: Names the columns recorded, the capture and the service level.
        monitoring: Namespace and labels of the metrics.
        model_version: Of the package in the model registry.
        config_digest: ``sha256:<64 hex>`` of the configuration that serves.
        job_id: 16 hex digits; prediction ids begin with it.
        commit: Of the configuration that serves.
        url: Where the server is reached, for the example on its page.
        limits: What one caller may ask for.
        write: Writes captured rows; without it nothing is captured.
        jobs: The folder with the jobs' text files; shown where ``metrics.transport`` is ``scrape``.

    Raises:
        IntegrityError: the model cannot predict its own example.
        UsageError: a label of ``metrics.labels`` is one of our own.
    """
    limits = limits or Limits()
    example = _example(package)
    serving = _serving(package, inference, model_version, config_digest, job_id, commit)
    telemetry = Telemetry(
        monitoring.metrics.namespace,
        identity_labels(monitoring),
        latencies_ms=_latencies_ms(inference, monitoring),
        model_version=model_version,
        config_digest=config_digest,
        jobs=jobs if monitoring.metrics.transport == "scrape" else None,
    )
    try:
        return App(
            serving,
            Predictor(package),
            telemetry,
            limits=limits,
            example=example,
            url=url,
            open_capture=_capture(serving, inference, write),
            predict_route=os.environ.get("AIP_PREDICT_ROUTE") or "/predict",
            health_route=os.environ.get("AIP_HEALTH_ROUTE") or "/readyz",
            smoke_token=os.environ.get(LAUNCH_VARIABLE),
        )
    except Exception as error:
        raise IntegrityError(
            f"the model cannot predict its own example: {error}",
            hint="the package was damaged, or made by libraries that are not the ones installed here",
        ) from error


def _latencies_ms(inference: InferenceConfig, monitoring: MonitoringConfig) -> list[float]:
    """The latencies that are watched for: the objective, and what alerts have of their own."""
    own = [each.threshold or 0.0 for each in monitoring.alerts if each.signal == "latency"]
    return [inference.service_level.p95_latency_ms, *(each for each in own if each > 0)]


def _serving(
    package: ModelPackage,
    inference: InferenceConfig,
    model_version: int,
    config_digest: str,
    job_id: str,
    commit: str | None,
) -> Serving:
    return Serving(
        project=inference.metadata.project,
        model_name=inference.metadata.model_name,
        environment=inference.metadata.environment,
        model_version=model_version,
        config_digest=config_digest,
        job_id=job_id,
        schema=package.schema,
        example={name: _as_json(value) for name, value in _example(package).items()},
        commit=commit,
        trained_commit=package.tags.get("mlops.commit"),
        trained_digest=package.tags.get("mlops.config_digest"),
    )


def _example(package: ModelPackage) -> Row:
    """The features of the example's first row."""
    names = [feature.name for feature in package.schema.features]
    missing = [name for name in names if not package.example.get(name)]
    if missing:
        raise IntegrityError(f"the package's example has no value for {', '.join(missing)}")
    return {name: _python_value(package.example[name][0]) for name in names}


def _python_value(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _capture(
    serving: Serving, inference: InferenceConfig, write: WriteTable | None
) -> Callable[[Telemetry], Capture] | None:
    kept = inference.data_capture
    if kept is None or not kept.enabled or write is None:
        return None
    schema: TableSchema = serving.schema
    return lambda telemetry: Capture(
        schema,
        destination=kept.destination_uri,
        sampling_percent=kept.sampling_percent,
        include_output=kept.include_output,
        extra_columns=inference.record.extra_columns,
        model_version=serving.model_version,
        config_digest=serving.config_digest,
        job_id=serving.job_id,
        write=write,
        on_dropped=telemetry.dropped.inc,
    )

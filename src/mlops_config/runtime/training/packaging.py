"""What is kept of a training: the package that is served, and the run that says how it came to be."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.training import TrainingConfig
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.dataset import Dataset
from mlops_config.runtime.model.gates import GateResult
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.profile.making import reference_profile
from mlops_config.runtime.profile.profile import Profile
from mlops_config.runtime.tracking.interface import Run
from mlops_config.runtime.training.fitting import Evaluation, Fitted, predict

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_ROWS = 5
FINGERPRINT_TAG = "mlops.data_fingerprint"
JOB_TAG = "mlops.job_id"
"""On the run, and on the version that it made."""
_PLAIN = (str, int, float, bool)
_MOST_FILES = 1000
"""Data files named in a run's documents; a data set of more is told by its fingerprint."""


def package_of(
    context: JobContext,
    training: TrainingConfig,
    fitted: Fitted,
    learned: "pd.DataFrame",
    held_out: "pd.DataFrame",
    *,
    fingerprint: str,
) -> ModelPackage:
    """The model with its columns, reference profile and origin.

    Args:
        context: Of the job that trained it.
        training: As the model was trained, overrides in place.
        fitted: The model.
        learned: The checked rows it learned from: the reference of the features.
        held_out: Checked rows it did not learn from: the reference of its predictions, which on the rows it
            has learned by heart would look surer than they will ever be again.
        fingerprint: Of the data.
    """
    schema = training.schema_
    return ModelPackage(
        pipeline=fitted.pipeline,
        schema=schema,
        profile=_profile(training, fitted, learned, held_out),
        tags=tags_of(context, training, fingerprint),
        example={
            feature.name: [_plain(value) for value in held_out[feature.name].head(EXAMPLE_ROWS)]
            for feature in schema.features
        },
    )


def tags_of(context: JobContext, training: TrainingConfig, fingerprint: str) -> dict[str, str]:
    """Tags of the package: the file's own, ours over them, and which data it was.

    None of them is of this run alone, so that the same training again makes the same package, which the
    registry then knows already.
    """
    version = training.data.source.version
    ours = {**context.tags(), FINGERPRINT_TAG: fingerprint}
    return {**training.tracking.tags, **ours, **({"mlops.data_version": version} if version else {})}


def run_of(
    context: JobContext,
    training: TrainingConfig,
    fitted: Fitted,
    metrics: Mapping[str, float],
    documents: Mapping[str, bytes],
    *,
    fingerprint: str,
) -> Run:
    """The run to record. Metrics that are not defined on the rows (NaN) are left out."""
    names = (context.bundle.project, context.bundle.model_name, context.environment)
    rule = training.split
    parameters: dict[str, str | int | float | bool | None] = {
        "estimator": training.estimator.name,
        "random_seed": training.random_seed,
        "split.strategy": rule.strategy,
        "split.test_fraction": rule.test_fraction,
        "split.validation_fraction": rule.validation_fraction,
        "rows_learned": fitted.rows,
        "trials": len(fitted.trials),
    }
    parameters |= {
        f"hyperparameters.{name}": value if value is None or isinstance(value, _PLAIN) else json.dumps(value)
        for name, value in fitted.hyperparameters.items()
    }
    return Run(
        experiment=training.tracking.experiment_name or "/".join(names),
        name=f"{context.bundle.model_name}-{context.job_id}",
        parameters=parameters,
        metrics={name: value for name, value in metrics.items() if value == value},
        tags={**tags_of(context, training, fingerprint), JOB_TAG: context.job_id},
        documents={**configuration_documents(context), **documents},
    )


def configuration_documents(context: JobContext) -> dict[str, bytes]:
    """The four files, byte for byte, below ``configuration/``."""
    return {f"configuration/{name}": data for name, data in context.bundle.contents().items()}


def data_document(
    dataset: Dataset, *, read: int, used: int, refused: Mapping[str, int], extra: Sequence[str]
) -> bytes:
    """Which data it was: files, fingerprint, and what became of the rows."""
    files = [
        {"name": each.name, "size": each.size, "stamp": stamp}
        for each, stamp in zip(dataset.files[:_MOST_FILES], dataset.stamps, strict=False)
    ]
    return _json(
        {
            "uri": dataset.uri,
            "format": dataset.format,
            "fingerprint": dataset.fingerprint,
            "files": files,
            "files_in_all": len(dataset.files),
            "rows_read": read,
            "rows_used": used,
            "rows_refused_by_reason": dict(refused),
            "columns_unknown": list(extra),
        }
    )


def evaluation_document(
    evaluation: Evaluation, gates: Sequence[GateResult], fitted: Fitted, champion: Evaluation | None = None
) -> bytes:
    """How the model did, on what, against which thresholds; and the trials that led to it."""
    return _json(
        {
            "rows": evaluation.rows,
            "metrics": _numbers(evaluation.metrics),
            "champion_metrics": _numbers(champion.metrics) if champion else None,
            "slices": [
                {
                    "column": part.column,
                    "value": part.value,
                    "rows": part.rows,
                    "metrics": _numbers(part.metrics),
                }
                for part in evaluation.slices
            ],
            "gates": [{"code": each.code, "passed": each.passed, "text": each.text} for each in gates],
            "trials": [trial.document() for trial in fitted.trials],
        }
    )


def _profile(
    training: TrainingConfig, fitted: Fitted, learned: "pd.DataFrame", held_out: "pd.DataFrame"
) -> Profile:
    names = [feature.name for feature in training.schema_.features]
    features = reference_profile(learned[names], training)
    predictions = predict(fitted.pipeline, held_out, training).values
    predicted = reference_profile(held_out[names], training, predictions=predictions)
    column = predicted.column(training.schema_.target.name)
    return Profile(rows=features.rows, columns=(*features.columns, *([column] if column else [])))


def _plain(value: Any) -> Any:
    """The value as JSON has it; moments in ISO 8601, no value as None."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or value != value or repr(value) == "<NA>":
        return None
    return value.isoformat() if isinstance(value, datetime) else value


def _numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if abs(value) < float("inf") else None for name, value in values.items()}


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"

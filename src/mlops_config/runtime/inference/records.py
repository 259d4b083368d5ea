"""What is written of every prediction, online and in batches: one table with one set of columns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.inference import RECORD_COLUMNS
from mlops_config.contract.models.tables import TableSchema, Target

if TYPE_CHECKING:
    import pyarrow as pa


def recorded_columns(schema: TableSchema, extra_columns: Sequence[str]) -> tuple[str, ...]:
    """The columns of a request that are written: the features, then those of ``record.extra_columns``."""
    features = [feature.name for feature in schema.features]
    return (*features, *(name for name in extra_columns if name not in features))


def record_table(
    schema: TableSchema,
    *,
    extra_columns: Sequence[str],
    prediction_ids: Sequence[str],
    event_times: datetime | Sequence[datetime],
    model_version: int,
    config_digest: str,
    values: Mapping[str, Any],
    predictions: Sequence[Any] | None,
) -> "pa.Table":
    """The rows as an Arrow table: RECORD_COLUMNS, features, extra columns, and the prediction as the target.

    Args:
        schema: The package's columns.
        extra_columns: ``record.extra_columns``.
        prediction_ids: One a row.
        event_times: One for all rows, or one a row; UTC.
        model_version: Of the model that predicted.
        config_digest: Of the configuration it served with.
        values: Lists, arrays or series by column; a column that is not there is null.
        predictions: One a row; ``None`` leaves the target's column out.

    Raises:
        pyarrow.ArrowInvalid: a value is not of its column's type.
    """
    import pyarrow as pa

    count = len(prediction_ids)
    moment = pa.timestamp("us", tz="UTC")
    times = [event_times] * count if isinstance(event_times, datetime) else event_times
    always = (
        pa.array(prediction_ids, pa.string()),
        pa.array(times, moment),
        pa.array([model_version] * count, pa.int64()),
        pa.array([config_digest] * count, pa.string()),
    )
    arrays: dict[str, Any] = dict(zip(RECORD_COLUMNS, always, strict=True))
    types = {each.name: _arrow_type(each.type) for each in (*schema.features, *schema.identifiers)}
    for name in recorded_columns(schema, extra_columns):
        column_type = types.get(name, pa.string())
        given = values.get(name)
        arrays[name] = (
            pa.nulls(count, column_type) if given is None else pa.array(given, column_type, from_pandas=True)
        )
    if predictions is not None:
        arrays[schema.target.name] = pa.array(predictions, _target_type(schema.target))
    return pa.table(arrays)


def _arrow_type(kind: str) -> "pa.DataType":
    import pyarrow as pa

    types = {
        "integral": pa.int64(),
        "fractional": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return types.get(kind, pa.string())


def _target_type(target: Target) -> "pa.DataType | None":
    """The type of the predictions; ``None`` where only they can tell."""
    import pyarrow as pa

    if target.problem_type == "regression":
        return pa.float64()
    known = target.positive_class if target.problem_type == "binary_classification" else None
    if target.problem_type == "multiclass_classification" and target.classes:
        known = target.classes[0]
    if isinstance(known, bool):
        return pa.bool_()
    if isinstance(known, int):
        return pa.int64()
    return pa.string() if isinstance(known, str) else None

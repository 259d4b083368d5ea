"""Predicts one unit of a batch: rows judged, predicted, and written with where the predictions came from."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlops_config.runtime.data.checking import REASON_COLUMN, check
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.data.writing import write_table
from mlops_config.runtime.inference.notes import read_note, write_note
from mlops_config.runtime.inference.records import record_table
from mlops_config.runtime.inference.units import Unit
from mlops_config.runtime.model.package import ModelPackage

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

NO_PREDICTION = "no_prediction"
"""Reason of a row for which the model gave NaN or infinity."""
NUMBER_COLUMN = "_number"
"""Of quarantined rows: their place in the input, as in prediction ids."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is the same for every unit of a batch. Can be sent to another machine."""

    job_id: str
    folder: str
    """URI of the run's folder, ``<output_uri>/run=<job_id>``."""
    format: Literal["parquet", "csv", "jsonl"]
    root: Path
    event_time: datetime
    model_version: int
    config_digest: str
    extra_columns: tuple[str, ...]
    on_invalid_row: Literal["fail", "quarantine"]


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of one unit."""

    name: str
    rows: int
    predicted: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Refused rows by reason; a row may have two."""
    extra: tuple[str, ...] = ()
    """Columns of the input that are not the model's."""

    @property
    def refused(self) -> int:
        """Rows without a prediction."""
        return self.rows - self.predicted

    def document(self) -> dict[str, Any]:
        """For the note that says the unit is done."""
        return {
            "name": self.name,
            "rows": self.rows,
            "predicted": self.predicted,
            "reasons": dict(sorted(self.reasons.items())),
            "extra_columns": list(self.extra),
        }


def score(unit: Unit, batch: Batch, package: ModelPackage) -> Scored:
    """Predicts and writes the unit, unless that is done; a unit that was cut short is written again, alike.

    Raises:
        DataError: the input is broken, lacks a column, or has a bad row where ``on_invalid_row`` is ``fail``.
        ServiceError: the input or the output stays away, or the disk is full.
    """
    note = f"{batch.folder}/_done/{unit.name}.json"
    done = read_note(note, batch.root)
    if done is not None:
        return Scored(
            done["name"], done["rows"], done["predicted"], done["reasons"], tuple(done["extra_columns"])
        )
    scored, table, refused = _predicted(unit, batch, package)
    if batch.on_invalid_row == "fail" and scored.refused:
        raise DataError(
            f"{unit.part.files[0].path} has {scored.refused} of {scored.rows} rows that cannot be predicted:"
            f" {_told(scored.reasons)}",
            hint="correct the rows, or set batch.on_invalid_row to quarantine",
        )
    if table is not None:
        write_table(table, f"{batch.folder}/{unit.name}.{batch.format}", batch.format, batch.root)
    if refused is not None:
        write_table(
            refused, f"{batch.folder}/quarantine/{unit.name}.{batch.format}", batch.format, batch.root
        )
    write_note(note, scored.document(), batch.root)
    return scored


def _predicted(
    unit: Unit, batch: Batch, package: ModelPackage
) -> "tuple[Scored, pa.Table | None, pa.Table | None]":
    """What came of the unit, the table of its predictions and that of its refused rows."""
    import numpy as np

    frame = unit.frame()
    checked = check(frame, package.schema, with_target=False)
    reasons = Counter(checked.counts)
    rows = checked.rows
    refused: list[tuple[pd.DataFrame, str | None]] = [(checked.refused, None)]
    predictions = _predict(rows, package)
    if predictions.dtype.kind == "f" and not np.isfinite(predictions).all():
        lacking = ~np.isfinite(predictions)
        reason = f"{NO_PREDICTION}:{package.schema.target.name}"
        reasons[reason] += int(lacking.sum())
        refused.append((frame.loc[rows.index[lacking]], reason))
        rows, predictions = rows.loc[~lacking], predictions[~lacking]
    scored = Scored(unit.name, len(frame), len(rows), dict(reasons), checked.extra)
    numbers = rows.index.to_numpy() + unit.first_number
    table = record_table(
        package.schema,
        extra_columns=batch.extra_columns,
        prediction_ids=[f"{batch.job_id}-{number}" for number in numbers.tolist()],
        event_times=batch.event_time,
        model_version=batch.model_version,
        config_digest=batch.config_digest,
        values={name: rows[name] for name in rows.columns},
        predictions=predictions.tolist(),
    )
    return scored, table if len(rows) else None, _quarantine(refused, unit) if scored.refused else None


def _predict(rows: "pd.DataFrame", package: ModelPackage) -> "np.ndarray[Any, Any]":
    import numpy as np

    names = [feature.name for feature in package.schema.features]
    if rows.empty:
        return np.empty(0)
    with np.errstate(all="ignore"):  # what comes of an overflow is set aside
        return np.asarray(package.pipeline.predict(rows[names]))


def _quarantine(refused: "list[tuple[pd.DataFrame, str | None]]", unit: Unit) -> "pa.Table":
    """Refused rows as they came, with their reasons and their numbers, in the order of the input."""
    import pandas as pd
    import pyarrow as pa

    frames = [
        rows if reason is None else rows.assign(**{REASON_COLUMN: reason})
        for rows, reason in refused
        if len(rows)
    ]
    together = pd.concat(frames).sort_index()
    arrays = {name: _as_it_came(together[name]) for name in together.columns}
    arrays[NUMBER_COLUMN] = pa.array(together.index.to_numpy() + unit.first_number)
    return pa.table(arrays)


def _as_it_came(values: "pd.Series[Any]") -> "pa.Array":
    """The column in its own type; as text where its values are of several."""
    import pyarrow as pa

    try:
        array = pa.array(values, from_pandas=True)
        return array.cast(pa.string()) if pa.types.is_null(array.type) else array
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _told(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))

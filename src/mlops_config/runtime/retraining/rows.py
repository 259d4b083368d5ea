"""The rows of a retraining: the window that the retrain file names, its newest share held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_config.contract.models.retrain import DataWindow
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.errors import UsageError
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.checking import check, known_columns
from mlops_config.runtime.data.dataset import Dataset
from mlops_config.runtime.monitoring.report import MonitoringReport

if TYPE_CHECKING:
    import pandas as pd

LEAST_ROWS = 30
"""Fewer rows in the holdout compare nothing."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the retraining reads, apart: learned from, watched while tuning, judged on."""

    train: "pd.DataFrame"
    validation: "pd.DataFrame"
    holdout: "pd.DataFrame"
    refused: Mapping[str, int]
    """Rows that break the schema, by reason."""
    newest: datetime | None
    """Of all rows, by the timestamp column; UTC."""

    total: int
    """Rows of the data set, refused ones among them."""

    @property
    def learned(self) -> "pd.DataFrame":
        """The rows the challenger learns from."""
        import pandas as pd

        return pd.concat([self.train, self.validation])


def rows_of(
    context: JobContext,
    dataset: Dataset,
    training: TrainingConfig,
    reports: Sequence[MonitoringReport],
    since: datetime | None,
) -> Rows:
    """The rows of ``data.window``, the newest share of them held out; ``since`` is the newest
    row of the last training.

    Raises:
        DataError: the data lacks columns, or no row of it fits the schema.
        UsageError: too few rows are left to learn from or to judge on.
    """
    settings = context.configs.retrain.data
    known = set(known_columns(training.schema_))
    read = dataset.frame([name for name in dataset.columns if name in known])
    checked = check(read, training.schema_, with_target=True)
    frame, column = checked.rows, training.data.timestamp_column
    newest: datetime | None = None
    if column is not None:
        frame = frame.sort_values(column, kind="stable", ignore_index=True)
        newest = frame[column].iloc[-1].to_pydatetime() if len(frame) else None
        frame = _in_window(frame, column, settings.window, newest, since)
        if not settings.include_drifted:
            frame = _without_drifted(frame, column, reports)
    elif settings.window.type != "expanding":
        raise UsageError(
            f"data.window {settings.window.type} needs data.timestamp_column in the training file",
            hint="name the column that dates a row, or write window: {type: expanding}",
        )
    held = round(len(frame) * settings.holdout.fraction)
    watched = round((len(frame) - held) * training.split.validation_fraction)
    if held < LEAST_ROWS or len(frame) - held - watched < LEAST_ROWS:
        raise UsageError(
            f"{len(frame)} rows are too few to train a challenger and to judge it on the newest {held}",
            hint="lengthen data.window in the retrain file, or wait for more rows",
        )
    first = len(frame) - held - watched
    return Rows(
        train=frame.iloc[:first],
        validation=frame.iloc[first : first + watched],
        holdout=frame.iloc[first + watched :],
        refused=checked.counts,
        newest=newest,
        total=len(read),
    )


def _in_window(
    frame: "pd.DataFrame",
    column: str,
    window: DataWindow,
    newest: datetime | None,
    since: datetime | None,
) -> "pd.DataFrame":
    if window.type == "sliding" and newest is not None:
        return frame[frame[column] > newest - window.length]
    if window.type == "since_last_train" and since is not None:
        return frame[frame[column] > since]
    return frame


def _without_drifted(
    frame: "pd.DataFrame", column: str, reports: Sequence[MonitoringReport]
) -> "pd.DataFrame":
    """The rows outside the windows that drifted."""
    for report in reports:
        if report.signal("drift").violated:
            times = frame[column]
            frame = frame[(times < report.window_start) | (times >= report.window_end)]
    return frame

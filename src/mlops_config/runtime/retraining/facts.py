"""What the decision to retrain has to be told: how many rows are new, and what a retraining costs."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mlops_config.errors import UsageError
from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.dataset import Dataset
from mlops_config.runtime.retraining.deciding import Facts

PRICE_VARIABLE = "MLOPS_INSTANCE_PRICE_USD_PER_HOUR"
_HOUR = timedelta(hours=1)
_LEARNT = (Event.TRAINED, Event.RETRAIN_ENDED)


def gather(
    context: JobContext, dataset: Dataset, ledger: Sequence[LedgerEntry], requested: str | None
) -> Facts:
    """The facts as they are now.

    Raises:
        DataError: the data cannot be read.
        UsageError: the price in the environment is not a number.
    """
    return Facts(
        new_rows=new_rows(context, dataset, ledger),
        estimated_cost_usd=estimated_cost(context, longest(context)),
        requested=requested,
    )


def new_rows(context: JobContext, dataset: Dataset, ledger: Sequence[LedgerEntry]) -> int | None:
    """Rows newer than the newest that a model of this environment learned from.

    By ``data.timestamp_column``; without one, how many rows there are more than then. All rows are new when
    nothing was trained yet.
    """
    last = last_learnt(ledger)
    column = context.configs.training.data.timestamp_column
    if last is None:
        return _rows(dataset)
    if column is None:
        return None if last.rows is None else max(0, _rows(dataset) - last.rows)
    if last.window_end is None:
        return None
    import pandas as pd

    times = pd.to_datetime(dataset.frame([column])[column], utc=True, errors="coerce")
    return int((times > pd.Timestamp(last.window_end)).sum())


def longest(context: JobContext) -> timedelta:
    """How long a retraining may take."""
    return context.configs.training.compute.max_runtime


def estimated_cost(context: JobContext, duration: timedelta) -> float | None:
    """USD for so long on the training's machines; 0 on this machine, ``None`` when no price is known."""
    compute = context.configs.training.compute
    if compute.target == "local":
        return 0.0
    price = _price()
    return None if price is None else price * compute.instance_count * (duration / _HOUR)


def spent_since(context: JobContext, started: datetime) -> float | None:
    """USD of a retraining that began then and ends now."""
    return estimated_cost(context, datetime.now(UTC) - started)


def _rows(dataset: Dataset) -> int:
    return len(dataset.frame(dataset.columns[:1]))


def last_learnt(ledger: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """The newest entry of a training whose model was taken; it says how new its rows were."""
    for entry in reversed(ledger):
        if entry.event in _LEARNT and entry.outcome == "succeeded" and entry.data_fingerprint is not None:
            return entry
    return None


def _price() -> float | None:
    text = os.environ.get(PRICE_VARIABLE)
    if not text:
        return None
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 <= price < 1e6:
        raise UsageError(f"{PRICE_VARIABLE} is {text!r}: expected a price in USD, such as 0.46")
    return price

"""Draws the rows a reference profile is made from: at most so many, and the same ones every time."""

from collections.abc import Sequence
from typing import Any

from mlops_config.errors import UsageError
from mlops_config.runtime.profile.sources import arrow_of, quiet


def sampled(table: Any, names: Sequence[str], most: int, seed: int, target: str, predictions: Any) -> Any:
    """At most ``most`` rows of ``table``, with ``predictions`` as the column ``target`` if they are given.

    Of a frame, an Arrow table or data set rows are drawn by their position, without replacement. An ibis
    expression has no order: there a hash of a row's values, and of how many equal rows came before it,
    decides.

    Raises:
        UsageError: there is not one prediction for each row, or they cannot be matched to rows.
    """
    import ibis
    import numpy as np
    import pyarrow as pa

    if isinstance(table, ibis.Table):
        if predictions is not None:
            raise UsageError(
                "predictions cannot be matched to the rows of an expression, which have no order",
                hint="give a pandas frame or a pyarrow table",
            )
        with quiet():
            return _of_expression(table, [name for name in names if name in table.columns], most)
    data = arrow_of(table, [name for name in names if predictions is None or name != target])
    rows = data.count_rows() if not isinstance(data, pa.Table) else data.num_rows
    if predictions is not None:
        if not isinstance(data, pa.Table):
            data = data.to_table()
        if len(predictions) != rows:
            raise UsageError(f"there are {len(predictions)} predictions for {rows} rows")
        data = data.append_column(target, pa.array(predictions, from_pandas=True))
    if rows <= most:
        return data
    drawn = np.random.default_rng(seed).choice(rows, most, replace=False)
    return data.take(pa.array(np.sort(drawn)))


def _of_expression(table: Any, names: Sequence[str], most: int) -> Any:
    import ibis

    wanted = table.select(*names)
    if int(wanted.count().to_pyarrow().as_py()) <= most:
        return wanted
    numbered = wanted.mutate(nth=ibis.row_number().over(group_by=[*names]))
    key = ibis.struct({name: numbered[name] for name in numbered.columns}).hash()
    return numbered.mutate(key=key).order_by("key").limit(most).select(*names).to_pyarrow()

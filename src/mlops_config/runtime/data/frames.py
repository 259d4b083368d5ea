"""From arrow tables to pandas frames without losing digits, and back together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa


def to_frame(table: "pa.Table") -> "pandas.DataFrame":
    """The table as a frame: whole numbers and booleans with gaps in nullable types, decimals as floats."""
    import pandas as pd

    columns = {name: _series(table.column(name)) for name in table.column_names}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def to_table(frame: "pandas.DataFrame") -> "pa.Table":
    """The frame as a table, without its index: moments in UTC, to the microsecond, and gaps as null."""
    import pyarrow as pa

    return pa.table({str(name): _array(frame[name]) for name in frame.columns})


def _array(series: "pandas.Series[Any]") -> Any:
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.DatetimeTZDtype):
        # pyarrow asks such a series for `.values`, which pandas 3 warns of.
        moments = series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
        return pa.array(moments, pa.timestamp("us", tz="UTC"), from_pandas=True)
    return pa.array(series, from_pandas=True)


def concatenated(frames: Sequence["pandas.DataFrame"], names: Sequence[str]) -> "pandas.DataFrame":
    """The frames one below the other, with these columns; what a frame lacks has no value."""
    import pandas as pd

    return pd.concat([frame.reindex(columns=list(names)) for frame in frames], ignore_index=True)


def _series(column: "pa.ChunkedArray") -> "pandas.Series[Any]":
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    elif pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    elif pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    nullable = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    mapper = nullable.get if column.null_count else None
    series: pandas.Series[Any] = column.to_pandas(types_mapper=mapper)
    return series

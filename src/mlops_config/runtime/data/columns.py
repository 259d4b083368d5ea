"""One column read as its type: what the values are, and which rows have none, another type, or infinity.

The types that checked rows have, whatever they came as:

==========  ==========================================================================================
integral    ``int64``; ``Int64`` where the schema allows gaps
fractional  ``float64``, a gap is NaN
string      ``str``: arrow's strings, a gap is NaN
boolean     ``bool``; ``boolean`` where the schema allows gaps
timestamp   ``datetime64[us, UTC]``; a moment without a zone is taken as UTC
target      regression ``float64``; classes of two ``bool``, ``int64`` or ``str``, as ``positive_class`` is
            (``bool`` without one); of several ``int64`` or ``str``, as ``classes`` are
==========  ==========================================================================================
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.contract.models.tables import Feature, Target
from mlops_config.runtime.data.reading import NO_VALUE
from mlops_config.runtime.data.values import (
    INFINITE,
    LARGEST,
    NUMBER,
    TRUTHS,
    WHOLE,
    as_moment,
    as_number,
    as_truth,
    as_whole,
    is_infinite,
    is_no_value,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Column(NamedTuple):
    """A column's values, and three masks over the rows that exclude each other."""

    values: "pd.Series[Any]"
    """Typed; without value in all rows of the masks."""
    missing: "Mask"
    wrong: "Mask"
    infinite: "Mask"


def read(series: "pd.Series[Any]", feature: Feature) -> Column:
    """The column as the feature's type."""
    return _READERS[feature.type](_plain(series))


def read_target(series: "pd.Series[Any]", target: Target) -> Column:
    """The target as its problem's type."""
    plain = _plain(series)
    if target.problem_type == "regression":
        return _fractional(plain)
    if target.problem_type == "binary_classification":
        positive = target.positive_class
        if positive is None or isinstance(positive, bool):
            return _boolean(plain)
        return _integral(plain) if isinstance(positive, int) else _string(plain)
    if target.classes is not None:
        return _integral(plain) if isinstance(target.classes[0], int) else _string(plain)
    whole = _integral(plain)
    return _string(plain) if whole.wrong.any() else whole


def dtype_of(feature: Feature) -> Any:
    """The type of a checked column."""
    import pandas as pd

    gaps = feature.completeness_min_fraction < 1 or not feature.required
    if feature.type == "integral":
        return pd.Int64Dtype() if gaps else "int64"
    if feature.type == "boolean":
        return pd.BooleanDtype() if gaps else "bool"
    other = {"fractional": "float64", "string": _text_type(), "timestamp": _moment_type()}
    return other[feature.type]


def without_gaps(dtype: Any) -> Any:
    """The type of a column that has a value in every row."""
    import pandas as pd

    if isinstance(dtype, pd.BooleanDtype):
        return "bool"
    return "int64" if isinstance(dtype, pd.Int64Dtype) else dtype


def empty(feature: Feature, index: "pd.Index[Any]") -> "pd.Series[Any]":
    """A column without any value."""
    import pandas as pd

    values: pd.Series[Any] = pd.Series(None, index=index, dtype=dtype_of(feature))
    return values


def _text_type() -> Any:
    import numpy as np
    import pandas as pd

    return pd.StringDtype("pyarrow", na_value=np.nan)


def _moment_type() -> Any:
    import pandas as pd

    return pd.DatetimeTZDtype("us", "UTC")


def _plain(series: "pd.Series[Any]") -> "pd.Series[Any]":
    """Without categories, and text as arrow's strings."""
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.dtype.categories.dtype)
    return series.astype(_text_type()) if isinstance(series.dtype, pd.StringDtype) else series


def _is_text(series: "pd.Series[Any]") -> bool:
    import pandas as pd

    return isinstance(series.dtype, pd.StringDtype)


def _none(series: "pd.Series[Any]") -> "Mask":
    import numpy as np

    return np.zeros(len(series), dtype=bool)


def _missing(series: "pd.Series[Any]") -> "Mask":
    return series.isna().to_numpy(bool)


def _nothing_fits(series: "pd.Series[Any]", dtype: Any) -> Column:
    """A column of another type: every value in it is wrong."""
    import pandas as pd

    missing = _missing(series)
    return Column(pd.Series(index=series.index, dtype=dtype), missing, ~missing, _none(series))


def _integral(series: "pd.Series[Any]") -> Column:
    import pandas as pd
    from pandas.api import types

    if types.is_bool_dtype(series.dtype):
        return _nothing_fits(series, pd.Int64Dtype())
    if types.is_integer_dtype(series.dtype):
        missing = _missing(series)
        wrong = (
            (series >= LARGEST).fillna(False).to_numpy(bool) if series.dtype.kind == "u" else _none(series)
        )
        if not wrong.any() and not missing.any():
            return Column(series.astype("int64"), missing, wrong, _none(series))
        return Column(series.mask(wrong).astype("Int64"), missing, wrong, _none(series))
    if types.is_float_dtype(series.dtype):
        return _whole_floats(series)
    if _is_text(series):
        return _whole_text(series)
    return _each(series, as_whole, pd.Int64Dtype(), is_number=True)


def _whole_floats(series: "pd.Series[Any]") -> Column:
    import numpy as np
    import pandas as pd

    numbers = series.to_numpy("float64", na_value=np.nan)
    missing, infinite = np.isnan(numbers), np.isinf(numbers)
    with np.errstate(invalid="ignore"):
        wrong = ~missing & ~infinite & ((np.floor(numbers) != numbers) | (np.abs(numbers) >= LARGEST))
    absent = missing | infinite | wrong
    whole = np.where(absent, 0, numbers).astype("int64")
    values = pd.Series(pd.array(whole, dtype="Int64"), index=series.index) if absent.any() else None
    return Column(
        pd.Series(whole, index=series.index) if values is None else values.mask(absent),
        missing,
        wrong,
        infinite,
    )


def _whole_text(series: "pd.Series[Any]") -> Column:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import compute as pc

    text, missing = _trimmed(series)
    infinite = _matches(text, INFINITE) & ~missing
    fits = _matches(text, WHOLE) & ~missing
    digits = pc.replace_substring_regex(pc.utf8_ltrim(text, "+"), r"\.0*$", "")
    chosen = pc.if_else(pa.array(fits), digits, pa.scalar(None, digits.type))
    try:
        numbers = chosen.cast(pa.int64())
    except pa.ArrowInvalid:  # nineteen digits may be too many
        fits &= (
            series.map(lambda value: as_whole(value) is not None, na_action="ignore")
            .fillna(False)
            .to_numpy(bool)
        )
        numbers = pc.if_else(pa.array(fits), digits, pa.scalar(None, digits.type)).cast(pa.int64())
    values = pd.Series(
        pd.array(numbers.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)), index=series.index
    )
    return Column(values, missing, ~(missing | infinite | fits), infinite)


def _fractional(series: "pd.Series[Any]") -> Column:
    import numpy as np
    import pandas as pd
    from pandas.api import types

    if types.is_bool_dtype(series.dtype):
        return _nothing_fits(series, "float64")
    if types.is_numeric_dtype(series.dtype):
        numbers = series.to_numpy("float64", na_value=np.nan)
        infinite = np.isinf(numbers)
        values = pd.Series(
            np.where(infinite, np.nan, numbers) if infinite.any() else numbers, index=series.index
        )
        return Column(values, np.isnan(numbers), _none(series), infinite)
    if _is_text(series):
        return _number_text(series)
    return _each(series, as_number, "float64", is_number=True)


def _number_text(series: "pd.Series[Any]") -> Column:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import compute as pc

    text, missing = _trimmed(series)
    infinite = _matches(text, INFINITE) & ~missing
    fits = _matches(text, NUMBER) & ~missing
    chosen = pc.if_else(pa.array(fits), pc.utf8_ltrim(text, "+"), pa.scalar(None, text.type))
    numbers = chosen.cast(pa.float64()).to_numpy(zero_copy_only=False)
    wrong = ~(missing | infinite | fits)
    return Column(pd.Series(numbers, index=series.index), missing, wrong, infinite)


def _boolean(series: "pd.Series[Any]") -> Column:
    import pandas as pd
    from pandas.api import types

    if types.is_bool_dtype(series.dtype):
        return Column(series, _missing(series), _none(series), _none(series))
    if types.is_numeric_dtype(series.dtype):
        missing = _missing(series)
        wrong = ~series.isin([0, 1]).to_numpy(bool) & ~missing
        absent = missing | wrong
        return Column((series == 1).astype("boolean").mask(absent), missing, wrong, _none(series))
    if _is_text(series):
        import pyarrow as pa

        text, missing = _trimmed(series)
        truths = pd.Series(text.to_pandas(types_mapper={text.type: _text_type()}.get)).map(TRUTHS)
        values = pd.Series(
            pd.array(pa.array(truths, pa.bool_(), from_pandas=True).to_pandas(), dtype="boolean")
        )
        values.index = series.index
        return Column(values, missing, ~missing & values.isna().to_numpy(bool), _none(series))
    return _each(series, as_truth, pd.BooleanDtype())


def _string(series: "pd.Series[Any]") -> Column:
    from pandas.api import types

    if _is_text(series):
        return Column(series, _missing(series), _none(series), _none(series))
    if not types.is_object_dtype(series.dtype):
        return _nothing_fits(series, _text_type())
    return _each(series, lambda value: value if isinstance(value, str) else None, _text_type())


def _timestamp(series: "pd.Series[Any]") -> Column:
    import pandas as pd
    from pandas.api import types

    missing = _missing(series)
    if types.is_datetime64_any_dtype(series.dtype):
        zoned = series.dt.tz_convert("UTC") if series.dt.tz else series.dt.tz_localize("UTC")
        return Column(zoned.astype(_moment_type()), missing, _none(series), _none(series))
    if types.is_numeric_dtype(series.dtype) or types.is_bool_dtype(series.dtype):
        return _nothing_fits(series, _moment_type())
    if _is_text(series):
        text, missing = _trimmed(series)
        moments = _moments(text)
        values = pd.Series(moments, index=series.index)
        return Column(values, missing, ~missing & values.isna().to_numpy(bool), _none(series))
    return _each(series, as_moment, _moment_type())


def _moments(text: Any) -> Any:
    """ISO 8601 text as moments; what is none is NaT."""
    import pandas as pd
    import pyarrow as pa

    try:
        return text.cast(pa.timestamp("us", tz="UTC")).to_pandas().astype(_moment_type()).array
    except pa.ArrowInvalid:  # a moment without a zone, or none at all
        words = text.to_pandas()
        return pd.to_datetime(words, errors="coerce", utc=True, format="ISO8601").astype(_moment_type()).array


def _trimmed(series: "pd.Series[Any]") -> tuple[Any, "Mask"]:
    """The text without white space around it as an arrow array, and where it says that there is no value."""
    import pyarrow as pa
    from pyarrow import compute as pc

    array = pa.array(series, from_pandas=True)
    whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    text = pc.utf8_trim_whitespace(whole)
    absent = pc.or_(
        pc.is_null(text), pc.fill_null(pc.is_in(text, pa.array(sorted(NO_VALUE), text.type)), True)
    )
    return text, absent.to_numpy(zero_copy_only=False)


def _matches(text: Any, pattern: str) -> "Mask":
    from pyarrow import compute as pc

    found: Mask = pc.fill_null(pc.match_substring_regex(text, pattern), False).to_numpy(zero_copy_only=False)
    return found


def _each(
    series: "pd.Series[Any]", convert: Callable[[Any], Any], dtype: Any, *, is_number: bool = False
) -> Column:
    """A column of Python objects, value by value: as JSON gives it where types are mixed."""
    import numpy as np
    import pandas as pd

    objects = series.to_list() if series.dtype == object else list(series.astype(object))
    missing = np.fromiter((is_no_value(value) for value in objects), bool, len(objects))
    infinite = np.zeros(len(objects), dtype=bool)
    if is_number:
        infinite |= np.fromiter((is_infinite(value) for value in objects), bool, len(objects))
    absent = missing | infinite
    values = [None if gone else convert(value) for value, gone in zip(objects, absent, strict=True)]
    wrong = np.fromiter((value is None for value in values), bool, len(values)) & ~absent
    return Column(pd.Series(values, index=series.index, dtype=dtype), missing, wrong, infinite)


_READERS: dict[str, Callable[["pd.Series[Any]"], Column]] = {
    "integral": _integral,
    "fractional": _fractional,
    "string": _string,
    "boolean": _boolean,
    "timestamp": _timestamp,
}

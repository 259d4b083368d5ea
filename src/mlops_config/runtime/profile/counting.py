"""Counts rows by cell and by category: one set of ibis expressions, which DuckDB and Spark both run.

DuckDB has an aggregate that counts the cells of many columns in one pass; there it takes the place of the
common expression, and a test holds the two equal.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlops_config.errors import UsageError
from mlops_config.runtime.profile.columns import (
    LABEL_CHARACTERS,
    MOST_UNSEEN,
    CategoricalColumn,
    NumericColumn,
    Unseen,
)
from mlops_config.runtime.profile.sources import Source

if TYPE_CHECKING:
    import ibis
    import numpy as np
    from numpy.typing import NDArray

COLUMNS_AT_ONCE = 100
"""Columns that one query counts."""
_NULL, _NAN, _POSITIVE_INFINITY, _NEGATIVE_INFINITY = -1, -2, -3, -4


def count_rows(source: Source) -> int:
    """The table's rows."""
    return int(source.answer(source.table.aggregate(rows=source.table.count()))["rows"][0].as_py())


def count_numeric(source: Source, columns: Sequence[NumericColumn]) -> Iterator[NumericColumn]:
    """``columns`` with the counts of ``source``, which has all of them."""
    count = _cells_on_duckdb if source.backend.name == "duckdb" else cells
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        yield from count(source, columns[start : start + COLUMNS_AT_ONCE])


def _numbers(source: Source, name: str) -> "ibis.expr.types.FloatingColumn":
    column: Any = source.table[source.columns[name]]
    if not (column.type().is_numeric() or column.type().is_null()):
        raise UsageError(
            f"{name} holds {column.type()}, where numbers are expected",
            hint="check the rows against the schema first",
        )
    return column.cast("float64")


def _array(values: Sequence[float]) -> Any:
    """A constant array. As text: SQL takes ``0.1`` for a decimal, and may read another double."""
    import ibis

    return ibis.literal(",".join(map(repr, values))).split(",").cast("array<float64>")


def cells(source: Source, columns: Sequence[NumericColumn]) -> Iterator[NumericColumn]:
    """Counts ``columns`` by cell, with nothing that only one engine has: a binary search in SQL."""
    import ibis

    parts = []
    for number, column in enumerate(columns):
        numbers = source.table.select(value=_numbers(source, column.name))
        value = numbers["value"]
        infinite = value.abs() == ibis.literal("Infinity").cast("float64")
        special = ibis.cases(
            (value.isnan(), _NAN),  # first, as ibis takes NaN on Spark for null
            (value.isnull(), _NULL),
            (infinite & (value > 0), _POSITIVE_INFINITY),
            (infinite, _NEGATIVE_INFINITY),
            else_=0,
        ).cast("int32")
        searched = numbers.mutate(special=special, cell=ibis.literal(0).cast("int32"))
        for level in _levels(column.grid):
            above = searched["value"] > _array(level)[searched["cell"]]
            searched = searched.mutate(cell=(searched["cell"] * 2 + ibis.ifelse(above, 1, 0)).cast("int32"))
        cell = ibis.ifelse(searched["special"] < 0, searched["special"], searched["cell"])
        grouped = searched.select(cell=cell, value=searched["value"]).group_by("cell")
        parts.append(
            grouped.agg(
                rows=lambda table: table.count(),
                low=lambda table: table["value"].min(),
                high=lambda table: table["value"].max(),
            ).mutate(number=ibis.literal(number).cast("int32"))
        )
    found: list[dict[int, tuple[int, float, float]]] = [{} for _ in columns]
    for row in source.answer(ibis.union(*parts)).to_pylist():
        found[row["number"]][row["cell"]] = (row["rows"], row["low"], row["high"])
    for column, of_cell in zip(columns, found, strict=True):
        finite = [each for cell, each in of_cell.items() if cell >= 0]
        rows_of = {cell: each[0] for cell, each in of_cell.items()}
        yield column.model_copy(
            update={
                "absent": 0,
                "nulls": rows_of.get(_NULL, 0),
                "counts": tuple(rows_of.get(cell, 0) for cell in range(len(column.grid) + 1)),
                "nans": rows_of.get(_NAN, 0),
                "positive_infinities": rows_of.get(_POSITIVE_INFINITY, 0),
                "negative_infinities": rows_of.get(_NEGATIVE_INFINITY, 0),
                "minimum": _plain(min((low for _, low, _ in finite), default=None)),
                "maximum": _plain(max((high for _, _, high in finite), default=None)),
            }
        )


def _levels(grid: Sequence[float]) -> Iterator[list[float]]:
    """The points a binary search compares with at each step, from one in the middle to every second one."""
    depth = len(grid).bit_length()
    full = [*grid, *[math.inf] * (2**depth - 1 - len(grid))]
    for level in range(depth):
        step = 2 ** (depth - level)
        yield full[step // 2 - 1 :: step]


def _cells_on_duckdb(source: Source, columns: Sequence[NumericColumn]) -> Iterator[NumericColumn]:
    import ibis
    import ibis.expr.datatypes as dt

    @ibis.udf.agg.builtin(name="histogram")  # type: ignore[untyped-decorator]
    def histogram(value: dt.float64, ends: dt.Array(dt.float64)) -> dt.Map(dt.float64, dt.int64):  # type: ignore[valid-type]
        """Rows by upper end of their cell, all others by an infinite one."""

    wanted: dict[str, Any] = {"rows": source.table.count()}
    for number, column in enumerate(columns):
        value = _numbers(source, column.name)
        wanted |= {
            f"given_{number}": value.count(),
            f"low_{number}": value.min(),
            f"high_{number}": value.max(),
        }
        if column.grid:
            wanted[f"cells_{number}"] = histogram(value, _array(column.grid))
    counted = source.answer(source.table.aggregate(**wanted)).to_pylist()[0]
    for number, column in enumerate(columns):
        given, low, high = (counted[f"{name}_{number}"] for name in ("given", "low", "high"))
        if given and not (math.isfinite(low) and math.isfinite(high)):
            # NaN, which DuckDB takes for larger than any number, or an infinity: each is counted apart.
            yield from cells(source, [column])
            continue
        counts = _counts(counted.get(f"cells_{number}"), len(column.grid))
        yield column.model_copy(
            update={
                "absent": 0,
                "nulls": counted["rows"] - given,
                "counts": (*counts, given - sum(counts)),
                "nans": 0,
                "positive_infinities": 0,
                "negative_infinities": 0,
                "minimum": _plain(low),
                "maximum": _plain(high),
            }
        )


def _counts(pairs: list[tuple[float, int]] | None, points: int) -> list[int]:
    """DuckDB's counts in the order of the grid, without those beyond its last point."""
    return [rows for _, rows in (pairs or [(0.0, 0)] * points)[:points]]


def _plain(value: float | None) -> float | None:
    return None if value is None else value + 0.0


def finite_values(source: Source, name: str) -> "NDArray[np.float64]":
    """The finite values of a numeric column, in any order."""
    import numpy as np

    numbers = source.table.select(value=_numbers(source, name))
    values = source.answer(numbers.filter(numbers["value"].notnull()))["value"].to_numpy()
    return values[np.isfinite(values)]  # type: ignore[no-any-return]


def frequent(source: Source, name: str, most: int) -> tuple[tuple[str, ...], bool]:
    """A column's ``most`` frequent categories, in code point order, and whether there are more.

    Of equally frequent ones the first in that order are taken.
    """
    import ibis

    counted = labelled(source, name).filter(lambda table: table["label"].notnull())
    first = counted.order_by(ibis.desc("rows"), ibis.asc("label")).limit(most + 1)
    found = source.answer(first)["label"].to_pylist()
    return tuple(sorted(found[:most])), len(found) > most


def count_categorical(
    source: Source, columns: Sequence[CategoricalColumn], rows: int
) -> Iterator[CategoricalColumn]:
    """``columns`` with the counts of ``source``, which has all of them."""
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        yield from _categories(source, columns[start : start + COLUMNS_AT_ONCE], rows)


def labelled(source: Source, name: str) -> "ibis.Table":
    """Rows by ``label``: text as it is, numbers as whole ones, truth values as true and false."""
    column: Any = source.table[source.columns[name]]
    whole = column.cast("int64") if column.type().is_floating() else column
    grouped = source.table.select(value=whole).group_by("value").agg(rows=lambda table: table.count())
    label = grouped["value"].cast("string").substr(0, LABEL_CHARACTERS)
    renamed = grouped.select(label=label, rows=grouped["rows"]).group_by("label")
    return renamed.agg(rows=lambda table: table["rows"].sum().cast("int64"))


def _categories(
    source: Source, columns: Sequence[CategoricalColumn], rows: int
) -> Iterator[CategoricalColumn]:
    import ibis
    import pyarrow as pa

    parts = []
    for number, column in enumerate(columns):
        parts.append(labelled(source, column.name).mutate(number=ibis.literal(number).cast("int32")))
    pairs = [(number, label) for number, column in enumerate(columns) for label in column.categories]
    known = source.small(
        pa.table(
            {
                "known_number": pa.array([number for number, _ in pairs], pa.int32()),
                "known_label": pa.array([label for _, label in pairs], pa.string()),
            }
        )
    )
    counted = ibis.union(*parts)
    matched = counted.left_join(
        known, [counted["number"] == known["known_number"], counted["label"] == known["known_label"]]
    ).select("number", "label", "rows", known=lambda table: table["known_label"].notnull())
    place = ibis.row_number().over(
        group_by=[matched["number"], matched["known"]], order_by=matched["label"].asc(nulls_first=True)
    )
    # One more than are kept tells whether there are more, and another one may be null.
    kept = matched.mutate(place=place).filter(
        lambda table: table["known"] | (table["place"] < MOST_UNSEEN + 2)
    )
    of_all = source.answer(kept.select("number", "label", "rows")).to_pylist()
    found: list[dict[str | None, int]] = [{} for _ in columns]
    for row in of_all:
        found[row["number"]][row["label"]] = row["rows"]
    for column, rows_of in zip(columns, found, strict=True):
        nulls = rows_of.pop(None, 0)
        counts = tuple(rows_of.pop(label, 0) for label in column.categories)
        unseen = sorted(label for label in rows_of if label is not None)
        yield column.model_copy(
            update={
                "absent": 0,
                "nulls": nulls,
                "counts": counts,
                "other": rows - nulls - sum(counts),
                "unseen": tuple(Unseen(label=each, rows=rows_of[each]) for each in unseen[:MOST_UNSEEN]),
                "more_unseen": len(unseen) > MOST_UNSEEN,
            }
        )

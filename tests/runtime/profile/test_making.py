"""What a profile holds of a table, and that engines and containers agree on it."""

from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.runtime.profile import counting
from mlops_config.runtime.profile.binning import cells_per_column
from mlops_config.runtime.profile.columns import MOST_CATEGORIES, CategoricalColumn, NumericColumn
from mlops_config.runtime.profile.making import profile, reference_profile
from mlops_config.runtime.profile.profile import Profile
from mlops_config.runtime.profile.sources import opened
from tests.runtime.profile.tables import FEATURES, frame, tables, training, trips

REFERENCE = reference_profile(trips(3_000), training())


def numeric(made: Profile, name: str) -> NumericColumn:
    column = made.column(name)
    assert isinstance(column, NumericColumn)
    return column


def categorical(made: Profile, name: str) -> CategoricalColumn:
    column = made.column(name)
    assert isinstance(column, CategoricalColumn)
    return column


@settings(max_examples=10, deadline=None)
@given(tables(max_size=50))
def test_cells_hold_what_numpy_counts(table: pa.Table) -> None:
    made = profile(table, REFERENCE)
    assert made.rows == table.num_rows
    for name in ("amount", "count"):
        column = numeric(made, name)
        values = np.array([value for value in table[name].to_pylist() if value is not None], dtype=float)
        finite = values[np.isfinite(values)]
        places = np.searchsorted(column.grid, finite)
        assert list(column.counts) == np.bincount(places, minlength=len(column.counts)).tolist()
        assert column.nulls == table[name].null_count
        assert column.nans == np.isnan(values).sum()
        assert (column.positive_infinities, column.negative_infinities) == (
            (values == np.inf).sum(),
            (values == -np.inf).sum(),
        )
        assert (column.minimum, column.maximum) == (
            (finite.min(), finite.max()) if len(finite) else (None, None)
        )
        assert column.rows + column.nulls + column.nans == made.rows - np.isinf(values).sum()


@settings(max_examples=10, deadline=None)
@given(tables(max_size=50))
def test_categories_hold_what_python_counts(table: pa.Table) -> None:
    column = categorical(profile(table, REFERENCE), "zone")
    labels = [value[:256] for value in table["zone"].to_pylist() if value is not None]
    assert column.counts == tuple(labels.count(each) for each in column.categories)
    unseen = sorted({*labels} - {*column.categories})
    assert [(each.label, each.rows) for each in column.unseen] == [
        (label, labels.count(label)) for label in unseen[:20]
    ]
    assert column.more_unseen == (len(unseen) > 20)
    assert column.rows + column.nulls == table.num_rows


@settings(max_examples=8, deadline=None)
@given(tables(max_size=50))
def test_the_fast_way_of_duckdb_counts_as_the_common_one(table: pa.Table) -> None:
    columns = [numeric(REFERENCE, "amount"), numeric(REFERENCE, "count")]
    with opened(table, ["amount", "count"], "duckdb") as source:
        assert [*counting.count_numeric(source, columns)] == [*counting.cells(source, columns)]


def test_a_profile_survives_json() -> None:
    assert Profile.from_json(REFERENCE.to_json()) == REFERENCE
    assert Profile.from_json(REFERENCE.to_json()).digest == REFERENCE.digest
    assert REFERENCE.digest.startswith("sha256:")


@pytest.mark.parametrize("data", [b"", b"{}", b'{"rows": -1}', b"\xff", REFERENCE.to_json()[:-9]])
def test_bytes_that_are_no_profile_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="this is no profile"):
        Profile.from_json(data)


def test_containers_of_the_same_rows_give_the_same_profile(tmp_path: Any) -> None:
    rows = frame(500)
    table = pa.Table.from_pandas(rows)
    pq.write_table(table, tmp_path / "rows.parquet")
    expected = profile(rows, REFERENCE)
    connection = ibis.duckdb.from_connection(duckdb.connect())
    connection.con.register("rows", table)
    with pytest.warns(DeprecationWarning, match="fetch_arrow_table"):
        expression = connection.table("rows")
    for each in (table, ds.dataset(tmp_path, format="parquet"), expression):
        assert profile(each, REFERENCE) == expected


def test_bins_have_equal_counts_or_equal_widths() -> None:
    by_count = numeric(reference_profile(frame(5_000), training(bins=10)), "amount")
    assert by_count.bins == (500,) * 10
    by_width = reference_profile(frame(5_000), training(bins=10, quantile_binning=False))
    column = numeric(by_width, "amount")
    ends = [column.grid[position] for position in column.edges]
    assert np.diff(ends) == pytest.approx(np.diff(ends)[0])
    assert sum(column.bins) == 5_000


def test_few_values_have_a_bin_each_and_a_constant_has_one_on_either_side() -> None:
    rows = frame(900).assign(count=lambda table: table["count"] % 3, amount=7.5)
    made = reference_profile(rows, training())
    assert numeric(made, "count").bins == tuple(np.bincount(rows["count"]))
    assert numeric(made, "amount").bins == (0, 900, 0)
    assert (numeric(made, "amount").mean, numeric(made, "amount").std) == (7.5, 0.0)


def test_nearly_all_rows_at_one_end_still_make_two_bins() -> None:
    values = np.concatenate([np.full(970, 5.0), np.arange(30) / 10])
    for each in (values, 10 - values):
        rows = frame(1_000).assign(amount=each)
        assert len(numeric(reference_profile(rows, training()), "amount").bins) >= 2


def test_a_column_without_a_value_is_profiled() -> None:
    rows = frame(200).assign(amount=np.nan, zone=None)
    made = reference_profile(rows, training())
    assert (numeric(made, "amount").nulls, numeric(made, "amount").grid) == (200, ())
    assert (categorical(made, "zone").nulls, categorical(made, "zone").categories) == (200, ())
    window = profile(frame(300), made)
    assert numeric(window, "amount").counts == (300,)
    assert categorical(window, "zone").other == 300


def test_the_reference_is_made_of_a_drawn_sample_always_the_same() -> None:
    rows = frame(3_000)
    made = reference_profile(rows, training(max_sample_rows=1_000))
    assert made.rows == 1_000
    assert made == reference_profile(pa.Table.from_pandas(rows), training(max_sample_rows=1_000))
    assert numeric(made, "amount").mean == pytest.approx(10, abs=0.3)


def test_an_expression_is_sampled_whatever_the_order_of_its_rows() -> None:
    rows = pd.concat([frame(400), frame(400)])
    found = []
    for each in (rows, rows.sample(frac=1, random_state=1)):
        connection = ibis.duckdb.from_connection(duckdb.connect())
        connection.con.register("rows", pa.Table.from_pandas(each, preserve_index=False))
        with pytest.warns(DeprecationWarning, match="fetch_arrow_table"):
            expression = connection.table("rows")
        found.append(reference_profile(expression, training(max_sample_rows=300)))
    assert found[0] == found[1]
    assert found[0].rows == 300


def test_predictions_are_profiled_under_the_targets_name() -> None:
    rows = frame(300)
    made = reference_profile(rows.assign(label=0.0), training(), predictions=rows["amount"] * 2)
    assert [column.name for column in made.columns] == [*FEATURES, "label"]
    assert numeric(made, "label").mean == pytest.approx(2 * rows["amount"].mean())
    classes = reference_profile(rows, training(target="binary_classification"), predictions=rows["open"])
    assert categorical(classes, "label").categories == ("false", "true")
    whole = reference_profile(rows, training(target="binary_classification"), predictions=[0, 1, 1] * 100)
    again = profile(rows.assign(label=[0.0, 1.0, None] * 100), whole)
    assert (categorical(again, "label").counts, categorical(again, "label").nulls) == ((100, 100), 100)


def test_predictions_must_match_the_rows() -> None:
    with pytest.raises(UsageError, match="3 predictions for 20 rows"):
        reference_profile(frame(20), training(), predictions=[1.0, 2.0, 3.0])


def test_more_categories_than_are_counted_by_name_stay_bounded() -> None:
    zones = [f"zone {number:04}" for number in range(MOST_CATEGORIES + 50)]
    rows = pd.DataFrame({"zone": zones + zones[100:]})
    made = reference_profile(rows, training({"zone": "string"}))
    column = categorical(made, "zone")
    assert column.truncated
    assert len(column.categories) == MOST_CATEGORIES
    assert column.categories[-1] == zones[-1]
    assert column.other == 50


def test_names_that_differ_in_case_only_are_two_columns() -> None:
    rows = pd.DataFrame({"Fare": [1.0, 2.0, 3.0], "fare": [7.0, 8.0, 9.0]})
    made = reference_profile(rows, training({"Fare": "fractional", "fare": "fractional"}))
    assert (numeric(made, "Fare").mean, numeric(made, "fare").mean) == (2.0, 8.0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (frame(0), "the table has no rows"),
        (frame(5).drop(columns="zone"), "the table lacks zone"),
        (frame(5).assign(amount="much"), "amount holds string, where numbers are expected"),
        (frame(2).assign(zone=[1, "a"]), "a column holds values of several types"),
        ([1, 2], "cannot profile a list"),
    ],
    ids=["no rows", "no column", "text", "mixed", "list"],
)
def test_a_table_that_cannot_be_the_reference_is_refused(rows: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reference_profile(rows, training())


def test_very_many_columns_have_fewer_cells_each() -> None:
    assert [cells_per_column(columns) for columns in (1, 200, 400, 5_000)] == [1_000, 1_000, 500, 100]

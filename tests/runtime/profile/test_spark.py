"""Spark counts what DuckDB counts."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from mlops_config.errors import UsageError
from mlops_config.runtime.profile.making import profile, reference_profile
from tests.runtime.profile.tables import training, trips

pytestmark = pytest.mark.usefixtures("spark")

REFERENCE = reference_profile(trips(100), training({"amount": "fractional", "zone": "string"}))
TABLE = trips(400, seed=7)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> ds.Dataset:
    """The table in two Parquet files, one of them with zones that are new."""
    folder = tmp_path_factory.mktemp("parts")
    new = pa.array([f"new {number:03}" for number in range(200)])
    pq.write_table(TABLE.slice(0, 200), folder / "a.parquet")
    pq.write_table(TABLE.slice(200).set_column(2, "zone", new), folder / "b.parquet")
    return ds.dataset(folder, format="parquet")


def test_spark_makes_the_profile_that_duckdb_makes(parts: ds.Dataset) -> None:
    assert profile(parts, REFERENCE, engine="spark") == profile(parts, REFERENCE)


def test_a_spark_frame_is_profiled_where_it_lives_and_merges_with_what_duckdb_made(
    spark: Any, parts: ds.Dataset
) -> None:
    one, other = sorted(parts.files)
    by_spark = profile(spark.read.parquet(one), REFERENCE)
    assert by_spark.merge(profile(ds.dataset(other, format="parquet"), REFERENCE)) == profile(
        parts, REFERENCE
    )
    assert spark.catalog.listTables() == []


def test_an_arrow_table_goes_to_spark_without_its_missing_columns() -> None:
    table = TABLE.select(["zone"])
    assert profile(table, REFERENCE, engine="spark") == profile(table, REFERENCE)


def test_spark_reads_data_sets_of_parquet_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("amount\n1.5\n")
    with pytest.raises(UsageError, match="Parquet files only"):
        profile(ds.dataset(tmp_path, format="csv"), REFERENCE, engine="spark")

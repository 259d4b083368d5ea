"""Brings a table, whatever holds it, before the engine that counts its rows."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlops_config.errors import UsageError

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

Engine = Literal["duckdb", "spark"]


@dataclass(frozen=True, slots=True)
class Source:
    """A table before its engine."""

    backend: Any
    """An ibis backend."""
    table: "ibis.Table"
    columns: Mapping[str, str]
    """Name of a wanted column → its name in ``table``; what is missing is missing here too."""

    def answer(self, query: "ibis.Table") -> "pa.Table":
        """The rows of ``query``."""
        import ibis

        if self.backend.name != "pyspark":
            return self.backend.to_pyarrow(query)
        # Not by ibis, which goes through pandas, where Spark does not know the newest.
        return spark_session().sql(ibis.to_sql(query, dialect="pyspark")).toArrow()

    def small(self, data: "pa.Table") -> "ibis.Table":
        """A few rows of ours as a table beside the one that is counted."""
        import ibis

        if self.backend.name != "pyspark":
            return ibis.memtable(data)
        # A set of rows that Spark can join without holding them in the query.
        view = f"beside_{id(self):x}"
        spark_session().createDataFrame(data).createOrReplaceTempView(view)
        return self.backend.table(view)


@contextmanager
def opened(table: Any, names: Sequence[str], engine: Engine) -> Iterator[Source]:
    """The wanted columns of ``table`` before ``engine``, for as long as the context lasts.

    ``table`` is a pandas frame, a pyarrow table or data set, a Spark frame, or an ibis expression, which is
    counted where it lives. A NaN in a pandas frame is a missing value, as pandas has it.

    Raises:
        UsageError: ``table`` is nothing of the kind, its values have no common type, or an engine's packages
            are not installed.
    """
    try:
        import ibis  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"profiles need a package that is not installed: {error.name}",
            hint="pip install 'mlops-config-action[jobs]'",
        ) from error
    with quiet():
        yield from _opened(table, names, engine)


def _opened(table: Any, names: Sequence[str], engine: Engine) -> Iterator[Source]:
    import ibis

    if isinstance(table, ibis.Table):
        found = {name: name for name in names if name in table.columns}
        yield Source(table.get_backend(), table, found)
    elif hasattr(table, "createOrReplaceTempView"):
        with _viewed(table, {name: name for name in names if name in table.columns}) as source:
            yield source
    elif engine == "spark":
        data, columns = _renamed(arrow_of(table, names), names)
        with _on_spark(data) as frame, _viewed(frame, columns) as source:
            yield source
    else:
        data, columns = _renamed(arrow_of(table, names), names)
        backend = ibis.duckdb.connect()
        try:
            backend.con.execute("SET enable_progress_bar = false")
            backend.con.register("rows", data)
            yield Source(backend, backend.table("rows"), columns)
        finally:
            backend.disconnect()


def arrow_of(table: Any, names: Sequence[str]) -> Any:
    """Those of the named columns that ``table`` has, as an Arrow table; a data set as it is.

    Raises:
        UsageError: ``table`` is neither a pandas frame nor one of those.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    if isinstance(table, ds.Dataset):
        return table
    if isinstance(table, pa.Table):
        return table.select([name for name in names if name in table.column_names])
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        return _of_pandas(table[[name for name in names if name in table.columns]])
    raise UsageError(
        f"cannot profile a {type(table).__name__}",
        hint="give a pandas frame, a pyarrow table or data set, or an ibis expression",
    )


def _renamed(data: Any, names: Sequence[str]) -> tuple[Any, dict[str, str]]:
    """``data`` under names that engines tell apart, and what each column is called then.

    Engines take ``Fare`` and ``fare`` for one name. Those of a data set stay, since it is not in memory.
    """
    import pyarrow as pa

    if not isinstance(data, pa.Table):
        return data, {name: name for name in names if name in data.schema.names}
    columns = {name: f"c{number}" for number, name in enumerate(data.column_names)}
    if not columns:  # a table without columns has no rows either
        return pa.table({"rows": pa.nulls(data.num_rows, pa.bool_())}), {}
    return data.rename_columns([*columns.values()]), columns


def _of_pandas(frame: Any) -> "pa.Table":
    import pyarrow as pa

    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UsageError(
            "a column holds values of several types",
            hint="check the rows against the schema first",
        ) from error


@contextmanager
def _on_spark(data: Any) -> Iterator[Any]:
    """A Spark frame of Arrow ``data``."""
    import pyarrow.dataset as ds

    session = spark_session()
    if isinstance(data, ds.Dataset):
        files = getattr(data, "files", None)
        if files is None or not isinstance(data.format, ds.ParquetFileFormat):
            raise UsageError(
                "Spark reads data sets of Parquet files only",
                hint="give a Spark frame, or an ibis expression on Spark",
            )
        yield session.read.parquet(*files)
    else:
        # Kept by Spark, or it would fold the whole profile into the planning of its query, row by row.
        frame = session.createDataFrame(data).persist()
        try:
            yield frame
        finally:
            frame.unpersist()


def spark_session() -> Any:
    """The process's Spark session; started, on this machine only, where there is none.

    Raises:
        UsageError: Spark or Java is not installed.
    """
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError(
            "engine spark needs pyspark, which is not installed",
            hint="pip install 'mlops-config-action[spark]'",
        ) from error
    try:
        return (
            SparkSession.builder.config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.ui.enabled", "false")
            .getOrCreate()
        )
    except PySparkRuntimeError as error:
        raise UsageError(
            f"Spark does not start: {error}", hint="it needs Java 17 or newer, found by JAVA_HOME or PATH"
        ) from error


@contextmanager
def _viewed(frame: Any, columns: Mapping[str, str]) -> Iterator[Source]:
    """A Spark frame as a table of ibis."""
    import ibis

    backend = ibis.pyspark.connect(frame.sparkSession)
    view = f"profiled_{id(frame):x}"
    frame.createOrReplaceTempView(view)
    source = Source(backend, backend.table(view), columns)
    try:
        yield source
    finally:
        frame.sparkSession.catalog.dropTempView(view)
        frame.sparkSession.catalog.dropTempView(f"beside_{id(source):x}")


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that the libraries have for each other, and that nobody here can heed.

    ibis 12 calls what DuckDB 2 deprecates; Spark 4 does not know pandas 3, but only Arrow passes to and fro.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"fetch_\w+\(\) is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield

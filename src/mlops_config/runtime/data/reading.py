"""Reads CSV and JSON Lines with the types a schema gives, or as it is written where a value does not fit."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.data.problems import DataError

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa
    from pyarrow import fs

NO_VALUE = frozenset({"", "NA", "N/A", "NULL", "null", "NaN", "nan", "None"})
"""What programs write into a CSV file for no value, in columns that are not text."""


def arrow_types(schema: TableSchema | None) -> dict[str, "pa.DataType"]:
    """What each column of text files is read as.

    Timestamps are read as text, since whether they name a zone differs from file to file, and so are classes.
    """
    import pyarrow as pa

    if schema is None:
        return {}
    known = {"integral": pa.int64(), "fractional": pa.float64(), "boolean": pa.bool_()}
    types = {
        column.name: known.get(column.type, pa.string()) for column in (*schema.features, *schema.identifiers)
    }
    regression = schema.target.problem_type == "regression"
    return types | {schema.target.name: pa.float64() if regression else pa.string()}


def csv_header(filesystem: "fs.FileSystem", path: str, *, shown: str) -> list[str]:
    """The column names in a CSV file's first line.

    Raises:
        DataError: the file is empty, or not UTF-8.
    """
    with filesystem.open_input_stream(path, compression="detect") as stream:
        lines = io.TextIOWrapper(
            io.BytesIO(stream.read(2**20)), encoding="utf-8-sig", errors="replace", newline=""
        )
        header = next(csv.reader(lines), [])
    if not header:
        raise DataError(f"{shown} is empty: it has not even a line with the names of its columns")
    if any("\N{REPLACEMENT CHARACTER}" in name for name in header):
        raise DataError(f"{shown} is not UTF-8", hint="write it again as UTF-8")
    return header


def csv_options(types: Mapping[str, "pa.DataType"], columns: Sequence[str] | None) -> Any:
    """How pyarrow is to read CSV: only an empty field is no value, so that NA stays Namibia."""
    from pyarrow import csv as arrow_csv

    return arrow_csv.ConvertOptions(
        column_types=dict(types),
        include_columns=list(columns) if columns is not None else None,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def read_csv(
    filesystem: "fs.FileSystem",
    path: str,
    types: Mapping[str, "pa.DataType"],
    columns: Sequence[str] | None,
    *,
    as_text: bool,
) -> "pa.Table":
    """One CSV file as a table; with ``as_text`` the columns in ``types`` are left as they are written.

    Raises:
        pyarrow.ArrowInvalid: a value is not of its type, or a line has too many or too few fields.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    chosen = dict.fromkeys(types, pa.string()) if as_text else types
    with filesystem.open_input_stream(path, compression="detect") as stream:
        return arrow_csv.read_csv(
            stream,
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=csv_options(chosen, columns),
        )


def read_jsonl(filesystem: "fs.FileSystem", path: str, types: Mapping[str, "pa.DataType"]) -> "pa.Table":
    """One JSON Lines file as a table. A column that no row has is absent, though ``types`` knows it.

    Raises:
        pyarrow.ArrowInvalid: a value is not of its type, or a line is not a JSON object.
    """
    import pyarrow as pa
    from pyarrow import json as arrow_json

    with filesystem.open_input_stream(path, compression="detect") as stream:
        data = stream.read()
    if not data.strip():
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    options = arrow_json.ParseOptions(
        explicit_schema=pa.schema(list(types.items())), unexpected_field_behavior="infer"
    )
    table = arrow_json.read_json(io.BytesIO(data), parse_options=options)
    absent = [
        name for name in types if table[name].null_count == table.num_rows and not _is_written(name, data)
    ]
    # A table without columns has no rows either.
    return table.drop_columns(absent) if len(absent) < table.num_columns else table


def _is_written(name: str, data: bytes) -> bool:
    """Whether a row has the key, be its value ``null``."""
    return re.search(rb"%b\s*:" % re.escape(json.dumps(name).encode()), data) is not None


def read_jsonl_values(filesystem: "fs.FileSystem", path: str, *, shown: str) -> "pandas.DataFrame":
    """One JSON Lines file as it is written: columns of Python objects, whatever their types.

    Raises:
        DataError: a line is not a JSON object.
    """
    import pandas as pd

    with filesystem.open_input_stream(path, compression="detect") as stream:
        data = stream.read()
    rows = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"line {number} of {shown} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"line {number} of {shown} is not a JSON object")
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)

"""Reads the bodies a request for predictions may have: our JSON, Vertex's, MLflow's, and CSV."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.serving.columns import input_columns, row_schema, wording
from mlops_config.runtime.serving.problems import Fault, Problem

Row = dict[str, Any]

SHOWN_FAULTS = 20
_SHOWN_IGNORED = 20


class Form(Enum):
    """How the rows were sent, which decides how the predictions are answered."""

    OURS = auto()
    """``{"rows": [{…}]}``, ``{"instances": [{…}]}`` on a Vertex route, and CSV."""
    MLFLOW = auto()
    """``dataframe_records``, ``dataframe_split``, and ``instances`` on ``/invocations``."""


@dataclass(slots=True)
class PredictionRequest:
    """Rows that keep the schema. The first values of each are the features, in the schema's order."""

    rows: list[Row]
    form: Form = Form.OURS
    ignored: list[str] = field(default_factory=list)
    """Names in the rows that are no column of ours, sorted; at most 20."""


class RequestReader:
    """Reads bodies for one schema. Safe to use from several threads."""

    def __init__(self, schema: TableSchema, *, max_rows: int) -> None:
        columns = input_columns(schema)
        self._known = frozenset(column.name for column in columns)
        self._max_rows = max_rows
        rows = self._rows_schema(row_schema(columns))
        members = {
            "rows": rows,
            "instances": rows,
            "dataframe_records": rows,
            "dataframe_split": core_schema.any_schema(),
        }
        self._body = SchemaValidator(
            core_schema.typed_dict_schema(
                {name: core_schema.typed_dict_field(each, required=False) for name, each in members.items()},
                # Providers add members of their own, such as "parameters".
                extra_behavior="ignore",
            )
        )
        self._rows = SchemaValidator(rows)
        self._cells = SchemaValidator(self._rows_schema(row_schema(columns, text=True)))

    def _rows_schema(self, row: CoreSchema) -> CoreSchema:
        return core_schema.list_schema(row, min_length=1, max_length=self._max_rows)

    def read_json(self, body: bytes, *, mlflow: bool = False) -> PredictionRequest:
        """The rows of a JSON body; ``mlflow`` reads ``instances`` the way MLflow's server answers it.

        Raises:
            Problem: 400 when it is no JSON, 413 for too many rows, 422 naming row and field for the rest.
        """
        given = self._checked(lambda: self._body.validate_json(body))
        if len(given) != 1:
            named = f"it has {' and '.join(given)}" if given else "it has none of them"
            raise Problem(
                422,
                f'the body must be an object with exactly one of "rows", "instances", "dataframe_records" '
                f'or "dataframe_split", such as {{"rows": [{{"column": 1}}]}}; {named}',
            )
        [(name, value)] = given.items()
        if name == "dataframe_split":
            records = _records(value)
            value = self._checked(lambda: self._rows.validate_python(records))
        is_mlflow = name.startswith("dataframe") or (mlflow and name == "instances")
        return PredictionRequest(value, Form.MLFLOW if is_mlflow else Form.OURS, self._ignored(value))

    def read_csv(self, body: bytes) -> PredictionRequest:
        """The rows of a CSV body in UTF-8 whose first line names the columns; an empty cell is no value.

        Raises:
            Problem: 400 when it is no CSV, 413 for too many rows, 422 naming row and field for the rest.
        """
        try:
            lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
        except UnicodeDecodeError as error:
            raise Problem(400, f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
        except csv.Error as error:
            raise Problem(400, f"the body is not CSV: {error}") from error
        names, cells = (lines[0] if lines else []), [line for line in lines[1:] if line]
        records = _records({"columns": names, "data": cells}, empty=None)
        rows = self._checked(lambda: self._cells.validate_python(records))
        return PredictionRequest(rows, Form.OURS, self._ignored(rows))

    def _checked(self, validate: Callable[[], Any]) -> Any:
        try:
            return validate()
        except ValidationError as error:
            raise _problem(error) from None

    def _ignored(self, rows: Sequence[Row]) -> list[str]:
        known = self._known
        unknown: set[str] = set()
        for row in rows:
            if not row.keys() <= known:
                unknown |= row.keys() - known
        return sorted(unknown)[:_SHOWN_IGNORED]


def _records(value: Any, *, empty: Any = "") -> list[Row]:
    """Rows from ``{"columns": […], "data": [[…]]}``; an empty text becomes ``empty``."""
    shape = 'must have "columns", a list of different names, and "data", a list of lists of values'
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise Problem(422, f"dataframe_split {shape}")
    columns, data = value.get("columns"), value["data"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise Problem(422, f"dataframe_split {shape}")
    if len(set(columns)) != len(columns):
        raise Problem(422, "a column is named twice")
    faults = [
        Fault(f"has {len(line) if isinstance(line, list) else 'no'} values for {len(columns)} columns", row)
        for row, line in enumerate(data)
        if not isinstance(line, list) or len(line) != len(columns)
    ]
    if faults:
        raise Problem(
            422,
            _summary(len(faults), len(faults)),
            errors=faults[:SHOWN_FAULTS],
            error_count=len(faults),
            refused_rows=len(data),
        )
    if empty == "":
        return [dict(zip(columns, line, strict=True)) for line in data]
    # A cell that is not there: the column's own rule says whether that is allowed.
    return [
        {name: (cell if cell != "" else empty) for name, cell in zip(columns, line, strict=True)}
        for line in data
    ]


def _problem(error: ValidationError) -> Problem:
    """The problem to answer a body with that pydantic-core refused."""
    found = error.errors(include_url=False, include_input=False)
    first = found[0]
    if first["type"] == "json_invalid":
        return Problem(400, f"the body is not JSON: {first['ctx']['error']}")
    if first["type"] == "too_long":
        most = first["ctx"]["max_length"]
        return Problem(413, f"a request may have {most} rows; send the others in further requests")
    if first["type"] == "too_short":
        return Problem(422, "there are no rows to predict")
    faults = [_fault(each) for each in found[:SHOWN_FAULTS]]
    rows = {row for each in found if (row := _row_of(each["loc"])) is not None}
    return Problem(
        422,
        _summary(len(found), len(rows)),
        errors=faults,
        error_count=len(found),
        refused_rows=len(rows),
    )


def _fault(error: Any) -> Fault:
    place = error["loc"]
    row = _row_of(place)
    after = place[place.index(row) + 1 :] if row is not None else place
    return Fault(wording(error), row=row, field=str(after[0]) if after else None)


def _row_of(place: tuple[int | str, ...]) -> int | None:
    return next((part for part in place[:2] if isinstance(part, int)), None)


def _summary(faults: int, rows: int) -> str:
    if not rows:
        return "the request has not the form that is expected"
    return f"{faults} value{'s' * (faults != 1)} in {rows} row{'s' * (rows != 1)} cannot be predicted with"

"""What a body may say, and what it is answered with when it says something else."""

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.data.checking import check
from mlops_config.runtime.serving.problems import Problem
from mlops_config.runtime.serving.requests import Form, RequestReader
from tests.runtime.serving.scenes import ROW, table_schema

FEATURES = {"distance_km": 0, "expected_minutes": 1, "pickup_hour": 2, "pickup_zone": 5, "raining": 6}


@pytest.fixture(scope="module")
def reader() -> RequestReader:
    return RequestReader(table_schema(), max_rows=10)


def refused(reader: RequestReader, body: bytes | Any, **options: Any) -> Problem:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Problem) as caught:
        reader.read_json(data, **options)
    return caught.value


def row_json(**text: str) -> bytes:
    """A body with one row; values are JSON as it is written."""
    values = {name: json.dumps(value) for name, value in ROW.items()} | text
    members = ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items())
    return f'{{"rows": [{{{members}}}]}}'.encode()


def test_a_rows_values_come_in_the_schemas_order(reader: RequestReader) -> None:
    backwards = dict(reversed(ROW.items()))
    found = reader.read_json(json.dumps({"rows": [backwards]}).encode())
    assert list(found.rows[0].items())[: len(ROW)] == list(ROW.items())
    assert found.form is Form.OURS
    assert found.ignored == []


def test_identifiers_may_come_along_and_unknown_names_are_told(reader: RequestReader) -> None:
    row = {**ROW, "trip_id": "T1", "pickup_time": "2026-01-01T00:07:46Z", "colour": "red", "Äther": 1}
    found = reader.read_json(json.dumps({"rows": [row, ROW]}).encode())
    assert found.rows[0]["trip_id"] == "T1"
    assert found.rows[0]["pickup_time"].isoformat() == "2026-01-01T00:07:46+00:00"
    assert found.rows[1]["trip_id"] is None
    assert found.ignored == ["colour", "Äther"]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("distance_km", '"4.41"', "must be a number"),
        ("distance_km", "true", "must be a number"),
        ("distance_km", "null", "must be a number"),
        ("distance_km", "NaN", "must be a finite number"),
        ("distance_km", "-Infinity", "must be a finite number"),
        ("distance_km", "1e999", "must be a finite number"),
        ("distance_km", "0.05", "must be at least 0.1"),
        ("distance_km", "150.5", "must be at most 150.0"),
        ("distance_km", "[1]", "must be a number"),
        ("pickup_hour", "24", "must be at most 23"),
        ("pickup_hour", "-1", "must be at least 0"),
        ("pickup_hour", "3.5", "must be a whole number"),
        ("pickup_hour", "true", "must be a whole number"),
        ("pickup_hour", "1" + "0" * 400, "must be at most 23"),
        ("pickup_hour", "1e300", "must be a whole number"),
        ("passengers", "7", "must be one of 1, 2, 3, 4, 5, 6"),
        ("pickup_zone", '"Centre"', "must be one of 'airport', 'centre', 'north', 'south', 'west'"),
        ("pickup_zone", "5", "must be text"),
        ("raining", "0", "must be true or false"),
        ("raining", '"false"', "must be true or false"),
        ("pickup_time", "1767225600", "must be text"),
        ("pickup_time", '"1767225600"', "must be a time such as"),
        ("pickup_time", '"2026-13-01T00:00:00Z"', "must be a time such as"),
    ],
)
def test_a_value_that_breaks_the_schema_is_named_by_row_and_field(
    reader: RequestReader, field: str, value: str, sentence: str
) -> None:
    problem = refused(reader, row_json(**{field: value}))
    assert problem.status == 422
    [fault] = problem.errors
    assert (fault.row, fault.field) == (0, field)
    assert fault.detail.startswith(sentence)
    assert problem.refused_rows == 1


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(reader: RequestReader) -> None:
    found = reader.read_json(row_json(pickup_hour="7.0"))
    assert found.rows[0]["pickup_hour"] == 7
    assert isinstance(found.rows[0]["pickup_hour"], int)


def test_whole_numbers_without_bounds_end_at_64_bits() -> None:
    schema = table_schema((("features", 2), {"name": "count", "type": "integral"}))
    reader = RequestReader(schema, max_rows=1)
    row = {**ROW, "count": 2**63 - 1}
    assert reader.read_json(json.dumps({"rows": [row]}).encode()).rows[0]["count"] == 2**63 - 1
    problem = refused(reader, {"rows": [{**row, "count": 2**63}]})
    assert problem.errors[0].detail == f"must be at most {2**63 - 1}"


def test_every_fault_is_counted_and_twenty_are_shown(reader: RequestReader) -> None:
    problem = refused(reader, {"rows": [{"distance_km": "far"}] * 10})
    assert len(problem.errors) == 20
    assert problem.error_count == 70
    assert problem.refused_rows == 10
    assert json.loads(problem.body())["error_count"] == 70


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "the body is not JSON: EOF while parsing"),
        (b'{"rows": [', 400, "the body is not JSON"),
        (b"\xff\xfe", 400, "the body is not JSON"),
        (b'{"rows": "\\ud800"}', 400, "the body is not JSON"),
        (b'{"rows": ' + b"[" * 5000, 400, "the body is not JSON: recursion limit"),
        (b'{"rows": ' + b'{"a":' * 5000, 400, "the body is not JSON: recursion limit"),
        (b'{"rows": [1' + b"0" * 5000 + b"]}", 400, "the body is not JSON: number out of range"),
        (b"[]", 422, "the request has not the form"),
        (b"{}", 422, 'the body must be an object with exactly one of "rows"'),
        (b'{"rows": [], "instances": []}', 422, "there are no rows"),
        (b'{"rows": [{}], "dataframe_split": 1}', 422, "7 values in 1 row"),
        (b'{"rows": []}', 422, "there are no rows"),
        (b'{"rows": null}', 422, "the request has not the form"),
        (b'{"rows": {"distance_km": [1]}}', 422, "the request has not the form"),
        (b'{"rows": [[1, 2]]}', 422, "1 value in 1 row"),
        (b'{"dataframe_split": []}', 422, "dataframe_split must have"),
        (b'{"dataframe_split": {"columns": ["a", "a"], "data": []}}', 422, "a column is named twice"),
        (b'{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}', 422, "1 value in 1 row"),
    ],
)
def test_a_body_of_another_form_is_answered_with_what_is_expected(
    reader: RequestReader, body: bytes, status: int, sentence: str
) -> None:
    problem = refused(reader, body)
    assert problem.status == status
    assert problem.detail.startswith(sentence)


def test_two_kinds_of_rows_in_one_body_are_refused(reader: RequestReader) -> None:
    problem = refused(reader, {"rows": [ROW], "instances": [ROW]})
    assert problem.detail.endswith("it has rows and instances")


def test_too_many_rows_are_refused_whatever_is_in_them(reader: RequestReader) -> None:
    problem = refused(reader, {"rows": [1] * 11})
    assert problem.status == 413
    assert "10 rows" in problem.detail


@pytest.mark.parametrize(
    ("body", "mlflow", "form"),
    [
        ({"instances": [ROW]}, False, Form.OURS),
        ({"instances": [ROW], "parameters": {"a": 1}}, False, Form.OURS),
        ({"instances": [ROW]}, True, Form.MLFLOW),
        ({"dataframe_records": [ROW]}, True, Form.MLFLOW),
        (
            {"dataframe_split": {"columns": [*ROW], "index": [7], "data": [[*ROW.values()]]}},
            True,
            Form.MLFLOW,
        ),
    ],
)
def test_providers_forms_are_read_as_the_same_rows(
    reader: RequestReader, body: Any, mlflow: bool, form: Form
) -> None:
    found = reader.read_json(json.dumps(body).encode(), mlflow=mlflow)
    assert found.form is form
    assert {name: found.rows[0][name] for name in ROW} == ROW


def test_csv_cells_are_read_as_the_columns_types(reader: RequestReader) -> None:
    body = (
        "\ufeffraining,pickup_zone,distance_km,expected_minutes,pickup_hour,weekday,passengers,note\r\n"
        'false,centre,4.41,3.9,0,3,1,"a, b"\r\n'
    ).encode()
    found = reader.read_csv(body)
    assert {name: found.rows[0][name] for name in ROW} == ROW
    assert found.ignored == ["note"]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 422, "there are no rows"),
        (b"distance_km\n", 422, "there are no rows"),
        (b"\xff\n1\n", 400, "the body is not UTF-8"),
        (b'a\n"open', 400, "the body is not CSV"),
        (b"a,b\n1\n", 422, "1 value in 1 row"),
        (b"a,a\n1,2\n", 422, "a column is named twice"),
        (b"a\n" + b"1\n" * 11, 413, "a request may have 10 rows"),
        (b"a\n" + b"x" * 200_000, 400, "the body is not CSV"),
    ],
)
def test_csv_of_another_form_is_refused(
    reader: RequestReader, body: bytes, status: int, sentence: str
) -> None:
    with pytest.raises(Problem) as caught:
        reader.read_csv(body)
    assert caught.value.status == status
    assert caught.value.detail.startswith(sentence)


@pytest.mark.parametrize("cell", ["", "nan", "inf", "far"])
def test_a_csv_cell_that_is_no_number_is_named(reader: RequestReader, cell: str) -> None:
    header, values = ",".join(ROW), ",".join([cell, *(str(value) for value in list(ROW.values())[1:])])
    with pytest.raises(Problem) as caught:
        reader.read_csv(f"{header}\n{values}\n".encode())
    assert [(fault.row, fault.field) for fault in caught.value.errors] == [(0, "distance_km")]


def test_null_is_taken_where_the_training_data_may_have_gaps() -> None:
    schema = table_schema((("features", 0, "completeness_min_fraction"), 0.9))
    found = RequestReader(schema, max_rows=1).read_json(row_json(distance_km="null"))
    assert found.rows[0]["distance_km"] is None


def test_a_column_that_is_not_required_may_be_left_out() -> None:
    schema = table_schema((("features", 5, "required"), False))
    row = {name: value for name, value in ROW.items() if name != "pickup_zone"}
    found = RequestReader(schema, max_rows=1).read_json(json.dumps({"rows": [row]}).encode())
    assert list(found.rows[0])[: len(ROW)] == list(ROW)
    assert found.rows[0]["pickup_zone"] is None


def test_a_domain_with_many_levels_is_told_in_part() -> None:
    levels = [f"zone {{{number}}}" for number in range(50)]
    schema = table_schema((("features", 5, "domain"), levels))
    problem = refused(RequestReader(schema, max_rows=1), {"rows": [ROW]})
    assert problem.errors[0].detail.endswith("'zone (9)' and 40 more")


def schema_with_gaps() -> TableSchema:
    return table_schema(
        (("features", 0, "completeness_min_fraction"), 0.5), (("features", 5, "required"), False)
    )


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "distance_km": st.none() | st.floats(-10, 200) | st.integers(-10, 200),
    "expected_minutes": st.floats(0, 700),
    "pickup_hour": st.integers(-2, 26),
    "weekday": st.integers(-1, 8) | st.sampled_from([3.0, 3.5]),
    "passengers": st.integers(0, 8),
    "pickup_zone": st.sampled_from(["centre", "nowhere", "west", ""]),
    "raining": st.booleans(),
}


@settings(max_examples=60, deadline=None)
@given(row=st.fixed_dictionaries(VALUES))
def test_the_server_and_the_batch_job_take_the_same_rows(row: dict[str, Any]) -> None:
    schema = schema_with_gaps()
    columns = {name: pd.Series([value], dtype=object) for name, value in row.items()}
    valid = len(check(pd.DataFrame(columns), schema, with_target=False).rows) == 1
    try:
        RequestReader(schema, max_rows=1).read_json(json.dumps({"rows": [row]}).encode())
    except Problem:
        assert not valid
    else:
        assert valid

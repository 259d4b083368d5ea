"""Captured values as the training schema means them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.runtime.monitoring.columns import typed


def read(values: list[Any] | pa.Array, kind: str) -> tuple[list[Any], int, int]:
    found = typed(pa.chunked_array([values if isinstance(values, pa.Array) else pa.array(values)]), kind)
    return found.values.to_pylist(), found.missing, found.wrong


@pytest.mark.parametrize(
    ("values", "kind", "expected", "missing", "wrong"),
    [
        ([1.5, None, float("nan"), float("inf"), -2.0], "fractional", [1.5, None, None, None, -2.0], 2, 1),
        (["1.5", "", " 2e3 ", "NA", "far", "inf"], "fractional", [1.5, None, 2000.0, None, None, None], 2, 2),
        ([1, 2], "fractional", [1.0, 2.0], 0, 0),
        ([True, False], "fractional", [None, None], 0, 2),
        ([Decimal("1.25"), None], "fractional", [1.25, None], 1, 0),
        ([1.0, 2.5, float("nan"), float("-inf"), 1e300], "integral", [1, None, None, None, None], 1, 3),
        (["1", "2.0", "2.5", "x", ""], "integral", [1, 2, None, None, None], 1, 2),
        (["a", "", None, "NA"], "string", ["a", "", None, "NA"], 1, 0),
        ([1, 2], "string", [None, None], 0, 2),
        ([True, None], "boolean", [True, None], 1, 0),
        (["true", "False", "0", "yes", ""], "boolean", [True, False, False, None, None], 1, 1),
        ([0, 1, 2], "boolean", [False, True, None], 0, 1),
        ([0.0, 1.0, float("nan")], "boolean", [False, True, None], 1, 0),
        ([{"a": 1}, None], "fractional", [None, None], 1, 1),
        ([[1], [2]], "integral", [None, None], 0, 2),
    ],
)
def test_values_of_a_type(
    values: list[Any], kind: str, expected: list[Any], missing: int, wrong: int
) -> None:
    assert read(values, kind) == (expected, missing, wrong)


def test_points_in_time() -> None:
    noon = datetime(2026, 10, 1, 12, tzinfo=UTC)
    texts = ["2026-10-01T12:00:00Z", "2026-10-01 14:00:00+02:00", "2026-10-01T12:00", "noon", None]
    assert read(texts, "timestamp") == ([noon, noon, noon, None, None], 1, 1)
    assert read([noon], "timestamp") == ([noon], 0, 0)
    assert read([1], "timestamp") == ([None], 0, 1)


def test_a_column_of_nothing_at_all_is_missing_everywhere() -> None:
    for kind in ("integral", "fractional", "string", "boolean", "timestamp"):
        assert read(pa.nulls(3), kind) == ([None] * 3, 3, 0)


@pytest.mark.parametrize("kind", [pa.dictionary(pa.int8(), pa.string()), pa.large_string(), pa.string_view()])
def test_text_is_text_however_it_is_stored(kind: pa.DataType) -> None:
    assert read(pa.array(["a", None, "b"]).cast(kind), "string") == (["a", None, "b"], 1, 0)


@given(st.lists(st.one_of(st.none(), st.text(max_size=8), st.floats().map(str), st.integers().map(str))))
def test_every_value_is_missing_wrong_or_read(values: list[str | None]) -> None:
    for kind in ("integral", "fractional", "string", "boolean", "timestamp"):
        found, missing, wrong = read(pa.array(values, pa.string()), kind)
        assert missing + wrong + sum(each is not None for each in found) == len(values)

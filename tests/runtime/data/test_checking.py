"""What makes a row valid: against a judge that looks at one value at a time, and case by case."""

import math
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.data.checking import REASON_COLUMN, REASONS, Checked, check
from mlops_config.runtime.data.problems import DataError
from tests.runtime.data.schemas import TRIPS, schema, trips

WHOLE = {"name": "a", "type": "integral", "range": [-5, 5]}
NUMBER = {"name": "a", "type": "fractional", "range": [None, 1.5]}
TEXT = {"name": "a", "type": "string", "domain": ["NA", "süd"]}
TRUTH = {"name": "a", "type": "boolean"}
MOMENT = {"name": "a", "type": "timestamp"}
TRUTHS = ("true", "false", "1", "0", "1.0", "0.0", "-0.0")
GAPS = {"completeness_min_fraction": 0.0}


def judged(values: Any, feature: dict[str, Any]) -> Checked:
    return check(pd.DataFrame({"a": values}), schema(feature), with_target=False)


def reasons(values: Any, feature: dict[str, Any]) -> dict[str, int]:
    return {reason.removesuffix(":a"): count for reason, count in judged(values, feature).counts.items()}


def the_reason(value: Any, feature: dict[str, Any]) -> str | None:
    """What one value is refused for, said once more in plain Python."""
    kind = feature["type"]
    is_text = isinstance(value, str)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None if feature.get("completeness_min_fraction", 1.0) < 1 else "missing"
    if kind in ("integral", "fractional"):
        if isinstance(value, bool):
            return "wrong_type"
        try:
            number = float(value)
        except ValueError:
            return "wrong_type"
        if math.isinf(number):
            return "not_finite"
        if kind == "integral" and number != math.floor(number):
            return "wrong_type"
        low, high = feature.get("range", (None, None))
        outside = (low is not None and number < low) or (high is not None and number > high)
        return "out_of_range" if outside else None
    if kind == "boolean":
        return None if str(value).lower() in TRUTHS else "wrong_type"
    if kind == "string":
        if not is_text:
            return "wrong_type"
        return None if value in feature.get("domain", [value]) else "out_of_domain"
    return None if is_text and re.fullmatch(r"2026-\d\d-\d\d.*", value) else "wrong_type"


PLAIN_NUMBERS = st.one_of(
    st.integers(-8, 8),
    st.floats(-3, 3, width=32),
    st.sampled_from([math.inf, -math.inf, math.nan, None]),
)
ANYTHING = st.one_of(
    PLAIN_NUMBERS,
    st.booleans(),
    st.sampled_from(
        ["süd", "7", "-7.0", "x", "1.25", "inf", "2026-01-02", "2026-01-02T03:04:05+02:00", "true"]
    ),
)
FEATURES = st.sampled_from(
    [each | gaps for each in (WHOLE, NUMBER, TEXT, TRUTH, MOMENT) for gaps in ({}, GAPS)]
)


@settings(deadline=None, max_examples=50)
@given(values=st.lists(ANYTHING, min_size=1, max_size=8), feature=FEATURES)
def test_objects_are_judged_as_one_value_at_a_time(values: list[Any], feature: dict[str, Any]) -> None:
    column = pd.Series(values, dtype=object)
    checked = judged(column, feature)
    expected = [the_reason(value, feature) for value in values]
    assert list(checked.rows.index) == [row for row, reason in enumerate(expected) if reason is None]
    assert list(checked.refused[REASON_COLUMN]) == [f"{reason}:a" for reason in expected if reason]


@settings(deadline=None, max_examples=50)
@given(values=st.lists(PLAIN_NUMBERS, min_size=1, max_size=8), feature=FEATURES)
def test_a_column_is_judged_alike_in_every_type_it_may_come_in(
    values: list[Any], feature: dict[str, Any]
) -> None:
    """As Python objects, as floats, and as the text a CSV file would have."""
    floats = [math.nan if value is None else float(value) for value in values]
    as_objects = judged(pd.Series(floats, dtype=object), feature)
    as_floats = judged(pd.Series(floats, dtype="float64"), feature)
    assert as_floats.counts == as_objects.counts
    pd.testing.assert_frame_equal(as_floats.rows, as_objects.rows)
    if feature["type"] in ("integral", "fractional", "boolean"):
        text = [None if math.isnan(value) else repr(value) for value in floats]
        as_text = judged(pd.Series(text, dtype="str"), feature)
        assert as_text.counts == as_objects.counts
        pd.testing.assert_frame_equal(as_text.rows, as_objects.rows)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(ANYTHING, ANYTHING), min_size=1, max_size=8))
def test_every_row_is_valid_or_refused_and_checking_again_refuses_none(
    rows: list[tuple[Any, Any]],
) -> None:
    table = schema({"name": "a", "type": "integral"}, {"name": "b", "type": "string"} | GAPS)
    frame = pd.DataFrame(rows, columns=["a", "b"], dtype=object)
    checked = check(frame, table, with_target=False)
    assert sorted([*checked.rows.index, *checked.refused.index]) == list(range(len(rows)))
    again = check(checked.rows, table, with_target=False)
    assert again.refused.empty
    pd.testing.assert_frame_equal(again.rows, checked.rows)


def test_a_row_with_two_faults_names_both_and_counts_in_both() -> None:
    zones = ["moon", "north", "north", "north"]
    frame = trips(4).assign(distance_km=[-1.0, 2.0, np.inf, 3.0], pickup_zone=zones)
    checked = check(frame, TRIPS, with_target=True)
    assert checked.counts == {
        "out_of_range:distance_km": 1,
        "out_of_domain:pickup_zone": 1,
        "not_finite:distance_km": 1,
    }
    assert list(checked.refused[REASON_COLUMN]) == [
        "out_of_range:distance_km; out_of_domain:pickup_zone",
        "not_finite:distance_km",
    ]
    assert list(checked.refused["pickup_zone"]) == ["moon", "north"]
    assert "1 rows: pickup_zone: a value outside the column's domain" in checked.explained


def test_every_reason_has_its_sentence() -> None:
    values = pd.Series([None, "x", math.inf, 9], dtype=object)
    assert set(reasons(values, WHOLE)) | set(reasons(["moon"], TEXT)) == set(REASONS)


def test_checked_rows_have_one_type_whatever_they_came_as() -> None:
    expected = check(trips(), TRIPS, with_target=True).rows.dtypes.astype(str).to_dict()
    assert expected == {
        "distance_km": "float64",
        "expected_minutes": "float64",
        "pickup_hour": "int64",
        "weekday": "int64",
        "passengers": "int64",
        "pickup_zone": "str",
        "raining": "bool",
        "trip_id": "str",
        "pickup_time": "datetime64[us, UTC]",
        "fare_eur": "float64",
    }
    for frame in (trips().astype(object), trips().astype("str"), trips().convert_dtypes()):
        checked = check(frame, TRIPS, with_target=True)
        assert not checked.counts
        assert checked.rows.dtypes.astype(str).to_dict() == expected


def test_columns_that_may_have_gaps_keep_their_whole_numbers_whole() -> None:
    large = 2**53 + 1
    checked = judged(pd.Series([large, None], dtype=object), {"name": "a", "type": "integral"} | GAPS)
    assert str(checked.rows["a"].dtype) == "Int64"
    assert checked.rows["a"][0] == large


@pytest.mark.parametrize(
    ("value", "feature"),
    [
        (2**63, {"name": "a", "type": "integral"}),
        (-(2**63) - 1, {"name": "a", "type": "integral"}),
        ("9999999999999999999", {"name": "a", "type": "integral"}),
        (float(2**63), {"name": "a", "type": "integral"}),
        ("1e3", {"name": "a", "type": "integral"}),
        ("0x10", {"name": "a", "type": "fractional"}),
        ("1_000", {"name": "a", "type": "fractional"}),
        ([1], {"name": "a", "type": "fractional"}),
        (b"bytes", {"name": "a", "type": "string"}),
        ("yes", TRUTH),
        (2, TRUTH),
        (1767225600, MOMENT),
        ("2026-13-01", MOMENT),
    ],
)
@pytest.mark.parametrize("as_column", [False, True])
def test_what_is_not_of_the_type_is_refused(value: Any, feature: dict[str, Any], as_column: bool) -> None:
    column = pd.Series([value]) if as_column else pd.Series([value], dtype=object)
    assert reasons(column, feature) == {"wrong_type": 1}


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02 03:04:05",
        "2026-01-02T05:04:05+02:00",
        pd.Timestamp("2026-01-02T03:04:05"),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    ],
)
def test_moments_are_utc(value: Any) -> None:
    for column in (pd.Series([value]), pd.Series([value], dtype=object)):
        assert judged(column, MOMENT).rows["a"][0] == pd.Timestamp("2026-01-02T03:04:05Z")


def test_namibia_is_a_text_and_no_value_in_a_number() -> None:
    assert reasons(pd.Series(["NA", "süd"], dtype="str"), TEXT) == {}
    assert reasons(pd.Series(["NA", "1"], dtype="str"), NUMBER) == {"missing": 1}


def test_a_column_without_any_value_is_refused_where_values_are_needed() -> None:
    for column in (pd.Series([None, None], dtype=object), pd.Series([math.nan] * 2)):
        for feature in (WHOLE, NUMBER, TEXT, TRUTH, MOMENT):
            assert reasons(column, feature) == {"missing": 2}
            assert len(judged(column, feature | GAPS).rows) == 2


def test_too_few_values_are_reported_for_the_column() -> None:
    feature = {"name": "a", "type": "fractional", "completeness_min_fraction": 0.8}
    assert judged([1.0, None, None, 4.0], feature).incomplete == {"a": 0.5}
    assert judged([1.0, 2.0, 3.0, 4.0, None], feature).incomplete == {}


def test_a_constant_column_is_as_good_as_any() -> None:
    assert reasons([3] * 10, WHOLE) == {}


def test_unknown_columns_are_named_and_left_out() -> None:
    checked = check(trips().assign(größe=1, extra=2), TRIPS, with_target=True)
    assert checked.extra == ("größe", "extra")
    assert not {"größe", "extra"} & set(checked.rows.columns)


def test_missing_columns_are_named_in_a_sentence() -> None:
    with pytest.raises(DataError, match=r"the data lacks distance_km, trip_id; its columns are pickup_time"):
        check(trips().drop(columns=["distance_km", "trip_id"]), TRIPS, with_target=True)


def test_without_the_target_only_features_are_needed() -> None:
    features = [each.name for each in TRIPS.features]
    checked = check(trips()[features], TRIPS, with_target=False)
    assert list(checked.rows.columns) == features
    assert check(trips(), TRIPS, with_target=False).extra == ()


def test_an_optional_column_may_be_absent_but_not_have_gaps() -> None:
    table = schema(WHOLE | {"required": False}, NUMBER | {"name": "b"})
    absent = check(pd.DataFrame({"b": [1.0]}), table, with_target=False)
    assert absent.rows["a"].isna().all()
    present = check(pd.DataFrame({"a": [None, 1], "b": [1.0, 1.0]}), table, with_target=False)
    assert present.counts == {"missing:a": 1}
    assert present.rows.dtypes.equals(absent.rows.dtypes)


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match="two columns have the name a"):
        check(frame, schema(WHOLE), with_target=False)


def test_no_rows_are_no_error() -> None:
    checked = check(trips(0), TRIPS, with_target=True)
    assert checked.rows.empty
    assert checked.refused.empty
    features = [each.name for each in TRIPS.features]
    assert list(checked.rows.columns) == [*features, "trip_id", "pickup_time", "fare_eur"]


BINARY = {"name": "y", "problem_type": "binary_classification"}
SEVERAL = {"name": "y", "problem_type": "multiclass_classification"}
NUMERIC = {"name": "y", "problem_type": "regression"}


def of_target(target: dict[str, Any]) -> TableSchema:
    return schema({"name": "a", "type": "fractional"}, target=target)


@pytest.mark.parametrize(
    ("target", "values", "dtype", "refused"),
    [
        (BINARY, [True, False], "bool", {}),
        (BINARY, [1, 0], "bool", {}),
        (BINARY, ["true", "0"], "bool", {}),
        (BINARY, [1, 2], "bool", {"wrong_type:y": 1}),
        (BINARY | {"positive_class": 2}, ["1", "2"], "int64", {}),
        (BINARY | {"positive_class": "fraud"}, ["fraud", "fine"], "str", {}),
        (BINARY | {"positive_class": "fraud"}, ["fraud", None], "str", {"missing:y": 1}),
        (SEVERAL, ["1", "2"], "int64", {}),
        (SEVERAL, ["red", "2"], "str", {}),
        (SEVERAL | {"classes": [1, 2, 3]}, [1, 4], "int64", {"out_of_domain:y": 1}),
        (SEVERAL | {"classes": ["a", "b", "c"]}, ["a", "z"], "str", {"out_of_domain:y": 1}),
        (NUMERIC | {"range": [0, 9]}, ["1.5", "10"], "float64", {"out_of_range:y": 1}),
        (NUMERIC, [math.nan, 1.0], "float64", {"missing:y": 1}),
        (NUMERIC, [math.inf, 1.0], "float64", {"not_finite:y": 1}),
    ],
)
def test_the_target_is_judged_by_its_problem(
    target: dict[str, Any], values: list[Any], dtype: str, refused: dict[str, int]
) -> None:
    frame = pd.DataFrame({"a": [0.5] * len(values), "y": values})
    checked = check(frame, of_target(target), with_target=True)
    assert checked.counts == refused
    assert str(checked.rows["y"].dtype) == dtype

"""Checks of the data itself, over everything that can be wrong with a window's rows."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlops_config.contract.models.monitoring import Quality
from mlops_config.contract.models.tables import FractionalFeature
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.runtime.monitoring.captured import read_captured
from mlops_config.runtime.monitoring.quality import MOST_EXTRA_COLUMNS, Examined, examine
from mlops_config.runtime.monitoring.report import QualityCheck
from tests.runtime.monitoring.scenes import (
    CONFIGS,
    DAY,
    TRAINING,
    WINDOW,
    captured,
    without_entity_key,
    write_capture,
)

QUALITY = Quality()
HOUR = timedelta(hours=1)


def judged(
    root: Path,
    rows: dict[str, Any] | None,
    *,
    training: TrainingConfig = TRAINING,
    quality: Quality = QUALITY,
    **options: Any,
) -> Examined:
    if rows is not None:
        write_capture(root, rows)
    found = read_captured(WINDOW, training, CONFIGS.inference, also=["trip_id"], root=root)
    return examine(found, WINDOW, training, quality, **options)


def check(found: Examined, name: str, column: str | None) -> QualityCheck:
    (one,) = [each for each in found.checks if (each.name, each.column) == (name, column)]
    return one


def violated(found: Examined) -> list[tuple[str, str | None]]:
    return [(each.name, each.column) for each in found.checks if each.violated]


def test_good_rows_violate_nothing(tmp_path: Path) -> None:
    found = judged(tmp_path, captured(100))
    assert violated(found) == []
    assert {each.name for each in found.checks} == {
        *("completeness", "datatype", "domain", "range", "duplicates", "freshness")
    }
    assert found.table.num_rows == 100
    assert found.table.column_names[-1] == "fare_eur"


def test_a_missing_column_is_a_violation_and_the_others_are_still_judged(tmp_path: Path) -> None:
    found = judged(tmp_path, captured(100, raining=None, distance_km=[-1.0] * 100))
    assert violated(found) == [("range", "distance_km"), ("missing_column", "raining")]
    assert "missing from all 100 rows" in check(found, "missing_column", "raining").text


def test_a_missing_column_that_is_not_required_is_only_mentioned(tmp_path: Path) -> None:
    schema = TRAINING.schema_
    relaxed = tuple(
        each.model_copy(update={"required": False}) if each.name == "raining" else each
        for each in schema.features
    )
    training = TRAINING.model_copy(update={"schema_": schema.model_copy(update={"features": relaxed})})
    found = judged(tmp_path, captured(100, raining=None), training=training)
    assert violated(found) == []
    assert "does not require" in check(found, "missing_column", "raining").text


def test_extra_columns_are_mentioned_and_no_violation(tmp_path: Path) -> None:
    long = "x" * 5000
    found = judged(tmp_path, {**captured(10), "<script>": [1] * 10, long: [1] * 10})
    extra = [each for each in found.checks if each.name == "extra_column"]
    assert [each.violated for each in extra] == [False, False]
    assert extra[0].column == "<script>"
    assert len(extra[1].text) < 300


def test_thousands_of_extra_columns_do_not_fill_the_report(tmp_path: Path) -> None:
    found = judged(tmp_path, {**captured(3), **{f"extra{each:05d}": [1] * 3 for each in range(1000)}})
    extra = [each for each in found.checks if each.name == "extra_column"]
    assert len(extra) == MOST_EXTRA_COLUMNS + 1
    assert extra[-1].text == "950 further columns are not in the training schema"


def test_a_column_without_any_value(tmp_path: Path) -> None:
    found = judged(tmp_path, captured(100, distance_km=pa.nulls(100)))
    assert violated(found) == [("completeness", "distance_km")]
    assert check(found, "completeness", "distance_km").text == (
        "no row has a value in distance_km; at least 95 % must"
    )


def test_nan_is_missing_and_infinite_is_of_a_wrong_type(tmp_path: Path) -> None:
    values = [float("nan")] * 10 + [float("inf")] * 20 + [5.0] * 70
    found = judged(tmp_path, captured(100, distance_km=values))
    assert violated(found) == [("completeness", "distance_km"), ("datatype", "distance_km")]
    assert check(found, "completeness", "distance_km").value == pytest.approx(0.9)
    assert check(found, "datatype", "distance_km").value == pytest.approx(20 / 90)


def test_a_constant_column_is_no_violation(tmp_path: Path) -> None:
    assert violated(judged(tmp_path, captured(100, distance_km=[5.0] * 100))) == []


def test_new_categories_are_outside_the_domain(tmp_path: Path) -> None:
    zones = ["moon"] * 11 + ["centre"] * 89
    found = judged(tmp_path, captured(100, pickup_zone=zones))
    assert violated(found) == [("domain", "pickup_zone")]
    assert check(found, "domain", "pickup_zone").text == (
        "11 % of the values in pickup_zone are outside the 5 allowed values (such as moon);"
        " at most 10 % may be"
    )


def test_exactly_the_threshold_is_allowed(tmp_path: Path) -> None:
    zones = ["moon"] * 10 + ["centre"] * 90
    assert violated(judged(tmp_path, captured(100, pickup_zone=zones))) == []


def test_a_feature_says_its_own_completeness(tmp_path: Path) -> None:
    schema = TRAINING.schema_
    features = (
        FractionalFeature(name="distance_km", type="fractional", completeness_min_fraction=0.5),
        *schema.features[1:],
    )
    training = TRAINING.model_copy(update={"schema_": schema.model_copy(update={"features": features})})
    values = [None] * 40 + [5.0] * 60
    found = judged(tmp_path, captured(100, distance_km=values), training=training)
    assert check(found, "completeness", "distance_km").threshold == 0.5
    assert violated(found) == []


def test_categories_and_columns_in_any_script(tmp_path: Path) -> None:
    schema = TRAINING.schema_
    features = tuple(
        each.model_copy(update={"domain": ("zürich", "東京", "القاهرة")})
        if each.name == "pickup_zone"
        else each
        for each in schema.features
    )
    training = TRAINING.model_copy(update={"schema_": schema.model_copy(update={"features": features})})
    rows = {
        **captured(100, pickup_zone=["zürich", "東京", "القاهرة", "\u202egnp.exe"] * 25),
        "größe": [1] * 100,
    }
    found = judged(tmp_path, rows, training=training)
    assert violated(found) == [("domain", "pickup_zone")]
    assert check(found, "domain", "pickup_zone").value == pytest.approx(0.25)
    assert check(found, "extra_column", "größe").violated is False


def test_a_replayed_request_repeats_its_prediction_id(tmp_path: Path) -> None:
    rows = captured(100)
    rows["prediction_id"] = rows["prediction_id"][:90] + rows["prediction_id"][:10]
    found = judged(tmp_path, rows)
    assert violated(found) == [("duplicates", "prediction_id")]
    assert check(found, "duplicates", "prediction_id").value == pytest.approx(0.1)


def test_the_same_entity_with_other_features_is_no_duplicate(tmp_path: Path) -> None:
    assert violated(judged(tmp_path, captured(100, trip_id=["one"] * 100))) == []


def test_the_same_entity_with_the_same_features_is_a_duplicate(tmp_path: Path) -> None:
    rows = captured(50)
    twice = {
        name: (pa.concat_arrays([values, values]) if isinstance(values, pa.Array) else [*values, *values])
        for name, values in rows.items()
    }
    twice["prediction_id"] = [f"p{each}" for each in range(100)]
    assert violated(judged(tmp_path, twice)) == [("duplicates", "trip_id")]
    assert violated(judged(tmp_path, twice, training=without_entity_key(TRAINING))) == []


def test_stale_rows_violate_freshness(tmp_path: Path) -> None:
    strict = Quality(freshness_max_age="PT6H")  # type: ignore[arg-type] # as in a file
    rows = captured(100, event_time=pa.array([WINDOW.start + HOUR] * 100, pa.timestamp("us", "UTC")))
    found = judged(tmp_path, rows, quality=strict)
    assert violated(found) == [("freshness", None)]
    assert check(found, "freshness", None).text == (
        "the newest row is 23 h old at the end of the window; at most 6 h is allowed"
    )


def test_silence_shorter_than_the_limit_is_not_judged(tmp_path: Path) -> None:
    found = judged(tmp_path, None)
    assert [(each.name, each.violated) for each in found.checks] == [("freshness", None)]


def test_silence_over_several_windows_is_a_violation(tmp_path: Path) -> None:
    found = judged(tmp_path, None, last_row_before=WINDOW.end - 3 * DAY)
    assert violated(found) == [("freshness", None)]
    assert found.checks[0].text == "no row has come for 3 d; at most 2 d is allowed"


def test_an_unreadable_file_is_a_violation_that_names_it(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(100))
    write_capture(tmp_path, captured(1), name="broken").write_bytes(b"PAR1 and no more")
    found = judged(tmp_path, None)
    assert [each.name for each in found.checks if each.violated] == ["unreadable_file"]
    assert "broken.parquet cannot be read" in found.checks[0].text


def test_a_share_is_never_rounded_to_all_or_nothing(tmp_path: Path) -> None:
    values = [None, *[5.0] * 29_999]
    found = judged(tmp_path, captured(30_000, distance_km=values))
    assert check(found, "completeness", "distance_km").text.startswith("over 99.99 % of the rows")

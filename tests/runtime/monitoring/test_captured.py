"""The rows of a window, out of whatever lies in the folders."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from mlops_config.errors import ServiceError
from mlops_config.runtime.monitoring.captured import Captured, read_captured, read_table
from mlops_config.runtime.monitoring.windows import Window
from tests.runtime.monitoring.scenes import (
    CONFIGS,
    DAY,
    JOB,
    TRAINING,
    WINDOW,
    captured,
    configs,
    write_capture,
)

HOUR = timedelta(hours=1)


def read(root: Path, window: Window = WINDOW, *, mode: str = "endpoint") -> Captured:
    return read_captured(window, TRAINING, configs(mode=mode).inference, also=["trip_id"], root=root)


def times(count: int, start: timedelta, step: timedelta) -> pa.Array:
    return pa.array([WINDOW.start + start + step * each for each in range(count)], pa.timestamp("us", "UTC"))


def test_the_start_belongs_to_a_window_and_the_end_does_not(tmp_path: Path) -> None:
    moments = [WINDOW.start - HOUR / 3600, WINDOW.start, WINDOW.end - HOUR / 3600, WINDOW.end]
    write_capture(tmp_path, captured(4, event_time=pa.array(moments, pa.timestamp("us", "UTC"))))
    assert read(tmp_path).rows["event_time"].to_pylist() == moments[1:3]


def test_a_window_without_any_capture_is_empty(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.rows.num_rows, found.files, found.fingerprint, found.versions()) == (0, 0, None, {})


def test_files_of_other_days_are_not_opened(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(10))
    write_capture(tmp_path, {"not": ["a capture"]}, day="2026-09-20")
    found = read(tmp_path)
    assert found.rows.num_rows == 10
    assert found.unreadable == ()


def test_rows_after_midnight_may_lie_in_the_file_of_the_day_before(tmp_path: Path) -> None:
    window = Window(WINDOW.start.replace(hour=0, minute=0), WINDOW.start.replace(hour=1, minute=0))
    write_capture(tmp_path, captured(10, window=window), day="2026-09-30")
    assert read(tmp_path, window).rows.num_rows == 10


def test_half_a_parquet_file_is_named_and_left_out(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(10))
    broken = write_capture(tmp_path, captured(10, seed=2), name=f"{JOB}-1")
    broken.write_bytes(broken.read_bytes()[:1500])
    found = read(tmp_path)
    assert found.rows.num_rows == 10
    assert [each.uri.rpartition("/")[2] for each in found.unreadable] == [f"{JOB}-1.parquet"]
    assert "magic bytes" in found.unreadable[0].reason.lower()


def test_an_empty_file_and_one_without_times_are_named(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(10), name="a").write_bytes(b"")
    write_capture(tmp_path, captured(10, event_time=None), name="b")
    reasons = [each.reason for each in read(tmp_path).unreadable]
    assert len(reasons) == 2
    assert reasons[1] == "it has no column event_time"


def test_files_being_written_are_not_looked_at(tmp_path: Path) -> None:
    folder = write_capture(tmp_path, captured(10)).parent
    (folder / f".{JOB}-1.parquet").write_bytes(b"half")
    (folder / f"{JOB}-2.parquet.tmp").write_bytes(b"half")
    assert read(tmp_path).unreadable == ()


def test_rows_without_a_time_are_counted_and_left_out(tmp_path: Path) -> None:
    moments = times(3, HOUR, HOUR).to_pylist()
    write_capture(tmp_path, captured(4, event_time=pa.array([*moments, None], pa.timestamp("us", "UTC"))))
    found = read(tmp_path)
    assert (found.rows.num_rows, found.undated) == (3, 1)


@pytest.mark.parametrize("form", ["text", "naive", "seconds"])
def test_times_are_read_however_they_are_stored(tmp_path: Path, form: str) -> None:
    moments = times(5, HOUR, HOUR)
    stored = {
        "text": pa.array([each.isoformat() for each in moments.to_pylist()]),
        "naive": moments.cast(pa.timestamp("us")),
        "seconds": moments.cast(pa.timestamp("s", "UTC")),
    }[form]
    write_capture(tmp_path, captured(5, event_time=stored))
    assert read(tmp_path).rows["event_time"].to_pylist() == moments.to_pylist()


def test_columns_that_one_file_lacks_are_null_in_its_rows(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(3), name="a")
    write_capture(tmp_path, captured(2, seed=2, raining=None), name="b")
    assert read(tmp_path).rows["raining"].null_count == 2


def test_a_column_of_two_types_becomes_text_so_that_no_value_is_lost(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(2, distance_km=[1.5, 2.5]), name="a")
    write_capture(tmp_path, captured(2, seed=2, distance_km=["3.5", "far"]), name="b")
    write_capture(tmp_path, captured(1, seed=3, distance_km=[{"km": 1}]), name="c")
    values = read(tmp_path).rows["distance_km"].to_pylist()
    assert values == ["1.5", "2.5", "3.5", "far", "{'km': 1}"]


def test_whole_numbers_and_fractions_go_together(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(1, distance_km=[2]), name="a")
    write_capture(tmp_path, captured(1, seed=2, distance_km=[2.5]), name="b")
    assert read(tmp_path).rows["distance_km"].to_pylist() == [2.0, 2.5]


def test_versions_are_counted_the_most_first(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(3, version=1), name="a")
    write_capture(tmp_path, captured(5, seed=2, version=2), name="b")
    write_capture(tmp_path, captured(1, seed=3, model_version=pa.array([None], pa.int64())), name="c")
    assert list(read(tmp_path).versions().items()) == [("2", 5), ("1", 3), ("unknown", 1)]


def test_columns_nobody_declared_are_named_and_not_kept(tmp_path: Path) -> None:
    write_capture(tmp_path, {**captured(2), "käse": ["a", "b"], "__index__": [1, 2]})
    found = read(tmp_path)
    assert found.extra_columns == ("__index__", "käse")
    assert "käse" not in found.rows.column_names


def batch(root: Path, run: str, rows: dict[str, object], *, form: str, done: bool = True) -> Path:
    from pyarrow import csv

    folder = root / "build" / "dev" / "predictions" / f"run={run}"
    folder.mkdir(parents=True)
    path = folder / f"part-trips.{form}"
    if form == "csv":
        csv.write_csv(pa.table(rows), path)
    else:
        lines = [
            json.dumps(row, default=lambda value: value.isoformat()) for row in pa.table(rows).to_pylist()
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "quarantine").mkdir()
    (folder / "quarantine" / f"part-trips.{form}").write_text("_reason\nbroken\n", encoding="utf-8")
    if done:
        (folder / "_SUCCESS.json").write_text("{}", encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_predictions_of_a_batch_are_rows_too(tmp_path: Path, form: str) -> None:
    batch(tmp_path, JOB, captured(6), form=form)
    write_capture(tmp_path, captured(4, seed=2))
    assert read(tmp_path, mode="both").rows.num_rows == 10
    assert read(tmp_path, mode="endpoint").rows.num_rows == 4
    assert read(tmp_path, mode="both").unreadable == ()


def test_a_batch_that_has_not_ended_is_named_and_left_out(tmp_path: Path) -> None:
    batch(tmp_path, JOB, captured(6), form="csv", done=False)
    found = read(tmp_path, mode="batch")
    assert found.rows.num_rows == 0
    assert found.unfinished == (f"run={JOB}",)


def test_batches_written_before_the_window_are_not_opened(tmp_path: Path) -> None:
    path = batch(tmp_path, JOB, {"event_time": ["broken"]}, form="csv")
    long_ago = (WINDOW.start - 2 * DAY).timestamp()
    os.utime(path, (long_ago, long_ago))
    assert read(tmp_path, mode="batch").undated == 0


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(3))
    first = read(tmp_path).fingerprint
    assert first == read(tmp_path).fingerprint
    write_capture(tmp_path, captured(3, seed=2), name=f"{JOB}-1")
    assert read(tmp_path).fingerprint != first


def test_a_folder_that_cannot_be_listed_is_an_outage_and_no_empty_window(tmp_path: Path) -> None:
    inference = CONFIGS.inference
    assert inference.data_capture is not None
    gone = inference.data_capture.model_copy(update={"destination_uri": "s3://no-such-bucket-here/capture/"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        with pytest.raises(ServiceError, match="listing s3://no-such-bucket-here"):
            read_captured(
                WINDOW, TRAINING, inference.model_copy(update={"data_capture": gone}), also=[], root=tmp_path
            )


def test_a_table_is_one_file_or_a_folder_of_them(tmp_path: Path) -> None:
    path = write_capture(tmp_path, captured(3))
    for place in (path, path.parent):
        rows, unreadable = read_table(f"file://{place}", tmp_path, ["trip_id", "absent"])
        assert (rows.num_rows, rows.column_names, unreadable) == (3, ["trip_id"], ())
    with pytest.raises(FileNotFoundError):
        read_table("file://./nothing", tmp_path, ["trip_id"])

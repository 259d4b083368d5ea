"""What is kept of requests: whole files with the columns of a record, and never at a request's cost."""

import errno
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_config.contract.models.inference import RECORD_COLUMNS
from mlops_config.errors import ServiceError, of_os_error
from mlops_config.runtime.data.writing import write_table
from mlops_config.runtime.serving.capture import Capture, Captured
from tests.runtime.serving.scenes import DIGEST, JOB, ROW, VERSION, app, asked, inference, table_schema

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Disk:
    """Writes below a folder; can be full, and can be waited for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.full = False
        self.wrote = threading.Semaphore(0)
        self.refused = threading.Semaphore(0)

    def write(self, table: pa.Table, uri: str) -> None:
        if self.full:
            self.refused.release()
            raise of_os_error(OSError(errno.ENOSPC, "No space left on device", uri))
        write_table(table, uri, "parquet", self.root)
        self.wrote.release()

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*.parquet"))

    def table(self, name: str) -> pa.Table:
        return pq.read_table(self.root / name, partitioning=None)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def capture(disk: Disk) -> Callable[..., Capture]:
    def make(**options: Any) -> Capture:
        given: dict[str, Any] = {
            "destination": "file://./capture/",
            "sampling_percent": 100,
            "include_output": True,
            "extra_columns": ("trip_id",),
            "model_version": VERSION,
            "config_digest": DIGEST,
            "job_id": JOB,
            "write": disk.write,
            "on_dropped": [].append,
        }
        return Capture(table_schema(), **{**given, **options})

    return make


def captured(first: int = 1, rows: int = 1, *, time: datetime = NOON) -> Captured:
    return Captured(time, first, [{**ROW, "trip_id": f"T{first}", "colour": 1}] * rows, [9.5] * rows)


def test_a_file_holds_the_columns_of_a_record(disk: Disk, capture: Callable[..., Capture]) -> None:
    one = capture()
    one.add(captured(1, rows=2))
    one.add(captured(3))
    one.close()
    assert disk.files() == [f"capture/date=2026-11-20/{JOB}-0.parquet"]
    table = disk.table(disk.files()[0])
    assert table.column_names == [*RECORD_COLUMNS, *ROW, "trip_id", "fare_eur"]
    assert table.column("prediction_id").to_pylist() == [f"{JOB}-{number}" for number in (1, 2, 3)]
    assert table.schema.field("event_time").type == pa.timestamp("us", tz="UTC")
    last = table.to_pylist()[2]
    assert last == {
        "prediction_id": f"{JOB}-3",
        "event_time": NOON,
        "model_version": VERSION,
        "config_digest": DIGEST,
        **ROW,
        "trip_id": "T3",
        "fare_eur": 9.5,
    }


def test_each_day_has_its_folder(disk: Disk, capture: Callable[..., Capture]) -> None:
    one = capture()
    one.add(captured(1, time=NOON.replace(hour=23, minute=59)))
    one.add(captured(2, time=NOON.replace(day=21, hour=0)))
    one.close()
    assert disk.files() == [
        f"capture/date=2026-11-20/{JOB}-0.parquet",
        f"capture/date=2026-11-21/{JOB}-1.parquet",
    ]


def test_a_file_is_written_when_enough_rows_have_come(disk: Disk, capture: Callable[..., Capture]) -> None:
    one = capture(file_rows=3)
    one.add(captured(1, rows=3))
    assert disk.wrote.acquire(timeout=30)
    one.close()
    assert len(disk.files()) == 1


def test_a_file_is_written_when_its_time_has_come(disk: Disk, capture: Callable[..., Capture]) -> None:
    one = capture(file_seconds=0.01)
    one.add(captured())
    assert disk.wrote.acquire(timeout=30)
    one.close()


def test_without_output_the_prediction_is_left_out(disk: Disk, capture: Callable[..., Capture]) -> None:
    one = capture(include_output=False)
    one.add(captured())
    one.close()
    assert "fare_eur" not in disk.table(disk.files()[0]).column_names


def test_a_sample_is_a_share_of_the_requests(disk: Disk, capture: Callable[..., Capture]) -> None:
    one = capture(sampling_percent=25)
    for number in range(2000):
        one.add(captured(number))
    one.close()
    assert 400 < disk.table(disk.files()[0]).num_rows < 600
    none = capture(sampling_percent=0, job_id="f" * 16)
    none.add(captured())
    none.close()
    assert len(disk.files()) == 1


def test_a_full_disk_costs_no_rows_once_there_is_room_again(
    disk: Disk, capture: Callable[..., Capture]
) -> None:
    lost: list[int] = []
    disk.full = True
    one = capture(file_seconds=0.01, on_dropped=lost.append)
    one.add(captured(1))
    assert disk.refused.acquire(timeout=30)
    disk.full = False
    one.add(captured(2))
    one.close()
    ids = [row for name in disk.files() for row in disk.table(name).column("prediction_id").to_pylist()]
    assert sorted(ids) == [f"{JOB}-1", f"{JOB}-2"]
    assert not lost


def test_rows_beyond_the_buffer_are_dropped_and_counted(
    disk: Disk, capture: Callable[..., Capture], caplog: pytest.LogCaptureFixture
) -> None:
    lost: list[int] = []
    disk.full = True
    one = capture(buffer_rows=5, on_dropped=lost.append)
    one.add(captured(1, rows=4))
    one.add(captured(5, rows=3))
    assert lost == [3]
    one.close()
    assert lost == [3, 4]
    assert "4 captured rows are lost" in caplog.text
    one.add(captured(9))
    assert lost == [3, 4, 1]
    assert disk.files() == []


def test_requests_are_answered_while_nothing_can_be_captured(disk: Disk) -> None:
    disk.full = True
    kept = inference((("data_capture",), {"destination_uri": "file://./capture/"}))
    with asked(app(inference=kept, write=disk.write)) as client:
        assert client.post("/predict", {"rows": [ROW] * 4}).status == 200
        application = client.app
    assert "mlops_capture_rows_dropped_total" in application._telemetry.text().decode()
    assert application._telemetry.dropped._value.get() == 4


def test_what_was_answered_is_what_was_captured(disk: Disk) -> None:
    kept = inference(
        (("data_capture",), {"destination_uri": "file://./capture/"}), (("record",), {"extra_columns": []})
    )
    with asked(app(inference=kept, write=disk.write)) as client:
        answer = client.post("/predict", {"rows": [ROW, {**ROW, "raining": True}]}).json
        client.post("/predict", {"rows": [{}]})
    [name] = disk.files()
    rows = disk.table(name).to_pylist()
    assert [{key: row[key] for key in ("prediction_id", "fare_eur")} for row in rows] == [
        {"prediction_id": one["prediction_id"], "fare_eur": one["prediction"]}
        for one in answer["predictions"]
    ]
    assert [row["raining"] for row in rows] == [False, True]


def test_capture_that_is_off_writes_nothing(disk: Disk) -> None:
    off = inference((("data_capture",), {"destination_uri": "file://./capture/", "enabled": False}))
    with asked(app(inference=off, write=disk.write)) as client:
        assert client.post("/predict", {"rows": [ROW]}).status == 200
    assert disk.files() == []


def test_a_refused_write_leaves_no_half_file(tmp_path: Path, capture: Callable[..., Capture]) -> None:
    blocked = tmp_path / "capture"
    blocked.write_text("a file where a folder has to be")

    def write(table: pa.Table, uri: str) -> None:
        with pytest.raises(ServiceError) as caught:
            write_table(table, uri, "parquet", tmp_path)
        raise caught.value

    lost: list[int] = []
    one = capture(write=write, on_dropped=lost.append)
    one.add(captured())
    one.close()
    assert lost == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["capture"]


def test_what_the_deployer_asks_is_answered_and_neither_recorded_nor_counted(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_LAUNCH", "a token")
    kept = inference((("data_capture",), {"enabled": True, "destination_uri": "file://./capture/"}))
    with asked(app(inference=kept, write=disk.write)) as client:
        before = client.get("/metrics").body
        reply = client.post("/predict", {"rows": [ROW] * 3}, x_mlops_smoke_test="a token")
        assert (reply.status, len(reply.json["predictions"])) == (200, 3)
        assert client.post("/predict", {"rows": []}, x_mlops_smoke_test="a token").status == 422
        assert client.get("/metrics").body == before
        guessed = client.post("/predict", {"rows": [ROW]}, x_mlops_smoke_test="another")
        assert guessed.status == 200
        assert client.get("/metrics").body != before
    [name] = disk.files()
    assert disk.table(name).num_rows == 1, "who does not know the token is recorded as anybody"

"""Tables in files: what is found, what is read, and what is said of files that cannot be read."""

import gzip
import json
import math
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from pyarrow.fs import LocalFileSystem

from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.runtime.data import locations
from mlops_config.runtime.data.checking import check
from mlops_config.runtime.data.dataset import Dataset, open_dataset
from mlops_config.runtime.data.frames import to_table
from mlops_config.runtime.data.locations import Found, filesystem_of
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.data.versions import check_version
from mlops_config.runtime.data.writing import write_table
from tests.runtime.data.schemas import TRIPS, schema, trips

FORMATS = ("parquet", "csv", "jsonl")


def table(rows: int = 6) -> pa.Table:
    return to_table(trips(rows))


def opened(uri: str, format: str = "parquet", root: Path = Path()) -> Dataset:  # noqa: A002
    return open_dataset(uri, format, root, schema=TRIPS)


def valid(dataset: Dataset) -> pd.DataFrame:
    checked = check(dataset.frame(), TRIPS, with_target=True)
    assert not checked.counts
    return checked.rows.reset_index(drop=True)


EXPECTED = check(trips(6), TRIPS, with_target=True).rows


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_back_from_every_place(place: str, format: str) -> None:  # noqa: A002
    write_table(table(), f"{place}/trips.{format}", format, Path())
    pd.testing.assert_frame_equal(valid(opened(f"{place}/trips.{format}", format)), EXPECTED)
    assert opened(place, format).arrow().count_rows() == 6


def test_a_folder_holds_partitions_and_other_programs_notes(place: str) -> None:
    for number in (1, 0):
        part = table().slice(3 * number, 3)
        write_table(part, f"{place}/day={number}/part.parquet", "parquet", Path())
    write_table(table(), f"{place}/_delta_log/old.parquet", "parquet", Path())
    write_table(table(), f"{place}/_SUCCESS", "jsonl", Path())
    write_table(table(), f"{place}/readme.csv", "csv", Path())
    dataset = opened(f"{place}/")
    assert [file.name for file in dataset.files] == ["day=0/part.parquet", "day=1/part.parquet"]
    pd.testing.assert_frame_equal(valid(dataset), EXPECTED)
    assert dataset.columns[-1] == "day"
    assert list(dataset.frame(["day"])["day"]) == ["0"] * 3 + ["1"] * 3
    assert [len(part.frame()) for part in dataset.parts()] == [3, 3]


def test_a_pattern_takes_what_matches(place: str) -> None:
    for name in ("2026-01/a.parquet", "2026-02/a.parquet", "2026-02/b.parquet", "2025-12/a.parquet"):
        write_table(table(), f"{place}/{name}", "parquet", Path())

    def names(pattern: str) -> list[str]:
        return [file.name for file in opened(f"{place}/{pattern}").files]

    assert names("2026-*/a.parquet") == ["2026-01/a.parquet", "2026-02/a.parquet"]
    assert names("**/b.parquet") == ["2026-02/b.parquet"]
    assert names("2026-02/*") == ["a.parquet", "b.parquet"]


def test_the_fingerprint_changes_with_any_file_and_with_nothing_else(place: str) -> None:
    uri = f"{place}/parts"
    write_table(table(), f"{uri}/a.parquet", "parquet", Path())
    write_table(table(), f"{uri}/b.parquet", "parquet", Path())
    first = opened(uri).fingerprint
    assert first.startswith("sha256:")
    assert opened(uri).fingerprint == first
    assert opened(uri).parts()[0].fingerprint != first
    write_table(table(5), f"{uri}/b.parquet", "parquet", Path())
    assert opened(uri).fingerprint != first


def test_nothing_there_is_said_as_such(place: str) -> None:
    with pytest.raises(DataError, match="there is no data at"):
        opened(f"{place}/absent")
    with pytest.raises(DataError, match="there is no data at"):
        opened(f"{place}/absent/*.parquet")


@pytest.mark.parametrize(("scheme", "fixture"), [("s3", "s3_data"), ("gs", "gcs_data")])
def test_a_bucket_that_is_not_there_is_said_as_such(
    scheme: str, fixture: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = request.getfixturevalue(fixture)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
    with pytest.raises(DataError):
        opened(f"{scheme}://no-such-bucket/x")


def test_a_server_that_is_away_is_a_failed_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr(locations, "GCS_RETRY_SECONDS", 1)
    # Names that look like what stores say change nothing.
    for uri in ("s3://data/SIGNATURE.csv", "s3://data/NOT_FOUND.csv", "gs://data/x"):
        with pytest.raises(ServiceError, match=f"looking for data at {uri} failed"):
            opened(uri)


@pytest.mark.parametrize("uri", ["s3://data/in", "gs://data/in"])
def test_a_store_that_goes_away_while_files_are_read_is_a_failed_service(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another try may help, and the file is not to be written again, whatever its name reminds of."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr(locations, "GCS_RETRY_SECONDS", 1)
    filesystem, folder = filesystem_of(uri, Path())
    listed = (Found(f"{folder}/corrupt.parquet", "corrupt.parquet", 4000, None),)
    away = Dataset(uri, "parquet", listed, filesystem)
    vars(away)["_file_schema"] = table().schema  # it was read before
    with pytest.raises(ServiceError, match=rf"^reading {uri}/corrupt\.parquet failed: "):
        away.frame()


def test_a_file_whose_columns_are_broken_is_named_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "trips"
    parquet.write_table(table(1000), path, compression="gzip")
    data = bytearray(path.read_bytes())
    column = parquet.read_metadata(path).row_group(0).column(0)
    middle = column.data_page_offset + column.total_compressed_size // 2
    data[middle : middle + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"{path} cannot be read as parquet: "):
        opened(path.as_uri()).frame()


class Refusing(BaseHTTPRequestHandler):
    """Answers with 403, as a store does to credentials that may not; with 400 where they expired (S3)."""

    def do_GET(self) -> None:
        self.send_response(400 if "expired" in self.path else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_a_store_that_refuses_us_says_to_look_at_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            endpoint = f"http://127.0.0.1:{server.server_port}"
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
            for uri in ("s3://data/NOT_FOUND.csv", "gs://data/NOT_FOUND.csv", "s3://data/expired"):
                with pytest.raises(ServiceError, match=f"looking for data at {uri} was refused: ") as caught:
                    opened(uri)
                assert "check the credentials" in (caught.value.hint or "")
            with pytest.raises(DataError, match="looking for data at gs://data/expired: the request is not"):
                opened("gs://data/expired")
        finally:
            server.shutdown()
            serving.join()


def test_a_folder_of_another_format_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "trips.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"none of the 1 files at .* is parquet: trips\.csv"):
        opened(f"file://{tmp_path}")


def test_relative_uris_are_below_the_root(tmp_path: Path) -> None:
    write_table(table(), "file://./data/trips.parquet", "parquet", tmp_path)
    assert (tmp_path / "data" / "trips.parquet").is_file()
    assert len(opened("file://./data", root=tmp_path).frame()) == 6


def test_other_schemes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no place for data"):
        filesystem_of("https://example.com/x", tmp_path)


def in_file(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return f"file://{path}"


TEXT = schema({"name": "zip", "type": "string"}, {"name": "n", "type": "integral"})


def read(folder: Path, name: str, content: str | bytes) -> pd.DataFrame:
    return open_dataset(in_file(folder, name, content), name.split(".")[1], folder, schema=TEXT).frame()


def test_text_columns_of_csv_keep_leading_zeros_and_namibia(tmp_path: Path) -> None:
    frame = read(tmp_path, "a.csv", "zip,n\n00815,1\nNA,2\n,3\n")
    assert list(frame["zip"].dropna()) == ["00815", "NA"]
    assert frame["zip"].isna().sum() == 1
    assert str(frame["n"].dtype) == "int64"


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv"])
def test_unicode_and_byte_order_marks_are_read(tmp_path: Path, name: str) -> None:
    content = "\N{BYTE ORDER MARK}zip,größe,n\nSüd,1,2\n".encode()
    frame = read(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)
    assert list(frame.columns) == ["zip", "größe", "n"]
    assert frame["zip"][0] == "Süd"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "zip,n\n01,1\n02,none\n03,3.5\n04,NA\n05,1.0\n"),
        (
            "a.jsonl",
            '{"zip": "01", "n": 1}\n{"zip": "02", "n": "none"}\n{"zip": "03", "n": 3.5}\n'
            '{"zip": "04"}\n{"zip": "05", "n": 1.0}\n',
        ),
    ],
)
def test_one_bad_value_costs_its_row_and_no_other(tmp_path: Path, name: str, content: str) -> None:
    checked = check(read(tmp_path, name, content), TEXT, with_target=False)
    assert list(checked.rows["zip"]) == ["01", "05"]
    assert list(checked.rows["n"]) == [1, 1]
    assert checked.counts == {"wrong_type:n": 2, "missing:n": 1}


def test_a_number_in_a_text_column_of_json_is_of_another_type(tmp_path: Path) -> None:
    frame = read(tmp_path, "a.jsonl", '{"zip": 815, "n": 1}\n{"zip": "x", "n": 1}\n')
    assert check(frame, TEXT, with_target=False).counts == {"wrong_type:zip": 1}


def test_lines_that_are_no_objects_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2 of .*a\.jsonl is not JSON"):
        read(tmp_path, "a.jsonl", '{"zip": "x", "n": 1}\n{"zip": "x", \n')
    with pytest.raises(DataError, match=r"line 1 of .*a\.jsonl is not a JSON object"):
        read(tmp_path, "a.jsonl", "[1]\n")


def test_an_empty_file_of_json_lines_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "a.jsonl", "").empty


def test_a_file_without_rows_has_its_columns(tmp_path: Path) -> None:
    frame = read(tmp_path, "a.csv", "zip,n\n")
    assert check(frame, TEXT, with_target=False).rows.empty


CSV = b"zip,n\n" + b"00815,1\n" * 200
CUT = gzip.compress(CSV, mtime=0)[:-10]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "is empty"),
        (
            "a.csv",
            "zip,n\n1,2,3\n",
            r"a\.csv cannot be read as csv: .*Expected 2 columns, got 3",
        ),
        ("a.csv", "zip,n,n\n1,2,3\n", r"a\.csv has two columns of one name: n"),
        ("a.csv", "zïp,n\n".encode("latin-1"), "is not UTF-8"),
        pytest.param("a.csv.gz", CUT, r"a\.csv\.gz cannot be read as csv: ", id="csv cut"),
        pytest.param("a.csv.gz", CSV, r"a\.csv\.gz cannot be read as csv: ", id="csv not compressed"),
        pytest.param("a.jsonl.gz", CUT, r"a\.jsonl\.gz cannot be read as jsonl: ", id="jsonl cut"),
        pytest.param("a.jsonl.gz", CSV, r"a\.jsonl\.gz cannot be read as jsonl: ", id="jsonl not compressed"),
        ("a.parquet", "", r"a\.parquet cannot be read as parquet"),
        ("a.parquet", "zip,n\n1,2\n", r"a\.parquet cannot be read as parquet"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(tmp_path, name, content)


@pytest.mark.parametrize("before", [b"", b"00815,none\n"], ids=["as their types", "as written"])
def test_a_compressed_file_that_is_broken_far_behind_its_header_is_named(
    tmp_path: Path, before: bytes
) -> None:
    in_file(tmp_path, "a.csv", b"zip,n\n" + before)
    # More than is read for the header.
    in_file(tmp_path, "b.csv.gz", gzip.compress(b"zip,n\n" + b"00815,1\n" * 2**18, 1)[:-10])
    with pytest.raises(DataError, match=r"b\.csv\.gz cannot be read as csv: "):
        open_dataset(f"file://{tmp_path}", "csv", tmp_path, schema=TEXT).frame()


def test_a_parquet_file_whose_footer_is_broken_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(table(), path)
    data = bytearray(path.read_bytes())
    data[-100:-8] = b"\xff" * 92
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as parquet: "):
        opened(path.as_uri()).frame()


def test_an_error_that_says_nothing_is_told_by_its_kind() -> None:
    [file] = listed = (Found("/data/a.csv", "a.csv", 1, None),)
    dataset = Dataset("file:///data/a.csv", "csv", listed, LocalFileSystem())
    assert "cannot be read as csv: ArrowInvalid" in str(dataset.unreadable(file, pa.ArrowInvalid()))


def test_a_half_written_parquet_file_among_others_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(table(1000), f"file://{tmp_path}/{name}.parquet", "parquet", tmp_path)
    path = tmp_path / "b.parquet"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"b\.parquet cannot be read as parquet"):
        opened(f"file://{tmp_path}").frame()
    middle = bytearray(data)
    middle[100:400] = bytes(300)
    path.write_bytes(middle)
    with pytest.raises(DataError, match=r"b\.parquet cannot be read as parquet"):
        opened(f"file://{tmp_path}").frame()


def test_files_whose_columns_differ_are_read_together(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"zip": ["1"], "n": pa.array([1], pa.int32())}), tmp_path / "a.parquet")
    parquet.write_table(pa.table({"n": [2**40], "more": [1.5], "zip": ["2"]}), tmp_path / "b.parquet")
    frame = open_dataset(f"file://{tmp_path}", "parquet", tmp_path).frame()
    assert list(frame["n"]) == [1, 2**40]
    assert math.isnan(frame["more"][0])
    (tmp_path / "b.parquet").unlink()
    parquet.write_table(pa.table({"n": [[1]], "zip": ["2"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="do not fit together"):
        open_dataset(f"file://{tmp_path}", "parquet", tmp_path).frame()


def test_whole_numbers_with_gaps_lose_no_digit(tmp_path: Path) -> None:
    large = 2**53 + 1
    parquet.write_table(pa.table({"n": [large, None], "b": [True, None]}), tmp_path / "a.parquet")
    frame = open_dataset(f"file://{tmp_path}", "parquet", tmp_path).frame()
    assert frame["n"][0] == large
    assert frame["b"][0] is True or frame["b"][0]


def test_only_columns_asked_for_are_read(tmp_path: Path) -> None:
    for name in FORMATS:
        write_table(table(), f"file://{tmp_path}/a.{name}", name, tmp_path)
        dataset = opened(f"file://{tmp_path}/a.{name}", name)
        assert list(dataset.frame(["raining", "trip_id"]).columns) == ["raining", "trip_id"]
        with pytest.raises(DataError, match="has no column nope"):
            dataset.frame(["nope"])


def test_json_lines_say_no_value_for_what_is_no_number(tmp_path: Path) -> None:
    rows = pa.table(
        {"x": [math.nan, math.inf, 0.1 + 0.2], "t": pa.array([0, None, 1], pa.timestamp("us", "UTC"))}
    )
    write_table(rows, f"file://{tmp_path}/a.jsonl", "jsonl", tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert lines == [
        {"x": None, "t": "1970-01-01T00:00:00+00:00"},
        {"x": None, "t": None},
        {"x": 0.30000000000000004, "t": "1970-01-01T00:00:00.000001+00:00"},
    ]


class _Failing:
    """Rows that break off while they are written."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, _: pa.Table, stream: Any) -> None:
        stream.write(b"half a file")
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("lost")])
def test_a_write_that_breaks_off_leaves_what_was_there(
    place: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"{place}/a.jsonl"
    write_table(table(), uri, "jsonl", Path())
    before = opened(uri, "jsonl").fingerprint
    with monkeypatch.context() as patch:
        patch.setitem(_writers(), "jsonl", _Failing(error))
        with pytest.raises(type(error)):
            write_table(table(3), uri, "jsonl", Path())
    filesystem, path = filesystem_of(place, Path())
    from pyarrow import fs

    names = [info.base_name for info in filesystem.get_file_info(fs.FileSelector(path))]
    assert names == ["a.jsonl"]
    assert opened(uri, "jsonl").fingerprint == before


def _writers() -> dict[str, Any]:
    from mlops_config.runtime.data import writing

    return writing._WRITERS


def test_a_version_that_names_the_content_is_checked(place: str) -> None:
    uri = f"{place}/a.parquet"
    write_table(table(), uri, "parquet", Path())
    dataset = opened(uri)
    other = "sha256:" + "0" * 64
    for version in (None, "2026-10-01", dataset.fingerprint, dataset.fingerprint[:15]):
        check_version(dataset, version)
    with pytest.raises(IntegrityError, match=r"but data\.source\.version says sha256:0000"):
        check_version(dataset, other)
    if not place.startswith("file://"):
        check_version(dataset, dataset.stamps[0])
        with pytest.raises(IntegrityError, match="was written again"):
            raise _with_hint(dataset)


def _with_hint(dataset: Dataset) -> Exception:
    """What a version of another content says, its hint first."""
    wrong = "0" * 32 if dataset.uri.startswith("s3://") else "1" * 16
    with pytest.raises(IntegrityError) as caught:
        check_version(dataset, wrong)
    return IntegrityError(str(caught.value.hint))


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX")
@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_leaves_what_was_there_and_is_said(tmp_path: Path, format: str) -> None:  # noqa: A002
    """A limit on the size of a file stands in for the disk: the system refuses the write half-way alike."""
    import resource

    uri = f"file://{tmp_path}/a.{format}"
    write_table(table(), uri, format, tmp_path)
    before = opened(uri, format).fingerprint
    large = to_table(trips(50_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(ServiceError, match=rf"writing {re.escape(uri)}: "):
            write_table(large, uri, format, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{format}"]
    assert opened(uri, format).fingerprint == before


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_columns_that_no_row_has_are_absent(tmp_path: Path, format: str) -> None:  # noqa: A002
    rows = trips(4).drop(columns=["trip_id", "pickup_time", "fare_eur"])
    write_table(to_table(rows), f"file://{tmp_path}/a.{format}", format, tmp_path)
    dataset = opened(f"file://{tmp_path}/a.{format}", format)
    assert not {"trip_id", "pickup_time", "fare_eur"}.intersection(dataset.columns)
    checked = check(dataset.frame(), TRIPS, with_target=False)
    assert (len(checked.rows), dict(checked.counts)) == (4, {})
    with pytest.raises(DataError, match="the data lacks trip_id, pickup_time, fare_eur"):
        check(dataset.frame(), TRIPS, with_target=True)


def test_a_key_without_any_value_is_a_column(tmp_path: Path) -> None:
    frame = read(tmp_path, "a.jsonl", '{"zip": null, "n" :1}\n{"n": 2}\n')
    assert list(frame.columns) == ["zip", "n"]
    assert frame["zip"].isna().all()


def test_of_several_files_one_may_lack_a_column(tmp_path: Path) -> None:
    write_table(table(3), f"file://{tmp_path}/a.jsonl", "jsonl", tmp_path)
    without = trips(2).drop(columns="pickup_time")
    write_table(to_table(without), f"file://{tmp_path}/b.jsonl", "jsonl", tmp_path)
    checked = check(opened(f"file://{tmp_path}/", "jsonl").frame(), TRIPS, with_target=True)
    assert (len(checked.rows), dict(checked.counts)) == (3, {"missing:pickup_time": 2})

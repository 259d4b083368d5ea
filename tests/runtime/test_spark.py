"""What runs on Spark, in one module: its session takes longer to start than all of this takes."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from mlops_config.errors import ServiceError, UsageError
from mlops_config.runtime.data.dataset import Dataset
from mlops_config.runtime.data.locations import Found, filesystem_of
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.inference.scoring import Batch
from mlops_config.runtime.inference.spark import score_with_spark
from mlops_config.runtime.inference.units import NUMBERS_A_FILE, Unit
from mlops_config.runtime.model.storage import write_package
from mlops_config.runtime.profile.making import profile, reference_profile
from tests.runtime.inference.scenes import NOW, PARTS, VERSION, Scene
from tests.runtime.profile.tables import training, trips
from tests.runtime.serving.scenes import package

pytestmark = pytest.mark.usefixtures("spark")

REFERENCE = reference_profile(trips(100), training({"amount": "fractional", "zone": "string"}))
TABLE = trips(400, seed=7)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> ds.Dataset:
    """The table in two Parquet files, one of them with zones that are new."""
    folder = tmp_path_factory.mktemp("parts")
    new = pa.array([f"new {number:03}" for number in range(200)])
    pq.write_table(TABLE.slice(0, 200), folder / "a.parquet")
    pq.write_table(TABLE.slice(200).set_column(2, "zone", new), folder / "b.parquet")
    return ds.dataset(folder, format="parquet")


def test_spark_makes_the_profile_that_duckdb_makes(parts: ds.Dataset) -> None:
    assert profile(parts, REFERENCE, engine="spark") == profile(parts, REFERENCE)


def test_a_spark_frame_is_profiled_where_it_lives_and_merges_with_what_duckdb_made(
    spark: Any, parts: ds.Dataset
) -> None:
    one, other = sorted(parts.files)
    by_spark = profile(spark.read.parquet(one), REFERENCE)
    assert by_spark.merge(profile(ds.dataset(other, format="parquet"), REFERENCE)) == profile(
        parts, REFERENCE
    )
    assert spark.catalog.listTables() == []


def test_an_arrow_table_goes_to_spark_without_its_missing_columns() -> None:
    table = TABLE.select(["zone"])
    assert profile(table, REFERENCE, engine="spark") == profile(table, REFERENCE)


def test_spark_reads_data_sets_of_parquet_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("amount\n1.5\n")
    with pytest.raises(UsageError, match="Parquet files only"):
        profile(ds.dataset(tmp_path, format="csv"), REFERENCE, engine="spark")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    model = tmp_path / "model"
    write_package(package(), model)
    return Scene(tmp_path / "project", model)


@pytest.mark.filterwarnings("ignore")  # pyspark's own, of Python and pandas
def test_spark_writes_the_same_files(scene: Scene, tmp_path: Path) -> None:
    whole = Scene(tmp_path / "whole", scene.model)
    for each in (whole, scene):
        each.harm()
    whole.run()
    assert scene.run(engine="spark").predicted == 27
    assert scene.files() == whole.files()


@pytest.mark.filterwarnings("ignore")
def test_what_fails_in_a_task_of_spark_is_the_sentence_that_it_is_here(scene: Scene) -> None:
    path = scene.folder / "data" / "in" / f"{PARTS[1]}.parquet"
    data = path.read_bytes()
    # Only who reads the rows notices: the footer is whole.
    path.write_bytes(data[:4] + b"\xff" * 200 + data[204:])
    with pytest.raises(DataError, match=r"date=2026-11-19/a.parquet cannot be read as parquet") as caught:
        scene.run(engine="spark")
    assert caught.value.hint is not None
    assert not any("_SUCCESS" in name for name in scene.files())


class Refusing(BaseHTTPRequestHandler):
    """Answers everything with 403, and remembers what it was asked for."""

    asked: ClassVar[set[str]]

    def do_GET(self) -> None:
        self.asked.add(self.path.partition("?")[0])
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.mark.filterwarnings("ignore")
def test_a_store_that_fails_in_a_task_of_spark_ends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would wait for it until its own time is over."""
    units, asked = 30, set[str]()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Store", (Refusing,), {"asked": asked})) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
            filesystem, folder = filesystem_of("gs://data/in", Path())
            listed = tuple(Found(f"{folder}/{n}.parquet", f"{n}.parquet", 4000, NOW) for n in range(units))
            parts = Dataset("gs://data/in", "parquet", listed, filesystem).parts()
            work = [Unit(f"part-{n}", part, n * NUMBERS_A_FILE + 1) for n, part in enumerate(parts)]
            with pytest.raises(ServiceError, match=r"^reading gs://data/in/\d+\.parquet was ") as caught:
                list(score_with_spark(work, batch_into(tmp_path), package()))
        finally:
            server.shutdown()
            serving.join()
    assert "check the credentials" in (caught.value.hint or "")
    assert 0 < len(asked) < units


def batch_into(folder: Path) -> Batch:
    return Batch(
        job_id="0" * 16,
        folder=folder.as_uri(),
        format="parquet",
        root=folder,
        event_time=NOW,
        model_version=VERSION,
        config_digest="sha256:" + "0" * 64,
        extra_columns=(),
        on_invalid_row="quarantine",
    )

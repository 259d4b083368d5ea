"""The jobs' own code with a server for S3, under the policy that the reviewed plan gives them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from mlops_config.errors import ServiceError
from mlops_config.runtime.data.locations import files_at, filesystem_of
from mlops_config.runtime.data.writing import write_table
from mlops_config.runtime.inference.notes import read_note, write_note
from mlops_config.store import open_store
from mlops_config.store.objects import ObjectStore
from tests.services.s3 import lead_to
from tests.terraform import golden
from tests.terraform.authorization import Statement
from tests.terraform.s3_under_policies import s3_under

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("_as_a_job")

BUCKET = "acme-city-taxi-staging"
ROWS = pa.table({"fare": [1.5, 2.5]})


@pytest.fixture(scope="module")
def statements() -> list[Statement]:
    """What staging's jobs may do with data."""
    plan = json.loads((golden.FOLDER / "staging-aws.json").read_text("utf-8"))
    policy = plan["resources"]["module.environment.module.model_endpoint_roles.aws_iam_policy.data[0]"]
    found: list[Statement] = policy["policy"]["JSON"]["Statement"]
    return found


@pytest.fixture(scope="module")
def data(s3_client: "S3Client", tmp_path_factory: pytest.TempPathFactory) -> Iterator["S3Client"]:
    """The bucket that staging's files name, with what other people put there."""
    s3_client.create_bucket(Bucket=BUCKET)
    file = tmp_path_factory.mktemp("rows") / "part-0.parquet"
    write_table(ROWS, file.as_uri(), "parquet", file.parent)
    for key in ("trips/curated/date=2026-10-01/part-0.parquet", "payroll/2026.parquet"):
        s3_client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
    yield s3_client
    for each in s3_client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3_client.delete_object(Bucket=BUCKET, Key=each["Key"])
    s3_client.delete_bucket(Bucket=BUCKET)


@pytest.fixture(scope="module")
def _as_a_job(statements: list[Statement], data: "S3Client", s3_endpoint: str) -> Iterator[None]:
    """Leads everything that asks for S3 to the server as a job sees it."""
    with s3_under(statements, s3_endpoint, data) as proxy, pytest.MonkeyPatch.context() as patch:
        lead_to(f"http://{proxy.host}", patch)
        patch.setenv(
            "AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"
        )  # in a header: no trailer to pass on
        yield


@pytest.mark.parametrize("uri", [f"s3://{BUCKET}/trips/curated/", f"s3://{BUCKET}/trips/curated"])
def test_a_job_finds_its_data_in_a_folder(tmp_path: Path, uri: str) -> None:
    filesystem, path = filesystem_of(uri, tmp_path)
    (found,) = files_at(filesystem, path, "parquet", uri=uri)
    assert found.name == "date=2026-10-01/part-0.parquet"


def test_a_job_writes_results_and_a_note_and_finds_them_again(tmp_path: Path) -> None:
    folder = f"s3://{BUCKET}/fares/predictions"
    assert read_note(f"{folder}/2026-10-01/_notes.json", tmp_path) is None
    write_table(ROWS, f"{folder}/2026-10-01/part-0.parquet", "parquet", tmp_path)
    write_note(f"{folder}/2026-10-01/_notes.json", {"rows": 2}, tmp_path)

    assert read_note(f"{folder}/2026-10-01/_notes.json", tmp_path) == {"rows": 2}
    filesystem, path = filesystem_of(f"{folder}/", tmp_path)
    (found,) = files_at(filesystem, path, "parquet", uri=folder)
    assert found.name == "2026-10-01/part-0.parquet"


def test_a_job_keeps_reports_and_knows_which_there_are_not() -> None:
    reports = open_store(f"s3://{BUCKET}/fares/reports/")
    assert isinstance(reports, ObjectStore)
    assert reports.get("2026-10-01/report.json") is None
    assert reports.put_if_absent("2026-10-01/report.json", b"{}")
    assert list(reports.keys("")) == ["2026-10-01/report.json"]


def test_a_job_sees_nothing_else_and_removes_nothing(tmp_path: Path) -> None:
    for uri in (f"s3://{BUCKET}/payroll/2026.parquet", f"s3://{BUCKET}/payroll/"):
        filesystem, path = filesystem_of(uri, tmp_path)
        with pytest.raises(ServiceError, match="ACCESS_DENIED"):
            files_at(filesystem, path, "parquet", uri=uri)
    filesystem, path = filesystem_of(f"s3://{BUCKET}/trips/curated/date=2026-10-01/part-0.parquet", tmp_path)
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        filesystem.delete_file(path)
    with pytest.raises(ServiceError, match="ACCESS_DENIED"):
        write_table(ROWS, f"s3://{BUCKET}/trips/curated/mine.parquet", "parquet", tmp_path)

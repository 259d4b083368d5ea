"""The job with its real neighbours: models in MLflow, captures and reports in buckets."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_config.contract.models.monitoring import Report
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.monitoring.job import reports, run
from mlops_config.runtime.monitoring.retention import delete_expired
from mlops_config.runtime.tracking.mlflow import MlflowRegistry
from tests.runtime.monitoring.scenes import (
    CONFIGS,
    DAY,
    FOREIGN_WARNINGS,
    JOB,
    NOW,
    WINDOW,
    baseline,
    captured,
    job_context,
    write_capture,
)
from tests.runtime.tracking import models
from tests.services.gcs import make_bucket
from tests.services.s3 import BUCKET, lead_to

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = [pytest.mark.e2e, *FOREIGN_WARNINGS]


def test_the_baseline_of_a_version_in_mlflow(tmp_path: Path, mlflow_database: str) -> None:
    registry = MlflowRegistry(mlflow_database)
    package = replace(models.package(), profile=baseline())
    recorded = registry.record(
        models.run("city-taxi/trip-fare/dev"), package, registered_model_name="trip-fare-dev"
    )
    write_capture(tmp_path, captured(version=recorded.version, shift=0.7))
    job = job_context(tmp_path, registry=registry)
    run(job)
    report = next(reports(job))
    assert report.reference is not None
    assert (report.reference.source, report.reference.digest) == (
        "trip-fare-dev version 1",
        baseline().digest,
    )
    assert report.signal("drift").violated is True


def in_bucket(root: Path, place: str, *, days: int = 0) -> JobContext:
    """A context whose captures and reports lie below ``place``."""
    capture = CONFIGS.inference.data_capture
    assert capture is not None
    inference = CONFIGS.inference.model_copy(
        update={"data_capture": capture.model_copy(update={"destination_uri": f"{place}/capture/"})}
    )
    kept = Report(destination_uri=f"{place}/reports/", retention="P1D")  # type: ignore[arg-type]
    monitoring = CONFIGS.monitoring.model_copy(update={"report": kept})
    obeyed = replace(CONFIGS, inference=inference, monitoring=monitoring)
    return job_context(root, now=NOW + days * DAY, obeyed=obeyed)


def monitored(root: Path, place: str, capture: Path) -> None:
    from mlops_config.runtime.data.locations import filesystem_of

    filesystem, path = filesystem_of(f"{place}/capture/date=2026-10-01/{JOB}-0.parquet", root)
    with filesystem.open_output_stream(path) as stream:
        stream.write(capture.read_bytes())
    first = run(in_bucket(root, place))
    assert [(each.state, each.rows) for each in first.windows] == [("judged", 400)]
    assert first.windows[0].uri == f"{place}/reports/{WINDOW.id}/report.json"
    again = run(in_bucket(root, place))
    assert [each.state for each in again.windows] == ["already_judged"]
    for day in range(1, 5):
        run(in_bucket(root, place, days=day))
    job = in_bucket(root, place, days=4)
    assert len(list(reports(job))) == 5
    assert delete_expired(job)[0] == WINDOW.id
    assert len(list(reports(job))) == 3


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.parquet"
    pq.write_table(pa.table(captured()), path)
    return path


def test_captures_and_reports_in_s3(
    tmp_path: Path,
    capture: Path,
    s3_endpoint: str,
    s3_client: "S3Client",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead_to(s3_endpoint, monkeypatch)
    monitored(tmp_path, f"s3://{BUCKET}/monitoring/dev", capture)
    assert s3_client.list_objects_v2(Bucket=BUCKET, Prefix="monitoring/dev/reports/")["KeyCount"] > 0


def test_captures_and_reports_in_google_cloud_storage(
    tmp_path: Path, capture: Path, gcs_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_endpoint)
    make_bucket(gcs_endpoint, "monitoring-reports")
    monitored(tmp_path, "gs://monitoring-reports/dev", capture)

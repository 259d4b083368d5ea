"""Old reports go when somebody asks for it, and no others."""

from datetime import timedelta
from pathlib import Path

import pytest

from mlops_config.contract.models.monitoring import Report, ViolationPolicy
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.monitoring.job import reports, run
from mlops_config.runtime.monitoring.retention import delete_expired, expired
from tests.runtime.monitoring.scenes import DAY, FOREIGN_WARNINGS, NOW, configs, job_context

pytestmark = [*FOREIGN_WARNINGS]


def context(root: Path, days: int, *, windows: int = 1) -> JobContext:
    kept = Report(destination_uri="file://./build/dev/reports/", retention="P3D")  # type: ignore[arg-type]
    policy = ViolationPolicy(evaluation_windows=windows, violation_windows=1)
    return job_context(root, now=NOW + days * DAY, obeyed=configs(report=kept, violation_policy=policy))


@pytest.fixture
def six_days(tmp_path: Path) -> Path:
    for day in range(6):
        run(context(tmp_path, day))
    return tmp_path


def test_reports_older_than_their_retention_are_deleted(six_days: Path) -> None:
    job = context(six_days, 5)
    before = [each.window_id for each in reports(job)]
    assert delete_expired(job) == tuple(reversed(before[3:]))
    assert [each.window_id for each in reports(job)] == before[:3]
    assert len(list((six_days / "build" / "dev" / "reports").iterdir())) == 3
    assert delete_expired(job) == ()


def test_the_job_deletes_nothing(six_days: Path) -> None:
    job = context(six_days, 5)
    assert len(expired(job)) == 3
    run(job)
    assert len(expired(job)) == 3


def test_what_the_policy_looks_at_is_kept(six_days: Path) -> None:
    assert len(expired(context(six_days, 5, windows=5))) == 1
    later = context(six_days, 400)
    assert len(expired(later)) == 5
    assert later.now - next(reports(later)).window_end > timedelta(days=300)

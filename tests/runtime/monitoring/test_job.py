"""The monitoring job from captured rows to report, ledger and metrics, and again after every accident."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlops_config.contract.models.monitoring import PreviousWindowReference, UriReference, ViolationPolicy
from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.monitoring.job import MonitoringOutcome, reports, run
from mlops_config.runtime.monitoring.report import MonitoringReport
from mlops_config.runtime.monitoring.windows import Window
from mlops_config.store.local import LocalStore
from tests.runtime.monitoring.scenes import (
    DAY,
    FOREIGN_WARNINGS,
    JOB,
    NOW,
    WINDOW,
    Registry,
    baseline,
    captured,
    configs,
    features,
    job_context,
    write_capture,
)

pytestmark = [*FOREIGN_WARNINGS]

ONCE = ViolationPolicy(evaluation_windows=1, violation_windows=1)


def later(days: int) -> Window:
    return Window(WINDOW.start + days * DAY, WINDOW.end + days * DAY)


def capture_day(root: Path, days: int, **options: Any) -> None:
    window = later(days)
    rows = captured(window=window, seed=days + 1, **options)
    write_capture(root, rows, name=f"{JOB}-{days}", day=window.start.date().isoformat())


def folder(root: Path, window: Window = WINDOW) -> Path:
    return root / "build" / "dev" / "reports" / window.id


def entries(context: JobContext) -> list[LedgerEntry]:
    return [each for each in context.ledger.entries() if each.event is Event.MONITORED]


def report_of(root: Path, window: Window = WINDOW) -> MonitoringReport:
    return MonitoringReport.model_validate_json((folder(root, window) / "report.json").read_bytes())


def metrics(root: Path) -> str:
    (file,) = (root / ".mlops-config" / "metrics").glob("*monitoring.prom")
    return file.read_text(encoding="utf-8")


def everything(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted((root / "build").rglob("*")) if path.is_file()}


def test_a_window_without_drift(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    context = job_context(tmp_path)
    outcome = run(context)
    assert outcome.summary == f"{WINDOW.id} (judged): 400 rows, no violation"
    assert sorted(each.name for each in folder(tmp_path).iterdir()) == [
        *("profile.json", "report.html", "report.json")
    ]
    report = report_of(tmp_path)
    assert (report.rows, report.model_version, report.model_versions) == (400, 1, {"1": 400})
    assert report.reference is not None
    assert report.reference.digest == baseline().digest
    assert [each.name for each in report.drift if each.drifted] == []
    assert {each.signal: each.violated for each in report.signals} == {
        "drift": False,
        "prediction_drift": False,
        "quality": False,
        "performance": None,
    }


def test_the_ledger_is_told_what_was_found(tmp_path: Path) -> None:
    capture_day(tmp_path, 0, shift=0.7)
    context = job_context(tmp_path)
    run(context)
    (entry,) = entries(context)
    assert entry.uri == (folder(tmp_path) / "report.json").as_uri()
    assert (entry.window_start, entry.window_end, entry.rows) == (WINDOW.start, WINDOW.end, 400)
    assert entry.model is not None
    assert (entry.model.name, entry.model.version) == ("trip-fare-dev", 1)
    assert [each.code for each in entry.reasons] == [
        *("drift_violated", "prediction_drift_violated", "quality_fine", "performance_not_judged")
    ]
    assert entry.data_fingerprint is not None
    assert entry.job_id == context.job_id


def test_prometheus_gets_the_newest_window(tmp_path: Path) -> None:
    capture_day(tmp_path, 0, shift=0.7)
    run(job_context(tmp_path))
    text = metrics(tmp_path)
    assert "mlops_monitoring_window_rows{" in text
    assert 'feature="distance_km"' in text
    (share,) = [line for line in text.splitlines() if line.startswith("mlops_drift_share_fraction")]
    assert float(share.rpartition(" ")[2]) == report_of(tmp_path).signal("drift").value
    assert 'signal="performance"' not in text


def test_the_same_window_again_changes_nothing(tmp_path: Path) -> None:
    capture_day(tmp_path, 0, shift=0.7)
    first = run(job_context(tmp_path))
    before = everything(tmp_path)
    capture_day(tmp_path, 0, shift=0.0)  # rows that came too late
    before |= {name: data for name, data in everything(tmp_path).items() if "capture" in name}
    context = job_context(tmp_path, now=NOW + timedelta(hours=1), job_id="1" * 16)
    again = run(context)
    assert everything(tmp_path) == before
    assert len(entries(context)) == 1
    assert [each.state for each in again.windows] == ["already_judged"]
    assert [each.signals for each in again.windows] == [each.signals for each in first.windows]


def test_drift_in_two_of_three_windows_is_confirmed(tmp_path: Path) -> None:
    outcomes: list[MonitoringOutcome] = []
    for day, shift in enumerate([0.7, 0.0, 0.7]):
        capture_day(tmp_path, day, shift=shift)
        outcomes.append(run(job_context(tmp_path, now=NOW + day * DAY), fail_on_violation=True))
    assert [each.exit_code for each in outcomes] == [0, 0, 1]
    assert outcomes[2].windows[0].confirmed == ("drift", "prediction_drift")
    assert "drift CONFIRMED" in outcomes[2].summary


def test_drift_is_a_result_and_no_failure(tmp_path: Path) -> None:
    capture_day(tmp_path, 0, shift=0.7)
    outcome = run(job_context(tmp_path, obeyed=configs(violation_policy=ONCE)))
    assert outcome.windows[0].confirmed == ("drift", "prediction_drift")
    assert outcome.exit_code == 0


def test_the_outcome_is_json(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    document = json.loads(json.dumps(run(job_context(tmp_path)).document()))
    assert document["windows"][0]["window_id"] == WINDOW.id


def test_an_empty_window_has_a_report_too(tmp_path: Path) -> None:
    context = job_context(tmp_path)
    outcome = run(context)
    assert outcome.summary == f"{WINDOW.id} (judged): 0 rows, nothing judged"
    report = report_of(tmp_path)
    assert report.reference is None
    assert {each.violated for each in report.signals} == {None}
    assert {each.reason for each in report.signals[:3]} == {"no row was captured in the window"}
    assert sorted(each.name for each in folder(tmp_path).iterdir()) == ["report.html", "report.json"]
    assert len(entries(context)) == 1


def test_silence_for_longer_than_allowed_is_a_violation(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    for day in range(3):
        run(job_context(tmp_path, now=NOW + day * DAY))
    assert report_of(tmp_path, later(1)).signal("quality").violated is None
    quality = report_of(tmp_path, later(2)).signal("quality")
    assert quality.violated is True
    assert quality.reason is not None
    assert "no row has come for 2 d" in quality.reason


def test_missed_windows_are_caught_up(tmp_path: Path) -> None:
    for day in range(4):
        capture_day(tmp_path, day, shift=0.7 if day else 0.0)
    run(job_context(tmp_path))
    outcome = run(job_context(tmp_path, now=NOW + 3 * DAY))
    assert [each.window_id for each in outcome.windows] == [later(day).id for day in (1, 2, 3)]
    assert [bool(each.confirmed) for each in outcome.windows] == [False, True, True]


def test_a_clock_that_went_back_judges_nothing_and_says_so(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    capture_day(tmp_path, 1)
    run(job_context(tmp_path, now=NOW + DAY))
    outcome = run(job_context(tmp_path))
    assert outcome.windows == ()
    assert "nothing is judged: it is 2026-10-02T07:00:00Z on this clock" in outcome.summary
    assert not folder(tmp_path).exists()


def test_a_window_can_be_asked_for(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    half = (WINDOW.start, WINDOW.start + DAY / 2)
    outcome = run(job_context(tmp_path), window=half)
    assert outcome.windows[0].rows == 200
    with pytest.raises(UsageError, match="in the future"):
        run(job_context(tmp_path), window=(NOW, NOW + DAY))


def test_monitoring_that_is_switched_off_does_nothing(tmp_path: Path) -> None:
    outcome = run(job_context(tmp_path, obeyed=configs(enabled=False)))
    assert outcome.summary == "monitoring is switched off in the monitoring file"
    assert not (tmp_path / "build").exists()


def test_reports_come_newest_first(tmp_path: Path) -> None:
    for day in range(3):
        capture_day(tmp_path, day)
        run(job_context(tmp_path, now=NOW + day * DAY))
    found = [each.window_id for each in reports(job_context(tmp_path))]
    assert found == [later(2).id, later(1).id, WINDOW.id]


def test_several_model_versions(tmp_path: Path) -> None:
    write_capture(tmp_path, captured(300, version=2), name="a")
    write_capture(tmp_path, captured(200, seed=2, version=1), name="b")
    registry = Registry({1: baseline(), 2: baseline(7)})
    run(job_context(tmp_path, registry=registry))
    report = report_of(tmp_path)
    assert report.model_versions == {"2": 300, "1": 200}
    assert report.reference is not None
    assert report.reference.digest == baseline(7).digest
    assert report.warnings == (
        "several model versions made the rows (2: 300, 1: 200); the reference is that of the first",
    )


def test_a_version_the_registry_does_not_have_leaves_drift_unjudged(tmp_path: Path) -> None:
    capture_day(tmp_path, 0, version=7)
    run(job_context(tmp_path))
    report = report_of(tmp_path)
    assert report.signal("drift").reason == (
        "version 7 of trip-fare-dev is not in the model registry, nor is its baseline"
    )
    assert report.signal("quality").violated is False


@pytest.mark.parametrize(
    ("columns", "unjudged", "checks"),
    [
        ({"raining": None}, "raining", {"missing_column"}),
        ({"distance_km": pa.nulls(400)}, "distance_km", {"completeness"}),
        ({"distance_km": [float("nan")] * 400}, "distance_km", {"completeness"}),
        ({"distance_km": [float("inf")] * 400}, "distance_km", {"datatype"}),
        ({"distance_km": ["far"] * 400}, "distance_km", {"datatype"}),
        ({"größe": [1] * 400}, None, set()),
    ],
)
def test_columns_that_are_not_as_they_should_be(
    tmp_path: Path, columns: dict[str, Any], unjudged: str | None, checks: set[str]
) -> None:
    capture_day(tmp_path, 0, **columns)
    run(job_context(tmp_path))
    report = report_of(tmp_path)
    assert [each.name for each in report.drift if each.drifted is None] == ([unjudged] if unjudged else [])
    assert {each.name for each in report.quality if each.violated} == checks
    assert report.signal("drift").violated is False


@pytest.mark.parametrize(
    "columns",
    [{"distance_km": [5.0] * 400}, {"pickup_zone": ["<script>", "\u202e", "القاهرة", "x" * 300] * 100}],
)
def test_constant_columns_and_new_categories_drift(tmp_path: Path, columns: dict[str, Any]) -> None:
    capture_day(tmp_path, 0, **columns)
    run(job_context(tmp_path))
    drifted = [each.name for each in report_of(tmp_path).drift if each.drifted]
    assert drifted == list(columns)


def test_too_few_rows_are_not_judged(tmp_path: Path) -> None:
    capture_day(tmp_path, 0, rows=50)
    run(job_context(tmp_path))
    reason = report_of(tmp_path).signal("drift").reason
    assert reason is not None
    assert "fewer than 100 are not judged" in reason


def test_a_half_written_capture_does_not_stop_the_rest(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    broken = write_capture(tmp_path, captured(10), name="broken")
    broken.write_bytes(broken.read_bytes()[:900])
    run(job_context(tmp_path))
    report = report_of(tmp_path)
    assert (report.rows, report.signal("drift").violated) == (400, False)
    assert report.signal("quality").violated is True
    assert report.warnings == ("1 files could not be read and were left out",)


def test_each_window_against_the_one_before(tmp_path: Path) -> None:
    obeyed = configs(reference=PreviousWindowReference(type="previous_window"))
    for day, shift in enumerate([0.0, 0.7, 0.7]):
        capture_day(tmp_path, day, shift=shift)
        run(job_context(tmp_path, now=NOW + day * DAY, obeyed=obeyed))
    first, second, third = (report_of(tmp_path, later(day)) for day in range(3))
    assert first.signal("drift").reason == "there is no window before this one to compare with"
    assert second.reference is not None
    assert (second.reference.source, second.reference.digest) == (WINDOW.id, first.profile_digest)
    assert (second.signal("drift").violated, third.signal("drift").violated) == (True, False)


def test_the_window_before_of_another_model_is_not_compared_with(tmp_path: Path) -> None:
    obeyed = configs(reference=PreviousWindowReference(type="previous_window"))
    registry = Registry({1: baseline(), 2: baseline(7)})
    for day in range(2):
        capture_day(tmp_path, day, version=day + 1)
        run(job_context(tmp_path, now=NOW + day * DAY, obeyed=obeyed, registry=registry))
    reason = report_of(tmp_path, later(1)).signal("drift").reason
    assert reason == f"the profile of {WINDOW.id} has other bins: another model version made its rows"


def test_a_damaged_profile_of_the_window_before_is_not_compared_with(tmp_path: Path) -> None:
    obeyed = configs(reference=PreviousWindowReference(type="previous_window"))
    for day in range(2):
        capture_day(tmp_path, day)
    run(job_context(tmp_path, obeyed=obeyed))
    profile = folder(tmp_path) / "profile.json"
    profile.chmod(0o644)
    profile.write_bytes(baseline().to_json())
    run(job_context(tmp_path, now=NOW + DAY, obeyed=obeyed))
    reason = report_of(tmp_path, later(1)).signal("drift").reason
    assert reason == f"the profile of {WINDOW.id} is missing or damaged"


@pytest.mark.parametrize("kind", ["profile", "data"])
def test_a_reference_of_ones_own(tmp_path: Path, kind: str) -> None:
    capture_day(tmp_path, 0, shift=0.7)
    if kind == "profile":
        (tmp_path / "own.json").write_bytes(baseline(3).to_json())
        uri = "file://./own.json"
    else:
        import pyarrow.parquet as pq

        pq.write_table(pa.table(features(2000, seed=3)), tmp_path / "own.parquet")
        uri = "file://./own.parquet"
    run(job_context(tmp_path, obeyed=configs(reference=UriReference(type="uri", uri=uri))))
    report = report_of(tmp_path)
    assert report.reference is not None
    assert (report.reference.type, report.reference.source) == ("uri", uri)
    assert report.reference.rows == (4000 if kind == "profile" else 2000)
    assert report.signal("drift").violated is True


def test_a_reference_that_is_not_there_is_refused(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    for uri in ("file://./nothing.json", "file://./nothing/"):
        obeyed = configs(reference=UriReference(type="uri", uri=uri))
        with pytest.raises(UsageError, match="nothing"):
            run(job_context(tmp_path, obeyed=obeyed))
    assert not folder(tmp_path).exists()


class Stopped(KeyboardInterrupt):
    """What a SIGTERM is by the time it reaches a job."""


def interrupted(patch: pytest.MonkeyPatch, at: int, *, after: bool) -> None:
    """Makes the ``at``-th write to any store the last thing that happens, or the first that does not."""
    done = 0

    def wrapped(write: Callable[..., Any]) -> Callable[..., Any]:
        def once(*arguments: Any) -> Any:
            nonlocal done
            done += 1
            if done == at and not after:
                raise Stopped
            result = write(*arguments)
            if done == at:
                raise Stopped
            return result

        return once

    for name in ("put_if_absent", "compare_and_swap"):
        patch.setattr(LocalStore, name, wrapped(getattr(LocalStore, name)))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_run_that_was_stopped_anywhere_is_finished_by_the_next(
    tmp_path: Path, at: int, after: bool
) -> None:
    capture_day(tmp_path, 0, shift=0.7)
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, at, after=after)
        with pytest.raises(Stopped):
            run(job_context(tmp_path))
    capture_day(tmp_path, 0, shift=0.6)  # what is captured late changes what the second run finds
    context = job_context(tmp_path, now=NOW + timedelta(minutes=5), job_id="2" * 16)
    outcome = run(context)
    report = report_of(tmp_path)
    assert [each.window_id for each in outcome.windows] == [WINDOW.id]
    assert [each.uri for each in entries(context)] == [(folder(tmp_path) / "report.json").as_uri()]
    assert entries(context)[0].job_id == report.job_id
    profile = (folder(tmp_path) / "profile.json").read_bytes()
    assert report.profile_digest is not None
    assert hashed(profile) == report.profile_digest
    assert report.job_id in (folder(tmp_path) / "report.html").read_text(encoding="utf-8")
    assert "mlops_signal_violated" in metrics(tmp_path)
    assert len([each for each in folder(tmp_path).iterdir() if not each.name.startswith(".")]) == 3


def hashed(data: bytes) -> str:
    from mlops_config.bundle.bundle import sha256_of

    return sha256_of(data)


def test_two_runs_at_once_agree_on_one_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture_day(tmp_path, 0)
    write = LocalStore.put_if_absent

    def overtaken(store: LocalStore, key: str, data: bytes) -> bool:
        if key.endswith("report.json"):
            monkeypatch.undo()
            run(job_context(tmp_path, job_id="3" * 16))
        return write(store, key, data)

    monkeypatch.setattr(LocalStore, "put_if_absent", overtaken)
    context = job_context(tmp_path)
    outcome = run(context)
    assert [each.state for each in outcome.windows] == ["already_judged"]
    assert report_of(tmp_path).job_id == "3" * 16
    assert [each.job_id for each in entries(context)] == ["3" * 16]


def test_a_report_store_that_is_away_leaves_nothing_behind(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    (tmp_path / "build" / "dev" / "reports").write_text("in the way")
    context = job_context(tmp_path)
    with pytest.raises(ServiceError):
        run(context)
    assert entries(context) == []
    assert not (tmp_path / ".mlops-config").exists()


def test_a_registry_that_is_away_leaves_nothing_behind(tmp_path: Path) -> None:
    class Away(Registry):
        def by_version(self, name: str, version: int) -> Any:
            raise ServiceError(f"{name} {version} cannot be asked for")

    capture_day(tmp_path, 0)
    context = job_context(tmp_path, registry=Away({}))
    with pytest.raises(ServiceError):
        run(context)
    assert not folder(tmp_path).exists()
    assert entries(context) == []


def test_metrics_that_cannot_be_exported_are_exported_by_the_next_run(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    metrics_folder = tmp_path / ".mlops-config"
    metrics_folder.write_text("in the way")
    with pytest.raises(ServiceError):
        run(job_context(tmp_path))
    metrics_folder.unlink()
    assert [each.state for each in run(job_context(tmp_path)).windows] == ["already_judged"]
    assert "mlops_monitoring_window_rows" in metrics(tmp_path)


def test_a_report_that_was_tampered_with_is_not_trusted(tmp_path: Path) -> None:
    capture_day(tmp_path, 0)
    run(job_context(tmp_path))
    moved = folder(tmp_path, later(1))
    moved.mkdir()
    (moved / "report.json").write_bytes((folder(tmp_path) / "report.json").read_bytes())
    with pytest.raises(IntegrityError, match="of another window"):
        list(reports(job_context(tmp_path)))


def test_a_baseline_is_fetched_once_in_a_run(tmp_path: Path) -> None:
    for day in range(3):
        capture_day(tmp_path, day)
    registry = Registry({1: baseline()})
    run(job_context(tmp_path, registry=registry))
    run(job_context(tmp_path, registry=registry, now=NOW + 2 * DAY))
    assert registry.fetched == [1, 1]

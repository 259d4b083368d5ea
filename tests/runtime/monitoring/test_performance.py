"""How good predictions were: joined to the truth, when it arrives, if it arrives."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_config.contract.models.evaluation import MetricThreshold
from mlops_config.contract.models.monitoring import Performance, ViolationPolicy
from mlops_config.contract.models.tables import BinaryTarget
from mlops_config.ledger.entries import Event
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.monitoring.job import MonitoringOutcome, reports, run
from mlops_config.runtime.monitoring.performance import judge
from mlops_config.runtime.monitoring.report import MonitoringReport, PerformanceRecord
from mlops_config.runtime.monitoring.windows import Window
from tests.runtime.monitoring.scenes import (
    DAY,
    FOREIGN_WARNINGS,
    JOB,
    NOW,
    TRAINING,
    WINDOW,
    Registry,
    baseline,
    captured,
    configs,
    job_context,
    write_capture,
)

pytestmark = [*FOREIGN_WARNINGS]

WANTED = Performance(
    labels_uri="file://./truth/",
    join_key="trip_id",
    label_delay="P1D",  # type: ignore[arg-type] # as in a file
    min_labels=50,
    thresholds={"rmse": MetricThreshold(threshold=2.0), "mae": MetricThreshold(threshold=2.0)},
)


def write_truth(root: Path, rows: dict[str, Any], *, error: float = 1.0, name: str = "truth") -> Path:
    """The truth of the rows: each prediction was too low by ``error``."""
    path = root / "truth" / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True)
    truth = {"trip_id": rows["trip_id"], "fare_eur": [each + error for each in rows["fare_eur"]]}
    pq.write_table(pa.table(truth), path)
    return path


def rows_of(days: int = 0) -> dict[str, Any]:
    return captured(200, window=Window(WINDOW.start + days * DAY, WINDOW.end + days * DAY), seed=days + 1)


def capture(root: Path, days: int = 0) -> dict[str, Any]:
    rows = rows_of(days)
    day = (WINDOW.start + days * DAY).date().isoformat()
    write_capture(root, rows, name=f"{JOB}-{days}", day=day)
    return rows


def context(root: Path, now: Any, wanted: Performance = WANTED, **options: Any) -> JobContext:
    registry = Registry({1: baseline()}, {"rmse": 1.5})
    return job_context(root, now=now, registry=registry, obeyed=configs(performance=wanted, **options))


def states(outcome: MonitoringOutcome) -> list[tuple[str, str]]:
    return [(each.state, each.window_id) for each in outcome.windows]


def newest(job: JobContext) -> MonitoringReport:
    return next(reports(job))


def judged(tmp_path: Path, rows: dict[str, Any], **changes: Any) -> Any:
    return judge(pa.table(rows), WANTED.model_copy(update=changes), TRAINING, {"rmse": 1.5}, tmp_path)


def test_metrics_against_their_thresholds(tmp_path: Path) -> None:
    rows = rows_of()
    write_truth(tmp_path, rows, error=1.0)
    found = judged(tmp_path, rows)
    assert (found.labelled_rows, found.violated, found.reason) == (200, False, None)
    rmse = found.results[0]
    assert rmse.value == pytest.approx(1.0)
    assert (rmse.threshold, rmse.champion_value, rmse.violated) == (2.0, 1.5, False)
    write_truth(tmp_path, rows, error=3.0)
    assert judged(tmp_path, rows).violated is True


def test_a_metric_of_which_more_is_better_is_violated_below_its_threshold(tmp_path: Path) -> None:
    rows = rows_of()
    write_truth(tmp_path, rows)
    for threshold, violated in ((0.5, False), (0.9999, True)):
        limits = {"r2": MetricThreshold(threshold=threshold)}
        assert judged(tmp_path, rows, thresholds=limits).violated is violated


def test_a_metric_without_a_threshold_is_shown_and_not_judged(tmp_path: Path) -> None:
    rows = rows_of()
    write_truth(tmp_path, rows)
    found = judged(tmp_path, rows, thresholds={"rmse": MetricThreshold(min_absolute_change=0.1)})
    assert found.results[0].value == pytest.approx(1.0)
    assert (found.violated, found.reason) == (None, "no metric could be judged")


def test_a_metric_of_scores_cannot_be_judged_by_predictions_alone(tmp_path: Path) -> None:
    rows = {**rows_of(), "fare_eur": [0, 1] * 100}
    write_truth(tmp_path, rows, error=0)
    target = BinaryTarget(name="fare_eur", problem_type="binary_classification")
    training = TRAINING.model_copy(update={"schema_": TRAINING.schema_.model_copy(update={"target": target})})
    limits = {"roc_auc": MetricThreshold(threshold=0.8), "accuracy": MetricThreshold(threshold=0.8)}
    wanted = WANTED.model_copy(update={"thresholds": limits})
    area, accuracy = judge(pa.table(rows), wanted, training, {}, tmp_path).results
    assert area.reason == "it needs scores, and captured rows hold the prediction alone"
    assert (accuracy.value, accuracy.violated) == (1.0, False)


def test_classes_are_joined_however_they_are_written(tmp_path: Path) -> None:
    rows = {**rows_of(), "fare_eur": [0.0, 1.0] * 100}
    (tmp_path / "truth").mkdir()
    lines = [f"{key},{truth}" for key, truth in zip(rows["trip_id"], ["0", "1"] * 100, strict=True)]
    (tmp_path / "truth" / "late.csv").write_text("\n".join(["trip_id,fare_eur", *lines]) + "\n")
    target = BinaryTarget(name="fare_eur", problem_type="binary_classification")
    training = TRAINING.model_copy(update={"schema_": TRAINING.schema_.model_copy(update={"target": target})})
    wanted = WANTED.model_copy(update={"thresholds": {"accuracy": MetricThreshold(threshold=0.8)}})
    assert judge(pa.table(rows), wanted, training, {}, tmp_path).results[0].value == 1.0


def test_the_same_truth_twice_is_one_and_two_truths_are_none(tmp_path: Path) -> None:
    rows = rows_of()
    write_truth(tmp_path, rows)
    write_truth(tmp_path, rows, name="again")
    some = {name: values[:20] for name, values in rows.items()}
    write_truth(tmp_path, some, error=100.0, name="other")
    found = judged(tmp_path, rows)
    assert found.labelled_rows == 180
    assert found.results[0].value == pytest.approx(1.0)


def test_predictions_that_share_a_key_count_each(tmp_path: Path) -> None:
    rows = rows_of()
    rows["trip_id"] = ["T1"] * 100 + rows["trip_id"][100:]
    rows["fare_eur"] = [10.0] * 100 + rows["fare_eur"][100:]
    write_truth(tmp_path, rows)
    assert judged(tmp_path, rows).labelled_rows == 200


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ({"trip_id": ["T1-000001"], "fare_eur": [5.0]}, "1 rows have a truth; 50 are needed"),
        ({"trip_id": ["elsewhere"], "fare_eur": [5.0]}, "0 rows have a truth; 50 are needed"),
        ({"trip_id": [f"T1-{each:06d}" for each in range(200)]}, "has no column fare_eur"),
        ({"fare_eur": [1.0]}, "has no column trip_id"),
    ],
)
def test_truth_that_is_not_enough_judges_nothing(tmp_path: Path, truth: dict[str, Any], reason: str) -> None:
    (tmp_path / "truth").mkdir()
    pq.write_table(pa.table(truth), tmp_path / "truth" / "truth.parquet")
    found = judged(tmp_path, rows_of())
    assert found.violated is None
    assert reason in (found.reason or "")
    assert {each.reason for each in found.results} == {found.reason}


def test_truth_that_has_not_arrived_judges_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path, rows_of()).reason == "no truth has arrived at file://./truth/"


def test_predictions_that_were_not_captured_cannot_be_judged(tmp_path: Path) -> None:
    rows = rows_of()
    write_truth(tmp_path, rows)
    del rows["fare_eur"]
    assert judged(tmp_path, rows).reason == "the prediction fare_eur is not among the captured columns"


def test_half_a_file_of_truth_is_told_and_the_rest_is_used(tmp_path: Path) -> None:
    rows = rows_of()
    write_truth(tmp_path, {name: values[:60] for name, values in rows.items()})
    broken = write_truth(tmp_path, rows, name="zzz")
    os.truncate(broken, 200)
    assert judged(tmp_path, rows).labelled_rows == 60
    assert judged(tmp_path, rows, min_labels=100).reason == (
        "60 rows have a truth; 100 are needed; 1 files there cannot be read"
    )


def test_truth_that_is_there_by_then_is_in_the_report(tmp_path: Path) -> None:
    write_truth(tmp_path, capture(tmp_path), error=3.0)
    now = NOW
    job = context(tmp_path, now, WANTED.model_copy(update={"label_delay": timedelta(0)}))
    run(job)
    report = newest(job)
    assert report.labels_due is None
    assert report.signal("performance").violated is True
    assert [each.metric for each in report.performance] == ["rmse", "mae"]
    assert not list((tmp_path / "build").rglob("performance.json"))


def test_truth_that_comes_later_is_judged_by_a_later_run(tmp_path: Path) -> None:
    rows = capture(tmp_path)
    first = context(tmp_path, NOW)
    run(first)
    report = newest(first)
    assert report.labels_due == WINDOW.end + DAY
    assert report.signal("performance").reason == (
        "the truth is complete at 2026-10-03T06:30:00Z; performance.json follows then"
    )
    before = (tmp_path / "build" / "dev" / "reports" / WINDOW.id / "report.json").read_bytes()
    write_truth(tmp_path, rows, error=3.0)
    second = context(tmp_path, NOW + DAY)
    outcome = run(second)
    assert states(outcome)[0] == ("performance_judged", WINDOW.id)
    folder = tmp_path / "build" / "dev" / "reports" / WINDOW.id
    assert (folder / "report.json").read_bytes() == before
    record = PerformanceRecord.model_validate_json((folder / "performance.json").read_bytes())
    assert (record.labelled_rows, record.signal.violated) == (200, True)
    known = [each for each in reports(second) if each.window_id == WINDOW.id]
    assert known[0].signal("performance").violated is True
    assert known[0].labels_due is None
    (metrics,) = (tmp_path / ".mlops-config" / "metrics").glob("*monitoring.prom")
    assert 'metric="rmse"' in metrics.read_text(encoding="utf-8")
    uris = [each.uri for each in second.ledger.entries() if each.event is Event.MONITORED]
    assert uris[1] == (folder / "performance.json").as_uri()


def test_a_performance_is_judged_once(tmp_path: Path) -> None:
    rows = capture(tmp_path)
    run(context(tmp_path, NOW))
    write_truth(tmp_path, rows)
    run(context(tmp_path, NOW + DAY))
    job = context(tmp_path, NOW + DAY + timedelta(minutes=1))
    assert [state for state, _ in states(run(job))] == ["already_judged"]
    assert len([each for each in job.ledger.entries() if each.event is Event.MONITORED]) == 3


def test_late_truth_is_waited_for_and_then_no_more(tmp_path: Path) -> None:
    capture(tmp_path)
    run(context(tmp_path, NOW))
    waiting = context(tmp_path, NOW + DAY)
    assert "performance_judged" not in [state for state, _ in states(run(waiting))]
    final = context(tmp_path, NOW + 3 * DAY)
    outcome = run(final)
    assert states(outcome)[0] == ("performance_judged", WINDOW.id)
    known = next(each for each in reports(final) if each.window_id == WINDOW.id)
    assert (known.signal("performance").violated, known.labels_due) == (None, None)
    assert known.signal("performance").reason == "no truth has arrived at file://./truth/"


def test_the_policy_counts_windows_by_when_they_were_and_not_when_truth_came(tmp_path: Path) -> None:
    policy = ViolationPolicy(evaluation_windows=2, violation_windows=2)
    for day in range(2):
        write_truth(tmp_path, capture(tmp_path, day), error=3.0, name=f"truth{day}")
        run(context(tmp_path, NOW + day * DAY, violation_policy=policy))
    job = context(tmp_path, NOW + 2 * DAY, violation_policy=policy)
    run(job)
    known = {each.window_id: each.signal("performance") for each in reports(job)}
    confirmed = [known[name].confirmed for name in sorted(known)]
    assert confirmed == [False, True, False]


def test_an_entry_that_a_stopped_run_left_out_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_config.ledger.ledger import Ledger

    rows = capture(tmp_path)
    run(context(tmp_path, NOW))
    write_truth(tmp_path, rows)

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(context(tmp_path, NOW + DAY))
    job = context(tmp_path, NOW + DAY + timedelta(minutes=1))
    run(job)
    uris = [each.uri or "" for each in job.ledger.entries() if each.event is Event.MONITORED]
    assert sorted(each.rpartition("/")[2] for each in uris) == [
        *("performance.json", "report.json", "report.json")
    ]

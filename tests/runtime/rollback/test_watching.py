"""Whether a deployment that bakes has to be taken back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.contract.models.retrain import Rollback
from mlops_config.ledger.entries import Event
from mlops_config.runtime.monitoring.report import MonitoringReport, PerformanceResult, SignalResult
from mlops_config.runtime.retraining.history import history
from mlops_config.runtime.rollback.units import past
from mlops_config.runtime.rollback.watching import Need, asks, need
from tests.runtime.rollback.ledgers import (
    MINUTE,
    START,
    begun,
    digest_of,
    entry,
    ledger,
    promoted,
    released,
    rolled_back,
)

BAKE = Rollback.model_validate({"bake_time": "PT10M"})
DEPLOYED = START + 3 * MINUTE
DAY = timedelta(days=1)
SAID = (released("0.1.0"), promoted("0.1.0", 1), released("0.2.0"), promoted("0.2.0", 2))


def report(
    end: datetime, version: int | None = 2, *, confirmed: bool = True, **more: Any
) -> MonitoringReport:
    """A report on a window that ended then, made at once."""
    performance = SignalResult(signal="performance", violated=confirmed, confirmed=confirmed)
    result = PerformanceResult(metric="rmse", value=9.5, threshold=5.0, violated=confirmed)
    start = end - timedelta(hours=1)
    return MonitoringReport(
        **{
            "window_id": f"{start:%Y%m%dT%H%M%SZ}-{end:%Y%m%dT%H%M%SZ}",
            "window_start": start,
            "window_end": end,
            "created_at": end,
            "project": "city-taxi",
            "model_name": "trip-fare",
            "environment": "dev",
            "config_digest": digest_of("0.2.0"),
            "job_id": "0123456789abcdef",
            "registered_model_name": "trip-fare-dev",
            "model_version": version,
            "rows": 100,
            "reference": None,
            "performance": (result,),
            "signals": (performance,),
            **more,
        }
    )


def judged(
    said: tuple[dict[str, Any], ...] = SAID,
    *,
    reports: tuple[MonitoringReport, ...] = (),
    firing: tuple[str, ...] = (),
    rollback: Rollback = BAKE,
    at: datetime = DEPLOYED + 5 * MINUTE,
    dag_run: str | None = None,
) -> Need:
    return need(past(ledger(said)), reports, firing, rollback, at, dag_run=dag_run)


def codes(found: Need) -> list[str]:
    return [reason.code for reason in found.reasons]


def test_while_it_bakes_and_nothing_speaks_against_it_it_is_watched_on() -> None:
    found = judged()
    assert (found.go, found.done, found.rolled_back) == (False, False, False)
    assert "it bakes until 2026-11-20T12:13:00Z" in found.reasons[0].text


def test_an_alarm_takes_it_back() -> None:
    found = judged(firing=("fare-errors", "fare-latency"))
    assert (found.go, codes(found)) == (True, ["alarm"])
    assert found.reasons[0].text == "fare-errors, fare-latency fire"


def test_a_confirmed_loss_of_performance_takes_it_back() -> None:
    found = judged(reports=(report(DEPLOYED + 2 * MINUTE),))
    assert (found.go, codes(found)) == (True, ["gate_failed_after_deploy"])
    assert found.reasons[0].text.startswith("rmse is 9.5, the limit is 5.0 (2026")


@pytest.mark.parametrize(
    "innocent",
    [
        report(DEPLOYED - MINUTE),
        report(DEPLOYED + MINUTE, version=1),
        report(DEPLOYED + MINUTE, confirmed=False),
        report(DEPLOYED + MINUTE, signals=()),
    ],
    ids=["made before", "of the model before", "within its limits", "not judged"],
)
def test_a_report_that_says_nothing_of_it_does_not(innocent: MonitoringReport) -> None:
    assert not judged(reports=(innocent,)).go


def test_the_newest_report_counts() -> None:
    bad, good = report(DEPLOYED + MINUTE), report(DEPLOYED + 2 * MINUTE, confirmed=False)
    assert not judged(reports=(bad, good)).go
    assert not judged(reports=(good, bad)).go


@pytest.mark.parametrize(("cause", "other"), [("alarm", "gate_failed_after_deploy")])
def test_only_the_causes_that_the_file_names_count(cause: str, other: str) -> None:
    alarm_alone = Rollback.model_validate({"when": [cause], "bake_time": "PT10M"})
    gate_alone = Rollback.model_validate({"when": [other], "bake_time": "PT10M"})
    reports, firing = (report(DEPLOYED + MINUTE),), ("fare-errors",)
    assert codes(judged(reports=reports, firing=firing, rollback=alarm_alone)) == [cause]
    assert codes(judged(reports=reports, firing=firing, rollback=gate_alone)) == [other]
    none = judged(firing=firing, rollback=Rollback.model_validate({"when": [], "bake_time": "PT10M"}))
    assert (none.go, none.done) == (False, True)


def test_when_the_bake_time_is_over_nothing_takes_it_back() -> None:
    at = DEPLOYED + 10 * MINUTE
    found = judged(firing=("fare-errors",), reports=(report(DEPLOYED + MINUTE),), at=at)
    assert (found.go, found.done, found.rolled_back) == (False, True, False)


def test_before_any_deployment_there_is_nothing_to_watch() -> None:
    found = judged((released("0.1.0"),), firing=("fare-errors",))
    assert (found.go, found.done) == (False, True)


def test_what_went_back_does_not_go_back_again() -> None:
    found = judged((*SAID, rolled_back("0.1.0", 1)), firing=("fare-errors",))
    assert (found.go, found.done, found.rolled_back) == (False, True, True)


def test_a_rollback_of_long_ago_is_not_this_ones_unless_the_same_dag_run_did_it() -> None:
    said, later = (*SAID, rolled_back("0.1.0", 1, dag_run="d/r")), DEPLOYED + timedelta(days=2)
    assert not judged(said, at=later).rolled_back
    assert not judged(said, at=later, dag_run="d/another").rolled_back
    assert judged(said, at=later, dag_run="d/r").rolled_back


def test_a_rollback_that_was_stopped_goes_on_without_any_alarm() -> None:
    found = judged((*SAID, begun("0.2.0", 2, "0.1.0", 1)), at=DEPLOYED + timedelta(days=2))
    assert (found.go, codes(found)) == (True, ["begun"])


def test_a_rollback_does_not_end_the_cooldown_nor_free_a_retraining() -> None:
    said = (entry(Event.RETRAIN_STARTED, "0.2.0"), entry(Event.RETRAIN_ENDED, "0.2.0", 2), *SAID)
    later = START + timedelta(hours=1)
    before = history(ledger(said), later, DAY)
    after = history(ledger((*said, begun("0.2.0", 2, "0.1.0", 1), rolled_back("0.1.0", 1))), later, DAY)
    assert after == before
    assert after.last_started == START


def test_a_rollback_that_failed_is_tried_again_while_the_alarm_fires() -> None:
    said = (*SAID, begun("0.2.0", 2, "0.1.0", 1), rolled_back("0.1.0", 1, outcome="failed"))
    assert judged(said, firing=("fare-errors",)).go


@given(
    st.integers(0, 20),
    st.lists(st.sampled_from(["fare-errors", "fare-latency"]), max_size=2, unique=True),
    # A window has one report.
    st.lists(
        st.tuples(st.integers(-5, 10), st.sampled_from([1, 2, None]), st.booleans()),
        max_size=4,
        unique_by=lambda each: each[0],
    ),
    st.lists(st.sampled_from(["alarm", "gate_failed_after_deploy"]), max_size=2, unique=True),
)
def test_nothing_goes_back_without_a_cause_and_what_is_not_asked_for_changes_nothing(
    minutes: int, firing: list[str], seen: list[tuple[int, int | None, bool]], when: list[str]
) -> None:
    rollback = Rollback.model_validate({"when": when, "bake_time": "PT10M"})
    at = DEPLOYED + minutes * MINUTE
    reports = tuple(
        report(DEPLOYED + offset * MINUTE, version, confirmed=bad) for offset, version, bad in seen
    )
    found = judged(reports=reports, firing=tuple(firing), rollback=rollback, at=at)
    assert found == judged(reports=reports[::-1], firing=tuple(firing), rollback=rollback, at=at)
    assert not (found.go and found.done)
    if found.go:
        assert minutes < 10
        assert set(codes(found)) <= set(when)
    what = past(ledger(SAID))
    if not asks("alarm", what, rollback, at):
        assert found == judged(reports=reports, rollback=rollback, at=at)
    if not asks("gate_failed_after_deploy", what, rollback, at):
        assert found == judged(firing=tuple(firing), rollback=rollback, at=at)

"""The decision to retrain: what fires, what holds it back, and what never changes it."""

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.ledger.entries import Draft, Event, Reason
from mlops_config.runtime.retraining.deciding import Decision, Facts, decide
from tests.runtime.retraining.scenes import (
    DAY,
    HOUR,
    MONITORING,
    NOW,
    ended,
    ledger,
    report,
    retrain_config,
    started,
)


def codes(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in reasons]


def on_drift(*entries: Draft, facts: Facts | None = None, now: datetime = NOW, **guards: object) -> Decision:
    """The decision on confirmed drift of every feature."""
    config = retrain_config(guards=guards)
    return decide([report(drifted="abcd")], ledger(*entries), config, MONITORING, now, facts)


def test_confirmed_drift_retrains() -> None:
    decision = on_drift()
    assert decision.retrain
    assert codes(decision.triggered) == ["drift"]
    assert "a, b, c, d" in decision.summary


def test_nothing_at_all_retrains_nothing() -> None:
    decision = decide([], [], retrain_config(), MONITORING, NOW)
    assert not decision.retrain
    assert codes(decision.quiet) == ["drift", "manual"]
    assert decision.summary.startswith("no retraining: no window was judged")


def test_drift_that_the_policy_has_not_confirmed_waits() -> None:
    seen = report(drifted="abcd", confirmed=False)
    decision = decide([seen], [], retrain_config(), MONITORING, NOW)
    assert not decision.retrain
    assert "not in enough windows yet" in decision.summary


def test_drift_before_the_last_retraining_began_is_acted_upon_already() -> None:
    old = report(NOW - 3 * DAY, drifted="abcd")
    entries = ledger(started(NOW - 2 * DAY), ended(NOW - 2 * DAY + HOUR))
    assert not decide([old], entries, retrain_config(), MONITORING, NOW).retrain


def test_the_newest_window_decides_not_the_worst() -> None:
    reports = [report(NOW - 2 * DAY, drifted="abcd"), report(NOW - HOUR)]
    assert not decide(reports, [], retrain_config(), MONITORING, NOW).retrain


@pytest.mark.parametrize(
    ("trigger", "drifted", "important", "fires"),
    [
        ({}, "ab", "", True),  # monitoring's own share is a half
        ({}, "a", "", False),
        ({}, "a", "a", True),
        ({"min_share_fraction": 0.75}, "ab", "a", False),
        ({"min_share_fraction": 0.75}, "abc", "", True),
        ({"min_share_fraction": 0.75, "features": ("d",)}, "d", "", True),
        ({"min_share_fraction": 0.75, "features": ("d",)}, "a", "", False),
    ],
)
def test_a_drift_trigger_takes_a_share_or_a_named_feature(
    trigger: dict[str, object], drifted: str, important: str, fires: bool
) -> None:
    config = retrain_config([{"type": "drift", **trigger}])
    seen = report(drifted=drifted, important=important)
    assert decide([seen], [], config, MONITORING, NOW).retrain is fires


def test_a_trigger_for_pages_needs_an_alert_that_pages() -> None:
    config = retrain_config([{"type": "drift", "severity": "page"}])
    assert not decide([report(drifted="abcd")], [], config, MONITORING, NOW).retrain
    alerts = tuple(alert.model_copy(update={"severity": "page"}) for alert in MONITORING.alerts)
    paging = MONITORING.model_copy(update={"alerts": alerts})
    assert decide([report(drifted="abcd")], [], config, paging, NOW).retrain


def test_prediction_drift_and_performance_fire_by_their_own_signal() -> None:
    config = retrain_config(
        [{"type": "drift", "signal": "prediction_drift"}, {"type": "performance", "metric": "rmse"}]
    )
    both = decide([report(predictions_drift=True, performance={"rmse": 4.5})], [], config, MONITORING, NOW)
    assert codes(both.triggered) == ["prediction_drift", "performance"]
    other = decide([report(performance={"mae": 4.5})], [], config, MONITORING, NOW)
    assert not other.retrain


def test_a_schedule_fires_once_per_tick() -> None:
    config = retrain_config([{"type": "schedule", "cron": "0 2 * * *", "timezone": "Europe/Berlin"}])
    yesterday = ledger(started(NOW - DAY), ended(NOW - DAY + HOUR))
    assert decide([], yesterday, config, MONITORING, NOW).retrain
    today = ledger(started(NOW - 8 * HOUR), ended(NOW - 7 * HOUR))
    assert not decide([], today, config, MONITORING, NOW).retrain
    assert not decide([], [], config, MONITORING, NOW).retrain


def test_new_data_fires_at_its_number_and_not_when_it_cannot_be_counted() -> None:
    config = retrain_config([{"type": "new_data", "min_rows": 100}])
    assert not decide([], [], config, MONITORING, NOW, Facts(new_rows=99)).retrain
    assert decide([], [], config, MONITORING, NOW, Facts(new_rows=100)).retrain
    assert not decide([], [], config, MONITORING, NOW, Facts(new_rows=None)).retrain


def test_all_triggers_are_needed_where_the_configuration_says_so() -> None:
    triggers = [{"type": "drift"}, {"type": "new_data", "min_rows": 100}]
    config = retrain_config(triggers, combine="all")
    drifting = [report(drifted="abcd")]
    one = decide(drifting, [], config, MONITORING, NOW, Facts(new_rows=5))
    assert not one.retrain
    assert codes(one.held) == ["combine_all"]
    assert decide(drifting, [], config, MONITORING, NOW, Facts(new_rows=100)).retrain


def test_somebody_who_asks_is_still_held_by_the_guards() -> None:
    asked = Facts(requested="a new season")
    assert decide([], [], retrain_config(), MONITORING, NOW, asked).retrain
    held = retrain_config(guards={"cooldown": DAY})
    entries = ledger(started(NOW - HOUR), ended(NOW - HOUR))
    assert codes(decide([], entries, held, MONITORING, NOW, asked).held) == ["cooldown"]


def test_without_a_trigger_the_reason_is_that_and_not_the_guards() -> None:
    entries = ledger(started(NOW - HOUR), ended(NOW - HOUR))
    decision = decide([], entries, retrain_config(guards={"cooldown": DAY}), MONITORING, NOW)
    assert codes(decision.held) == ["cooldown"]
    assert codes(decision.reasons) == ["drift", "manual"]


def test_the_cooldown_ends_exactly_when_it_says() -> None:
    entries = (started(NOW - DAY), ended(NOW - DAY + HOUR))
    assert codes(on_drift(*entries, cooldown=DAY + timedelta(seconds=1)).held) == ["cooldown"]
    assert on_drift(*entries, cooldown=DAY).retrain


def test_no_more_than_so_many_in_a_stretch_of_time() -> None:
    entries = [
        draft for day in (3, 2, 1) for draft in (started(NOW - day * DAY, day), ended(NOW - day * DAY, day))
    ]
    limit = {"count": 3, "per": 4 * DAY}
    assert codes(on_drift(*entries, max_retrains=limit).held) == ["max_retrains"]
    assert on_drift(*entries, max_retrains={"count": 3, "per": 3 * DAY}).retrain


def test_one_that_runs_holds_the_next_until_it_could_not_run_any_longer() -> None:
    assert codes(on_drift(started(NOW - HOUR)).held) == ["max_concurrent"]
    killed = on_drift(started(NOW - 2 * DAY), max_consecutive_failures=2)
    assert killed.retrain


def test_failures_one_after_the_other_open_the_circuit_until_it_is_reset() -> None:
    entries = [
        draft
        for day in (3, 2)
        for draft in (started(NOW - day * DAY, day), ended(NOW - day * DAY + HOUR, day, "failed"))
    ]
    assert codes(on_drift(*entries, max_consecutive_failures=2).held) == ["circuit_open"]
    reset = Draft(event=Event.RESET, time=NOW - DAY)
    assert on_drift(*entries, reset, max_consecutive_failures=2).retrain


def test_a_killed_one_and_a_failed_one_are_two_failures_and_a_success_forgets_them() -> None:
    killed, failed = started(NOW - 5 * DAY, 5), (started(NOW - 4 * DAY, 4), ended(NOW - 4 * DAY, 4, "failed"))
    assert codes(on_drift(killed, *failed, max_consecutive_failures=2).held) == ["circuit_open"]
    fine = (started(NOW - 3 * DAY, 3), ended(NOW - 3 * DAY, 3))
    assert on_drift(killed, *failed, *fine, max_consecutive_failures=1).retrain


def test_a_refused_challenger_is_no_failure() -> None:
    refused = (started(NOW - 2 * DAY), ended(NOW - 2 * DAY, outcome="refused"))
    assert on_drift(*refused, max_consecutive_failures=1).retrain


def test_an_interrupted_one_counts_for_nothing() -> None:
    stopped = Reason(code="interrupted", text="stopped by SIGTERM")
    entries = (started(NOW - HOUR), ended(NOW - HOUR, outcome="failed", reasons=(stopped,)))
    assert on_drift(
        *entries, cooldown=DAY, max_consecutive_failures=1, max_retrains={"count": 1, "per": DAY}
    ).retrain


def test_frozen_stretches_hold_from_their_start_to_before_their_end() -> None:
    freeze = [{"start": NOW, "end": NOW + HOUR, "reason": "the sales"}]
    assert codes(on_drift(freeze_windows=freeze).held) == ["freeze_window"]
    assert "the sales" in on_drift(freeze_windows=freeze).summary
    assert on_drift(freeze_windows=freeze, now=NOW + HOUR).retrain


def test_the_budget_counts_this_month_and_fails_closed_when_the_cost_is_unknown() -> None:
    spent = (started(NOW - 5 * DAY), ended(NOW - 5 * DAY, cost_usd=90.0))
    last_month = (started(NOW - 25 * DAY), ended(NOW - 25 * DAY, cost_usd=90.0))
    cost = Facts(estimated_cost_usd=20.0)
    assert codes(on_drift(*spent, facts=cost, budget_usd_per_month=100.0).held) == ["budget"]
    assert on_drift(*last_month, facts=cost, budget_usd_per_month=100.0).retrain
    assert codes(on_drift(budget_usd_per_month=100.0).held) == ["budget_unknown"]


def test_too_few_new_rows_hold_and_so_do_rows_that_cannot_be_counted() -> None:
    assert codes(on_drift(facts=Facts(new_rows=9), min_new_rows=10).held) == ["min_new_rows"]
    assert codes(on_drift(min_new_rows=10).held) == ["min_new_rows"]
    assert on_drift(facts=Facts(new_rows=10), min_new_rows=10).retrain


hours = st.integers(0, 24 * 60).map(lambda number: NOW - timedelta(hours=number))
runs = st.lists(st.tuples(hours, st.sampled_from(["succeeded", "failed", "refused"])), max_size=12)


@given(runs=runs, cooldown=st.integers(1, 240), count=st.integers(1, 5), per=st.integers(1, 30))
def test_it_never_retrains_within_the_cooldown_or_beyond_the_limit(
    runs: list[tuple[datetime, str]], cooldown: int, count: int, per: int
) -> None:
    drafts = [
        draft
        for number, (time, outcome) in enumerate(sorted(runs))
        for draft in (started(time, number), ended(time, number, outcome))
    ]
    guards = {
        "cooldown": timedelta(hours=cooldown),
        "max_retrains": {"count": count, "per": per * DAY},
        "max_consecutive_failures": 100,
    }
    if on_drift(*drafts, **guards).retrain:
        times = [time for time, _ in runs]
        assert all(NOW - time >= timedelta(hours=cooldown) for time in times)
        assert sum(time > NOW - per * DAY for time in times) < count


@given(seed=st.integers(), more=st.sets(st.sampled_from("abcd")), drifted=st.sets(st.sampled_from("abcd")))
def test_more_drift_never_turns_a_retraining_off(seed: int, more: set[str], drifted: set[str]) -> None:
    config, draw = retrain_config(), random.Random(seed)  # noqa: S311 - scenes, not secrets
    older = [report(NOW - day * DAY, drifted=draw.sample("abcd", 2)) for day in range(2, 5)]
    less = decide([*older, report(drifted=drifted)], [], config, MONITORING, NOW)
    further = decide([*older, report(drifted=drifted | more)], [], config, MONITORING, NOW)
    assert further.retrain or not less.retrain


@given(seed=st.integers())
def test_order_and_doubled_reports_do_not_matter(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - scenes, not secrets
    reports = [report(NOW - day * DAY, drifted=draw.sample("abcd", draw.randrange(5))) for day in range(1, 6)]
    entries = list(ledger(started(NOW - 9 * DAY), ended(NOW - 9 * DAY)))
    expected = decide(reports, entries, retrain_config(), MONITORING, NOW)
    mixed = [*reports, *draw.sample(reports, 2)]
    draw.shuffle(mixed)
    draw.shuffle(entries)
    assert decide(mixed, entries, retrain_config(), MONITORING, NOW) == expected

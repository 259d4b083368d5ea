"""Gaps of cron schedules, by the wall clock."""

from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.contract.rules.schedules import first_run, gaps, times_of_day

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("cron", "shortest", "longest"),
    [
        ("0 6 * * *", DAY, DAY),
        ("30 */6 * * *", 6 * HOUR, 6 * HOUR),
        ("0 9,17 * * *", 8 * HOUR, 16 * HOUR),
        ("0 6 * * MON-FRI", DAY, 3 * DAY),
        ("0 2 1 * *", 28 * DAY, 31 * DAY),
        ("0 0 29 2 *", 1461 * DAY, 1461 * DAY),
        ("* * * * *", timedelta(minutes=1), timedelta(minutes=1)),
        ("0 0 1 1 *", 365 * DAY, 365 * DAY),
    ],
)
def test_gaps_of_a_schedule(cron: str, shortest: timedelta, longest: timedelta) -> None:
    assert gaps(cron) == (shortest, longest)


minutes = st.sampled_from(["0", "15", "*/20", "5,50", "10-12"])
hours = st.sampled_from(["0", "*", "*/7", "8-18", "2,3,22"])
days = st.sampled_from(["* * *", "1 * *", "*/5 * *", "* * MON", "* * SAT,SUN", "15 * FRI"])


@settings(max_examples=60)
@given(minutes, hours, days)
def test_gaps_bound_every_time_between_two_runs(minute: str, hour: str, day: str) -> None:
    cron = f"{minute} {hour} {day}"
    shortest, longest = gaps(cron)
    runs = CronSim(cron, datetime(2025, 1, 1, tzinfo=UTC))
    last = next(runs)
    seen = []
    for _ in range(400):
        run = next(runs)
        seen.append(run - last)
        last = run
    assert shortest <= min(seen)
    assert max(seen) <= longest


def test_times_of_day_are_those_of_the_first_two_fields() -> None:
    assert times_of_day("15 2,6 * * MON") == (2.25 * HOUR, 6.25 * HOUR)


def test_a_run_is_looked_for_in_the_schedules_own_time_zone() -> None:
    start, end = datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, 1, 30, tzinfo=UTC)
    run = first_run("0 2 1 * *", "Europe/Berlin", start, end)
    assert run is not None
    assert run.astimezone(UTC) == datetime(2027, 1, 1, 1, tzinfo=UTC)
    assert first_run("0 2 1 * *", "UTC", start, end) is None


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_hold_no_run(day: str) -> None:
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    assert first_run("0 2 2 * *", "America/New_York", start, start + 23 * HOUR) is None


def test_a_run_at_the_start_counts_and_one_at_the_end_does_not() -> None:
    start = datetime(2026, 12, 1, 2, tzinfo=UTC)
    assert first_run("0 2 * * *", "UTC", start, start + HOUR) == start
    assert first_run("0 2 * * *", "UTC", start - HOUR, start) is None

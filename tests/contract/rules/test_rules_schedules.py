"""Gaps of cron schedules, by the wall clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.contract.rules.schedules import (
    ClockChange,
    clock_changes,
    covers_every_hour,
    first_run,
    gaps,
    runs_at,
    times_of_day,
)

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


def year(number: int) -> tuple[datetime, datetime]:
    return datetime(number, 1, 1, tzinfo=UTC), datetime(number + 1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", []),
        ("Asia/Tokyo", []),
        ("Europe/Berlin", [("2026-03-29T02:00", "03:00", True), ("2026-10-25T02:00", "03:00", False)]),
        ("Europe/London", [("2026-03-29T01:00", "02:00", True), ("2026-10-25T01:00", "02:00", False)]),
        ("America/New_York", [("2026-03-08T02:00", "03:00", True), ("2026-11-01T01:00", "02:00", False)]),
        ("Australia/Lord_Howe", [("2026-04-05T01:30", "02:00", False), ("2026-10-04T02:00", "02:30", True)]),
        ("Africa/Casablanca", [("2026-02-15T02:00", "03:00", False), ("2026-03-22T02:00", "03:00", True)]),
    ],
)
def test_clocks_change_when_the_iana_database_says(zone: str, expected: list[tuple[str, str, bool]]) -> None:
    found = [
        (f"{each.first:%Y-%m-%dT%H:%M}", f"{each.last:%H:%M}", each.skips)
        for each in clock_changes(zone, *year(2026))
    ]
    assert found == expected


zones = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago"]
)


@given(zones, st.integers(2024, 2035), st.integers(-7200, 7200))
def test_a_time_the_clock_skips_does_not_come_back_and_one_it_repeats_has_two_offsets(
    zone: str, number: int, second: int
) -> None:
    for change in clock_changes(zone, *year(number)):
        moment = change.first + timedelta(seconds=second)
        once, again = (moment.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
        exists = once.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moment
        inside = change.first <= moment < change.last
        assert exists != (inside and change.skips)
        assert (once.utcoffset() != again.utcoffset()) == inside


def test_the_runs_of_a_change_are_those_from_its_first_time_to_before_its_last() -> None:
    change = ClockChange(datetime(2026, 3, 29, 2), datetime(2026, 3, 29, 3), skips=True)
    assert [f"{run:%H:%M}" for run in runs_at("*/30 1-3 * * *", change)] == ["02:00", "02:30"]
    assert runs_at("0 2 1 * *", change) == ()
    assert runs_at("30 2 * * SUN", change) == (datetime(2026, 3, 29, 2, 30),)


@pytest.mark.parametrize(
    ("cron", "every"),
    [("0 * * * *", True), ("5,10 */1 * * *", True), ("0 0-23 * * MON", True), ("0 1-23 * * *", False)],
)
def test_an_hour_field_may_name_every_hour_in_more_than_one_way(cron: str, every: bool) -> None:
    assert covers_every_hour(cron) is every

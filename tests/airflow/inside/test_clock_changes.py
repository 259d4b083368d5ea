"""What Airflow's timetable makes of a clock that changes: the rule C35 of the contract says it beforehand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from airflow.timetables import trigger
from airflow.timetables.base import TimeRestriction

from mlops_config.contract.rules.schedules import clock_changes, covers_every_hour, runs_at

STEP = timedelta(minutes=5)
"""Of the clock; every schedule here runs at a multiple of it."""
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


def started(
    cron: str, zone: str, start: datetime, end: datetime, *, parsed_often: bool
) -> Iterator[datetime]:
    """The moments (UTC) at which runs start, as the scheduler asks for them.

    The scheduler asks for the next run when it starts one; the DAG processor asks again at each parse.
    """
    timetable = trigger.CronTriggerTimetable(cron, timezone=zone)
    restriction = TimeRestriction(earliest=None, latest=None, catchup=False)
    now, last, upcoming = start, None, None
    while now < end:
        with mock.patch.object(trigger, "utcnow", lambda now=now: now):
            while True:
                if upcoming is None or parsed_often:
                    upcoming = timetable.next_dagrun_info(
                        last_automated_data_interval=last, restriction=restriction
                    )
                assert upcoming is not None
                if upcoming.run_after > now or (last is not None and upcoming.run_after <= last.end):
                    break
                yield datetime.fromtimestamp(upcoming.run_after.timestamp(), UTC)
                last, upcoming = upcoming.data_interval, None
        now += STEP


def around_the_change(cron: str, zone: str, *, skips: bool, parsed_often: bool) -> list[str]:
    """The wall clock at each run from two hours before a change until four hours after it, and its offset."""
    year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    change = next(each for each in clock_changes(zone, *year) if each.skips is skips)
    middle = change.first.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    hours = timedelta(hours=1)
    runs = started(cron, zone, middle - 2 * hours, middle + 4 * hours, parsed_often=parsed_often)
    local = [run.astimezone(ZoneInfo(zone)) for run in runs]
    assert local == sorted(set(local))
    return [f"{run:%H:%M}{'' if skips else f' {run:%z}'}" for run in local]


@pytest.mark.parametrize("parsed_often", [False, True])
@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", ["03:30"]),
        ("0 2 * * *", "Europe/Berlin", ["03:00"]),
        ("30 2,3 * * *", "Europe/Berlin", ["03:30"]),
        ("15 */2 * * *", "America/New_York", ["00:15", "03:15", "04:15", "06:15"]),
        ("10 2 * * *", "Australia/Lord_Howe", ["02:40"]),
        ("0 * * * *", "Europe/Berlin", ["00:00", "01:00", "03:00", "04:00", "05:00", "06:00"]),
    ],
)
def test_a_run_of_the_skipped_hour_comes_as_much_later_as_the_clock_jumps(
    cron: str, zone: str, expected: list[str], parsed_often: bool
) -> None:
    assert around_the_change(cron, zone, skips=True, parsed_often=parsed_often) == expected


@pytest.mark.parametrize("parsed_often", [False, True])
def test_of_several_runs_of_the_skipped_hour_one_starts_at_most(parsed_often: bool) -> None:
    found = around_the_change("*/20 2 * * *", "Europe/Berlin", skips=True, parsed_often=parsed_often)
    assert len(found) == 1


@pytest.mark.parametrize("parsed_often", [False, True])
@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", ["02:30 +0100"]),
        ("0,30 2 * * *", "Europe/Berlin", ["02:00 +0100", "02:30 +0100"]),
        ("45 1 * * *", "America/New_York", ["01:45 -0500"]),
        ("40 1 * * *", "Australia/Lord_Howe", ["01:40 +1030"]),
    ],
)
def test_a_run_of_the_repeated_hour_starts_once_the_second_time(
    cron: str, zone: str, expected: list[str], parsed_often: bool
) -> None:
    assert around_the_change(cron, zone, skips=False, parsed_often=parsed_often) == expected


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("zone", ZONES[:2])
@pytest.mark.parametrize("cron", ["30 * * * *", "30 */1 * * *", "30 0-23 * * *"])
def test_a_schedule_of_every_hour_keeps_its_distance(cron: str, zone: str, skips: bool) -> None:
    assert covers_every_hour(cron)
    year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    change = next(each for each in clock_changes(zone, *year) if each.skips is skips)
    assert runs_at(cron, change)
    middle = change.first.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    span = timedelta(hours=4)
    runs = list(started(cron, zone, middle - span, middle + span, parsed_often=True))
    assert {later - earlier for earlier, later in pairwise(runs)} == {timedelta(hours=1)}

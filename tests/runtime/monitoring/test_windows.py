"""Which windows are due, whatever clocks and outages do."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.contract.models.header import Schedule
from mlops_config.errors import UsageError
from mlops_config.runtime.monitoring.windows import Due, Window, due, explicit, scheduled

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NONE = timedelta(0)
DAILY = Schedule(cron="30 6 * * *")
BERLIN = Schedule(cron="0 3 * * *", timezone="Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, end: str) -> Window:
    return Window(at(start), at(end))


def newest(schedule: Schedule, length: timedelta, delay: timedelta, now: str, count: int) -> list[Window]:
    return list(islice(scheduled(schedule, length, delay, at(now)), count))


def test_the_run_of_this_minute_is_due() -> None:
    assert newest(DAILY, DAY, NONE, "2026-10-02 06:30:00", 1) == [
        window("2026-10-01 06:30", "2026-10-02 06:30")
    ]


def test_a_minute_earlier_the_window_before_is_the_newest() -> None:
    assert newest(DAILY, DAY, NONE, "2026-10-02 06:29:59", 1) == [
        window("2026-09-30 06:30", "2026-10-01 06:30")
    ]


def test_a_window_ends_the_delay_before_its_run() -> None:
    six_hourly = Schedule(cron="30 */6 * * *")
    assert newest(six_hourly, 6 * HOUR, timedelta(minutes=30), "2026-10-02 06:45", 2) == [
        window("2026-10-02 00:00", "2026-10-02 06:00"),
        window("2026-10-01 18:00", "2026-10-02 00:00"),
    ]


@pytest.mark.parametrize(
    ("now", "hours"), [("2026-03-29 12:00", 23), ("2026-10-25 12:00", 25), ("2026-07-01 12:00", 24)]
)
def test_the_day_clocks_change_is_one_window_of_23_or_25_hours(now: str, hours: int) -> None:
    (found,) = newest(BERLIN, DAY, NONE, now, 1)
    assert found.length == timedelta(hours=hours)


@pytest.mark.parametrize("around", ["2026-03-30 12:00", "2026-10-26 12:00"])
@pytest.mark.parametrize(
    "schedule",
    [
        BERLIN,
        Schedule(cron="30 2 * * *", timezone="Europe/Berlin"),  # does not exist on the day in spring
        Schedule(cron="0 * * * *", timezone="Europe/Berlin"),
        Schedule(cron="15 */6 * * *", timezone="America/New_York"),
        Schedule(cron="*/10 * * * *", timezone="Australia/Lord_Howe"),  # moves by half an hour
    ],
)
def test_windows_as_long_as_the_schedule_adjoin_across_a_change_of_clocks(
    schedule: Schedule, around: str
) -> None:
    length = {"0": HOUR, "30": DAY, "15": 6 * HOUR, "*/10": timedelta(minutes=10)}[schedule.cron.split()[0]]
    length = DAY if schedule is BERLIN else length
    found = newest(schedule, length, timedelta(minutes=20), around, 400)
    assert all(later.start == earlier.end for later, earlier in pairwise(found))
    assert all(each.length > NONE for each in found)


def test_a_window_longer_than_the_schedule_overlaps_and_keeps_its_length() -> None:
    found = newest(BERLIN, 7 * DAY, NONE, "2026-10-27 12:00", 4)
    assert {each.length for each in found} == {7 * DAY}
    assert found[1].end > found[0].start


def test_without_any_report_only_the_newest_window_is_due() -> None:
    assert due(DAILY, DAY, NONE, at("2026-10-02 07:00"), judged=None) == Due(
        (window("2026-10-01 06:30", "2026-10-02 06:30"),)
    )


def test_missed_windows_are_caught_up_oldest_first() -> None:
    found = due(DAILY, DAY, NONE, at("2026-10-05 07:00"), judged=at("2026-10-02 06:30"))
    assert [each.end.day for each in found.windows] == [3, 4, 5]
    assert found.skipped == ()


def test_nothing_is_due_when_the_newest_window_was_judged() -> None:
    assert due(DAILY, DAY, NONE, at("2026-10-02 07:00"), judged=at("2026-10-02 06:30")) == Due(())


def test_after_a_long_outage_the_newest_windows_are_judged_and_the_rest_is_named() -> None:
    found = due(DAILY, DAY, NONE, at("2026-10-30 07:00"), judged=at("2026-10-02 06:30"), most=3)
    assert [each.end.day for each in found.windows] == [28, 29, 30]
    assert [each.end.day for each in found.skipped] == list(range(3, 28))


def test_windows_whose_rows_are_deleted_already_are_skipped() -> None:
    found = due(
        DAILY,
        DAY,
        NONE,
        at("2026-10-30 07:00"),
        judged=at("2026-10-02 06:30"),
        rows_since=at("2026-10-27 00:00"),
    )
    assert [each.end.day for each in found.windows] == [28, 29, 30]


def test_the_newest_window_is_judged_even_when_rows_are_kept_for_less_than_a_window() -> None:
    found = due(
        DAILY,
        DAY,
        NONE,
        at("2026-10-30 07:00"),
        judged=at("2026-10-28 06:30"),
        rows_since=at("2026-10-30 00:00"),
    )
    assert [each.end.day for each in found.windows] == [30]


def test_a_clock_that_went_back_makes_nothing_due() -> None:
    found = due(DAILY, DAY, NONE, at("2026-10-02 07:00"), judged=at("2026-10-04 06:30"))
    assert found == Due((), clock_behind=at("2026-10-04 06:30"))


instants = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(
    lambda each: each.replace(tzinfo=UTC)
)


@given(
    now=instants,
    behind=st.integers(-200, 200),
    most=st.integers(1, 30),
    schedule=st.sampled_from([DAILY, BERLIN, Schedule(cron="0 */4 * * *"), Schedule(cron="0 5 * * MON-FRI")]),
)
def test_what_is_due_is_in_the_past_is_newer_than_what_was_judged_and_comes_in_order(
    now: datetime, behind: int, most: int, schedule: Schedule
) -> None:
    judged = now - behind * HOUR
    found = due(schedule, DAY, HOUR, now, judged=judged, most=most)
    assert len(found.windows) <= most
    assert list(found.windows) == sorted(found.windows, key=lambda each: each.end)
    assert all(judged < each.end <= now - HOUR for each in (*found.windows, *found.skipped))
    again = due(
        schedule, DAY, HOUR, now, judged=found.windows[-1].end if found.windows else judged, most=most
    )
    assert again.windows == ()


@given(start=instants, length=st.integers(1, 10**7))
def test_an_id_names_its_window_and_sorts_by_time(start: datetime, length: int) -> None:
    first = start.replace(microsecond=0)
    named = Window(first, first + timedelta(seconds=length))
    assert Window.of_id(named.id) == named
    later = Window(named.start + timedelta(seconds=1), named.end)
    assert later.id > named.id


def test_a_window_can_be_named_in_any_time_zone() -> None:
    berlin = datetime.fromisoformat("2026-10-01T02:00+02:00")
    found = explicit(berlin, at("2026-10-02"), HOUR, at("2026-10-02 01:00"))
    assert found == window("2026-10-01", "2026-10-02")
    assert found.id == "20261001T000000Z-20261002T000000Z"


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("2026-10-02T00:00Z", "2026-10-03T00:00Z", "in the future"),
        ("2026-10-01T00:00Z", "2026-10-02T01:30Z", "complete at 2026-10-02T02:30:00Z"),
        ("2026-10-02T00:00Z", "2026-10-01T00:00Z", "ends before it begins"),
        ("2026-10-01T00:00Z", "2026-10-01T00:00Z", "ends before it begins"),
        ("2026-10-01", "2026-10-02", "time zone"),
        ("2026-10-01T00:00:00.5Z", "2026-10-02T00:00Z", "fractions"),
    ],
)
def test_a_window_that_cannot_be_judged_is_refused(start: str, end: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        explicit(datetime.fromisoformat(start), datetime.fromisoformat(end), HOUR, at("2026-10-02 02:00"))


@pytest.mark.parametrize("text", ["20261301T000000Z-20261402T000000Z", "today", "20261001T000000Z"])
def test_what_is_no_id_names_no_window(text: str) -> None:
    assert Window.of_id(text) is None

"""When cron schedules run: times of day, gaps between runs, runs inside a stretch of time, changed clocks."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

_ANY_DAY = ("*", "*", "*")
_EPOCH = datetime(2025, 1, 1)  # wall-clock time: a gap must not count a daylight-saving hour
_HORIZONS = (timedelta(days=400), timedelta(days=9 * 366))
"""A year and a month show every yearly pattern; nine years hold two 29 Februaries."""
_STEP = timedelta(days=7)
"""Between two looks at a zone's offset. Morocco changes its clocks twice within five weeks."""


@lru_cache(maxsize=256)
def times_of_day(cron: str) -> tuple[timedelta, ...]:
    """The times after midnight at which ``cron`` runs on the days it runs on, earliest first."""
    minute, hour, *_ = cron.split(" ")
    times = []
    for run in CronSim(f"{minute} {hour} * * *", _EPOCH - timedelta(minutes=1)):
        if run >= _EPOCH + timedelta(days=1):
            break
        times.append(run - _EPOCH)
    return tuple(times)


@lru_cache(maxsize=256)
def gaps(cron: str) -> tuple[timedelta, timedelta]:
    """The shortest and the longest time between two runs, in wall-clock time."""
    times = times_of_day(cron)
    within = [later - earlier for earlier, later in pairwise(times)]
    overnight = times[0] - times[-1]
    days = _days_between(cron)
    across = [overnight + timedelta(days=number) for number in days]
    return min(within + across), max(within + across)


def _days_between(cron: str) -> set[int]:
    """Every number of days that lies between two days on which ``cron`` runs."""
    day_fields = tuple(cron.split(" ")[2:])
    if day_fields == _ANY_DAY:
        return {1}
    found: set[int] = set()
    for horizon in _HORIZONS:
        days = []
        for day in CronSim(f"0 0 {' '.join(day_fields)}", _EPOCH - timedelta(minutes=1)):
            if day > _EPOCH + horizon:
                break
            days.append(day)
        found = {(later - earlier).days for earlier, later in pairwise(days)}
        if found:
            break
    return found or {_HORIZONS[-1].days}


def first_run(cron: str, timezone: str, start: datetime, end: datetime) -> datetime | None:
    """The first run from ``start`` on and before ``end``, in the schedule's time zone, if there is one."""
    try:
        run = next(CronSim(cron, start.astimezone(ZoneInfo(timezone)) - timedelta(minutes=1)))
    except OverflowError:  # the first and the last days of the calendar, years 1 and 9999
        return None
    return run if run < end else None


class ClockChange(NamedTuple):
    """A day on which a zone's clock jumps, by the clock itself: naive local times."""

    first: datetime
    """The first time of day that is skipped, or shown twice."""
    last: datetime
    """The first time of day after them."""
    skips: bool
    """It jumps forward; otherwise back."""

    @property
    def length(self) -> timedelta:
        """How far it jumps."""
        return self.last - self.first


@lru_cache(maxsize=256)
def clock_changes(timezone: str, start: datetime, end: datetime) -> tuple[ClockChange, ...]:
    """The changes of a zone's clock between two moments, earliest first. Times are UTC."""
    return tuple(_clock_changes(ZoneInfo(timezone), start, end))


def _clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[ClockChange]:
    while start < end:
        later = min(start + _STEP, end)
        before, after = _offset(zone, start), _offset(zone, later)
        if before != after:
            moment = _change_between(zone, start, later)
            ahead, behind = moment + max(before, after), moment + min(before, after)
            yield ClockChange(behind.replace(tzinfo=None), ahead.replace(tzinfo=None), after > before)
        start = later


def _change_between(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """The first whole second with the offset of ``end``, which differs from that of ``start``."""
    before = _offset(zone, start)
    while end - start > timedelta(seconds=1):
        middle = (start + (end - start) / 2).replace(microsecond=0)
        start, end = (middle, end) if _offset(zone, middle) == before else (start, middle)
    return end


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def runs_at(cron: str, change: ClockChange) -> tuple[datetime, ...]:
    """The runs whose time of day the clock skips or repeats then."""
    runs = CronSim(cron, change.first - timedelta(minutes=1))
    return tuple(takewhile(lambda run: run < change.last, runs))


def covers_every_hour(cron: str) -> bool:
    """Whether ``cron`` names each hour of the day; Airflow keeps such runs apart by time elapsed."""
    return len(times_of_day(f"0 {cron.split(' ')[1]} * * *")) == 24

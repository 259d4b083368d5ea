"""Which windows are due: every run of the schedule judges one, and a missed run is caught up."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from mlops_config.contract.models.header import Schedule
from mlops_config.contract.rules.schedules import gaps
from mlops_config.errors import UsageError

MOST_CAUGHT_UP = 24
"""Windows judged in one run, at least; as many as the violation policy looks at where those are more."""

_ID_TIME = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([0-9]{8}T[0-9]{6}Z)")
_EXAMPLE = "for example --window 2026-10-01T00:00Z/2026-10-02T00:00Z"


@dataclass(frozen=True, slots=True)
class Window:
    """Rows with ``start <= event_time < end``; both in UTC and whole seconds."""

    start: datetime
    end: datetime

    @property
    def id(self) -> str:
        """``<start>-<end>`` in UTC, such as ``20261001T000000Z-20261002T000000Z``."""
        return f"{self.start:{_ID_TIME}}-{self.end:{_ID_TIME}}"

    @property
    def length(self) -> timedelta:
        """From start to end."""
        return self.end - self.start

    @classmethod
    def of_id(cls, window_id: str) -> "Window | None":
        """The window of that id; ``None`` when it is no id."""
        found = _ID.fullmatch(window_id)
        if found is None:
            return None
        try:
            start, end = (datetime.strptime(text, _ID_TIME).replace(tzinfo=UTC) for text in found.groups())
        except ValueError:
            return None
        return cls(start, end)


@dataclass(frozen=True, slots=True)
class Due:
    """What one run has to judge, and why it may be less than someone expects."""

    windows: tuple[Window, ...]
    """Oldest first."""
    skipped: tuple[Window, ...] = ()
    """Missed and not caught up: too many, or their rows are deleted already. Oldest first."""
    clock_behind: datetime | None = None
    """End of the newest window judged, when that lies after now: the clock went back."""


def scheduled(schedule: Schedule, length: timedelta, delay: timedelta, now: datetime) -> Iterator[Window]:
    """The windows of the schedule's runs up to ``now``, newest first, without end.

    The run at T judges the window that ended ``delay`` before T. Where the schedule leaves exactly ``length``
    between all its runs by the clock on the wall, a window begins where the one before it ended: so when
    clocks change, a day of 23 or 25 hours is one window, and no row is looked at twice or not at all.
    Otherwise every window is ``length`` of elapsed time.
    """
    adjoining = gaps(schedule.cron) == (length, length)
    runs = CronSim(
        schedule.cron,
        # Backwards the iterator yields what lies before it; the run of this very minute is due already.
        now.astimezone(ZoneInfo(schedule.timezone)).replace(second=0, microsecond=0) + timedelta(minutes=1),
        reverse=True,
    )
    run = next(runs).astimezone(UTC)
    for before in runs:
        previous = before.astimezone(UTC)
        start = previous if adjoining else run - length
        yield Window(start - delay, run - delay)
        run = previous


def due(
    schedule: Schedule,
    length: timedelta,
    delay: timedelta,
    now: datetime,
    *,
    judged: datetime | None,
    most: int = MOST_CAUGHT_UP,
    rows_since: datetime | None = None,
) -> Due:
    """The windows to judge at ``now`` when the newest one judged ended at ``judged`` (``None``: none was).

    Without a report only the newest window is due. Otherwise every window that ended after the newest judged
    one: the ``most`` newest of them, and none whose rows may be deleted because it begins before
    ``rows_since``; the rest is skipped. A clock that went back makes nothing due, and never a window twice.
    """
    if judged is not None and judged > now:
        return Due((), clock_behind=judged)
    missed: list[Window] = []
    for window in scheduled(schedule, length, delay, now):
        if judged is None:
            return Due((window,))
        if window.end <= judged or len(missed) == most + _MOST_NAMED:
            break
        missed.append(window)
    missed.reverse()
    kept = [window for window in missed[-most:] if rows_since is None or window.start >= rows_since]
    if missed and not kept:
        kept = missed[-1:]  # the newest is always looked at: that it is empty is worth a report
    return Due(tuple(kept), tuple(window for window in missed if window not in kept))


_MOST_NAMED = 1_000
"""Skipped windows looked back for; an outage longer than that is named no further."""


def explicit(start: datetime, end: datetime, delay: timedelta, now: datetime) -> Window:
    """The window from ``start`` to ``end`` (exclusive), which may be given in any time zone.

    Raises:
        UsageError: it is no window, lies in the future, or its rows are not all there yet.
    """
    asked = f"the window {start.isoformat()}/{end.isoformat()}"
    if start.tzinfo is None or end.tzinfo is None:
        raise UsageError(f"{asked} does not say which time zone it means", hint=_EXAMPLE)
    if start.microsecond or end.microsecond:
        raise UsageError(f"{asked} has fractions of a second; a window has none", hint=_EXAMPLE)
    window = Window(start.astimezone(UTC), end.astimezone(UTC))
    if window.end <= window.start:
        raise UsageError(f"{asked} ends before it begins", hint=_EXAMPLE)
    if window.end > now:
        raise UsageError(f"{asked} ends in the future: it is {now:%Y-%m-%dT%H:%M:%SZ} now")
    if window.end + delay > now:
        complete = window.end + delay
        raise UsageError(
            f"{asked} is complete at {complete:%Y-%m-%dT%H:%M:%SZ}: the monitoring file's delay is {delay}",
            hint="run it then; a report is written once and could not be corrected",
        )
    return window

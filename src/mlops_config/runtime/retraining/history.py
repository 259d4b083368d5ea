"""What the ledger says of past retrainings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_config.ledger.entries import Event, LedgerEntry

INTERRUPTED = "interrupted"
"""Reason of a retraining that was stopped from outside: it counts for nothing, so the next one goes on."""


@dataclass(frozen=True, slots=True)
class History:
    """Past retrainings of one model in one environment; times are UTC."""

    first_entry: datetime | None
    """When anything was first written down."""
    started: tuple[datetime, ...]
    """When each began, the oldest first."""
    running_since: datetime | None
    """When the one that has not ended began; ``None``: none runs."""
    failures: int
    """That failed one after the other, up to now or the last reset."""
    spent_usd_this_month: float
    """In the calendar month (UTC) of ``now``."""

    @property
    def last_started(self) -> datetime | None:
        """When the last one began."""
        return self.started[-1] if self.started else None


def history(ledger: Sequence[LedgerEntry], now: datetime, longest_run: timedelta) -> History:
    """The ledger's retrainings, read in the order of its numbers.

    One that wrote no end before the next began, or within ``longest_run``, was killed: it counts as a failure
    and not as running. A refused challenger is no failure: the job did what it is for.
    """
    started: list[datetime] = []
    running: tuple[str | None, datetime] | None = None
    failures, spent = 0, 0.0
    entries = sorted(ledger, key=lambda entry: entry.sequence)
    for entry in entries:
        if entry.event is Event.RETRAIN_STARTED:
            failures += running is not None
            started.append(entry.time)
            running = (entry.job_id, entry.time)
        elif entry.event is Event.RETRAIN_ENDED:
            running = None if running and running[0] == entry.job_id else running
            if any(reason.code == INTERRUPTED for reason in entry.reasons):
                started.pop()
                continue
            failures = failures + 1 if entry.outcome == "failed" else 0
            if (entry.time.year, entry.time.month) == (now.year, now.month):
                spent += entry.cost_usd or 0.0
        elif entry.event is Event.RESET:
            failures, running = 0, None
    killed = running is not None and running[1] + longest_run < now
    return History(
        first_entry=entries[0].time if entries else None,
        started=tuple(sorted(started)),
        running_since=running[1] if running and not killed else None,
        failures=failures + killed,
        spent_usd_this_month=spent,
    )

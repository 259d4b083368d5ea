"""What the ledger says of past retrainings."""

from collections.abc import Iterable, Sequence
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


@dataclass(slots=True)
class _Retraining:
    """One retraining, all tries of it; the later one counts."""

    began: datetime
    outcome: str | None = None
    """``None``: it wrote no end."""
    forgiven: bool = False
    """Whether the circuit was reset after it."""


def history(
    ledger: Sequence[LedgerEntry], now: datetime, longest_run: timedelta, *, own: str | None = None
) -> History:
    """The ledger's retrainings, read in the order of its numbers.

    One that wrote no end before the next began, or within ``longest_run``, was killed: it counts as a failure
    and not as running. A refused challenger is no failure: the job did what it is for. Tries of one
    retraining have one job id: they count once, by when the last began and how it ended. ``own`` is the
    job id of the retraining that asks, which stands in nobody's way but its own.
    """
    runs: dict[str | int, _Retraining] = {}
    spent = 0.0
    entries = sorted(ledger, key=lambda entry: entry.sequence)
    for entry in entries:
        job = entry.job_id or entry.sequence
        if entry.event is Event.RETRAIN_STARTED:
            runs.pop(job, None)
            runs[job] = _Retraining(entry.time)
        elif entry.event is Event.RETRAIN_ENDED:
            interrupted = any(reason.code == INTERRUPTED for reason in entry.reasons)
            if job in runs:
                runs[job].outcome = INTERRUPTED if interrupted else entry.outcome
            if not interrupted and (entry.time.year, entry.time.month) == (now.year, now.month):
                spent += entry.cost_usd or 0.0
        elif entry.event is Event.RESET:
            for run in runs.values():
                run.forgiven = True
    counted = [run for job, run in runs.items() if job != own and run.outcome != INTERRUPTED]
    last = counted[-1] if counted else None
    # Of several without an end only the last can still run: it began when the others no longer did.
    runs_now = last is not None and last.outcome is None and not last.forgiven
    running = last if last and runs_now and last.began + longest_run >= now else None
    return History(
        first_entry=entries[0].time if entries else None,
        started=tuple(sorted(run.began for run in counted)),
        running_since=running.began if running else None,
        failures=_failures(run for run in counted if run is not running),
        spent_usd_this_month=spent,
    )


def _failures(ended: Iterable[_Retraining]) -> int:
    """Failures since the last success, or since the circuit was reset."""
    failures = 0
    for run in ended:
        if run.outcome in ("succeeded", "refused"):
            failures = 0
        elif not run.forgiven:
            failures += 1
    return failures

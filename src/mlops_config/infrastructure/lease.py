"""One deployment of an environment at a time: a lease in the ledger, which everybody who deploys can read.

It is taken by compare-and-append, so that of two in one moment one gets it. It ends when its deployment does,
however that ends; after a deployment that was killed it ends when its time is up, or when somebody who looked
takes it over. The state's lock is Terraform's own, and holds beside it.
"""

import getpass
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from mlops_config.console import Console
from mlops_config.errors import MlopsConfigError, ServiceError
from mlops_config.github.context import GitHubContext
from mlops_config.ledger.entries import Draft, Event, Lease, LedgerEntry, Reason
from mlops_config.ledger.ledger import Ledger, LedgerMovedError

APPLY_TIME = timedelta(hours=2)
"""For plan, review and apply, beside the wait for Airflow: an Airflow that is made takes half an hour."""
TAKEN_OVER = "taken_over"
_TRIES = 20
"""Entries that others may write between reading the ledger and taking the lease."""

Clock = Callable[[], datetime]


class DeploymentHeldError(ServiceError):
    """Somebody else deploys the environment, or took over from this deployment."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who deploys."""

    by: str
    run_url: str | None = None

    @classmethod
    def of(cls, context: GitHubContext | None) -> "Holder":
        """The run in GitHub Actions, else the person at this machine."""
        if context is not None:
            return cls(f"{context.actor or 'somebody'} in {context.repository}", context.run_url)
        try:
            person = getpass.getuser()
        except (OSError, KeyError):  # a container's user may have no name
            person = "somebody"
        return cls(f"{person} on {socket.gethostname()}")


@dataclass(frozen=True, slots=True)
class Held:
    """A lease while it is held."""

    ledger: Ledger
    entry: LedgerEntry
    clock: Clock

    @property
    def job_id(self) -> str:
        """What the entries of this deployment have in common."""
        assert self.entry.job_id is not None  # noqa: S101 deployment() appends it with one
        return self.entry.job_id

    def require(self) -> None:
        """Returns while the lease is this deployment's.

        Raises:
            DeploymentHeldError: somebody took it over.
        """
        newest = _newest(self.ledger.entries())
        if newest is not None and newest.job_id != self.entry.job_id:
            raise DeploymentHeldError(
                f"{_told(newest)}, and took over from this deployment: it stops here",
                hint="look at what they did with 'mlops-config log'",
            )


def standing(entries: Sequence[LedgerEntry], now: datetime) -> LedgerEntry | None:
    """The deployment that goes on, as its start says it; ``None``: none does."""
    newest = _newest(entries)
    if newest is None or newest.lease is None or newest.lease.until <= now:
        return None
    ends = (entry for entry in entries if entry.event is Event.DEPLOYMENT_ENDED)
    return None if any(entry.job_id == newest.job_id for entry in ends) else newest


def lasting(*, waiting: float = 0.0, within: float | None = None) -> timedelta:
    """How long a deployment keeps others out.

    ``waiting`` are the seconds that Airflow may be waited for, ``within`` those that all of it may take
    together. Never less than :data:`APPLY_TIME`: an apply that began is not cut short.
    """
    if within is None:
        return APPLY_TIME + timedelta(seconds=waiting)
    return max(APPLY_TIME, timedelta(seconds=within))


@contextmanager
def deployment(
    ledger: Ledger,
    subject: dict[str, Any],
    holder: Holder,
    *,
    lasts: timedelta,
    console: Console,
    take_over: bool = False,
    clock: Clock = lambda: datetime.now(UTC),
) -> Iterator[Held]:
    """The block runs while nobody else deploys the environment; ``subject`` says which release it is about.

    Raises:
        DeploymentHeldError: somebody else does, and it is not taken over.
        ServiceError: the ledger cannot be read or written.
    """
    held = _taken(ledger, subject, holder, lasts, take_over, clock)
    try:
        yield held
    except BaseException as error:
        _ended(held, subject, console, "failed", (_why(error),))
        raise
    _ended(held, subject, console, "succeeded", ())


def _taken(
    ledger: Ledger,
    subject: dict[str, Any],
    holder: Holder,
    lasts: timedelta,
    take_over: bool,
    clock: Clock,
) -> Held:
    job_id = secrets.token_hex(8)
    for _ in range(_TRIES):
        entries = ledger.entries()
        now = clock()
        other = standing(entries, now)
        if other is not None and not take_over:
            raise _refusal(other)
        draft = Draft(
            event=Event.DEPLOYMENT_STARTED,
            time=now,
            job_id=job_id,
            lease=Lease(by=holder.by, run_url=holder.run_url, until=now + lasts),
            reasons=(Reason(code=TAKEN_OVER, text=f"taken over: {_told(other)}"),) if other else (),
            **subject,
        )
        try:
            return Held(ledger, ledger.append(draft, after=entries[-1] if entries else None), clock)
        except LedgerMovedError:
            continue
    raise ServiceError(f"{ledger} is written to so often that the deployment could not begin")


def _ended(
    held: Held,
    subject: dict[str, Any],
    console: Console,
    outcome: Literal["succeeded", "failed"],
    reasons: tuple[Reason, ...],
) -> None:
    draft = Draft(
        event=Event.DEPLOYMENT_ENDED,
        time=held.clock(),
        outcome=outcome,
        job_id=held.job_id,
        reasons=reasons,
        **subject,
    )
    try:
        held.ledger.append(draft)
    except MlopsConfigError as error:
        until = held.entry.lease.until if held.entry.lease else held.entry.time
        console.say(
            f"warning: the ledger was not told that the deployment ended ({error.message});"
            f" until {_time(until)} others have to say --take-over"
        )


def _newest(entries: Sequence[LedgerEntry]) -> LedgerEntry | None:
    starts = (entry for entry in reversed(entries) if entry.event is Event.DEPLOYMENT_STARTED)
    return next(starts, None)


def _refusal(other: LedgerEntry) -> DeploymentHeldError:
    until = f" It has time until {_time(other.lease.until)}." if other.lease else ""
    return DeploymentHeldError(
        f"{_told(other)}.{until}",
        hint="wait until it ended; of one that died, look at what it did with 'mlops-config log', and say"
        " --take-over",
    )


def _told(entry: LedgerEntry) -> str:
    by = entry.lease.by if entry.lease else "somebody"
    where = f" ({entry.lease.run_url})" if entry.lease and entry.lease.run_url else ""
    return f"{by}{where} deploys release {entry.release} to {entry.environment} since {_time(entry.time)}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _why(error: BaseException) -> Reason:
    if isinstance(error, MlopsConfigError):
        return Reason(code="failed", text=error.message)
    if isinstance(error, KeyboardInterrupt):
        return Reason(code="interrupted", text="interrupted")
    return Reason(code="failed", text=type(error).__name__)

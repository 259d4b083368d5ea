"""What the ledger is told of an apply of infrastructure, and what it tells of the last one."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_config.console import Console
from mlops_config.errors import MlopsConfigError
from mlops_config.ledger.entries import Draft, Event, LedgerEntry, Reason
from mlops_config.ledger.ledger import Ledger
from mlops_config.release.record import InfrastructureRecord, ReleaseRecord

if TYPE_CHECKING:
    from mlops_config.infrastructure.lease import Held
    from mlops_config.infrastructure.provisioning import Planned


def was_applied(found: "Planned", ledger: Ledger) -> bool:
    """Whether the last apply in the ledger was of this very plan, for this release, and ended well."""
    last = _last(ledger)
    done = last.infrastructure if last and last.outcome == "succeeded" else None
    about = (found.subject.record.name, found.plan.digest)
    return last is not None and done is not None and (last.release, done.plan_digest) == about


def record_of(found: "Planned", created: int = 0, changed: int = 0, deleted: int = 0) -> InfrastructureRecord:
    """What an apply of the plan is written down as; the numbers are of resources."""
    return InfrastructureRecord(
        program=found.program.name,
        directory=found.module.shown,
        plan_digest=found.plan.digest,
        created=created,
        changed=changed,
        deleted=deleted,
    )


def note_failed(
    ledger: Ledger | None,
    found: "Planned",
    held: "Held | None",
    done: InfrastructureRecord,
    error: MlopsConfigError,
    console: Console,
) -> None:
    """Writes down an apply that failed; a ledger that fails as well must not hide why."""
    try:
        note(ledger, found, held, done, error)
    except MlopsConfigError as further:
        console.say(f"warning: the ledger was not told of the apply that failed: {further.message}")


def note(
    ledger: Ledger | None,
    found: "Planned",
    held: "Held | None",
    done: InfrastructureRecord,
    error: MlopsConfigError | None,
) -> None:
    """Writes down what was done; that nothing had to be is written once for a release."""
    if ledger is None:
        return
    draft = Draft(
        event=Event.PROVISIONED,
        time=datetime.now(UTC),
        outcome="failed" if error else "succeeded",
        job_id=held.job_id if held else None,
        infrastructure=done,
        reasons=(Reason(code="apply_failed", text=error.message),) if error else (),
        **subject_of(found.subject.record),
    )
    if not error and not found.plan.has_changes and _is_noted(ledger, draft):
        return
    ledger.append(draft)


def _is_noted(ledger: Ledger, draft: Draft) -> bool:
    """Whether the last of its kind is about this release, and ended well."""
    last = _last(ledger)
    about = (draft.release, draft.config_digest, "succeeded")
    return last is not None and (last.release, last.config_digest, last.outcome) == about


def _last(ledger: Ledger) -> LedgerEntry | None:
    done = (each for each in reversed(ledger.entries()) if each.event is Event.PROVISIONED)
    return next(done, None)


def subject_of(record: ReleaseRecord) -> dict[str, Any]:
    """What entries of the ledger say of the release that they are about."""
    return {
        "config_digest": record.config_digest,
        "commit": record.source.commit,
        "release": record.name,
        "image_digest": record.image.digest if record.image else None,
        "base_digest": record.image.base_digest if record.image else None,
    }

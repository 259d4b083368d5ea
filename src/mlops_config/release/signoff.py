"""What the ledger is told of releases, and what it must say before the last step (rule E06).

A version goes to the last environment only after the environment before it had a release with the same
runtime image, and that one was written down as verified. The two environments' configurations differ, so
their digests cannot be compared; the runtime image is the same code in both. An image that is built on
nothing holds no code: then the commit is compared.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from mlops_config.contract.codes import AT_RELEASE
from mlops_config.errors import FindingsError, UsageError
from mlops_config.ledger.entries import Draft, Event, LedgerEntry, Reason
from mlops_config.ledger.ledger import Ledger
from mlops_config.release.record import ReleaseRecord
from mlops_config.settings import Settings
from mlops_config.store.interface import Store

CODE = "E06"
_SHORT = 19


def write_released(store: Store, record: ReleaseRecord) -> None:
    """Adds to the release's ledger that it is stored, unless an interrupted run did so already."""
    ledger = Ledger(store, record.project, record.model_name, record.environment)
    draft = _about(record, Event.RELEASED, record.created_at)
    head = ledger.head()
    if head is None or Draft(**{name: getattr(head, name) for name in Draft.model_fields}) != draft:
        ledger.append(draft)


def write_verified(store: Store, record: ReleaseRecord, proven: Sequence[str]) -> LedgerEntry:
    """Adds that all of the release was proven to be what its record says; ``proven`` says what that was."""
    reasons = tuple(Reason(code="proven", text=line) for line in proven)
    draft = _about(record, Event.VERIFIED, datetime.now(UTC)).model_copy(update={"reasons": reasons})
    return Ledger(store, record.project, record.model_name, record.environment).append(draft)


def _about(record: ReleaseRecord, event: Event, time: datetime) -> Draft:
    image = record.image
    return Draft(
        event=event,
        time=time,
        config_digest=record.config_digest,
        commit=record.source.commit,
        release=record.name,
        image_digest=image.digest if image else None,
        base_digest=image.base_digest if image else None,
    )


def verified_before(record: ReleaseRecord, entries: Iterable[LedgerEntry]) -> LedgerEntry | None:
    """The newest of the entries that says that the same runtime image, or commit, was verified."""
    base = record.image.base_digest if record.image else None
    found = None
    for entry in entries:
        same = entry.base_digest == base if base else entry.commit == record.source.commit is not None
        if entry.event is Event.VERIFIED and entry.outcome == "succeeded" and same:
            found = entry
    return found


def require_verified(
    record: ReleaseRecord, settings: Settings, stores: Sequence[Store], today: date
) -> str | None:
    """What there is to say about E06 before the release is published, if anything.

    Nothing is read unless the settings give E06 a severity: what nobody verifies cannot be asked for.

    Raises:
        FindingsError: the severity is ``error``, no store's ledger has such an entry, and no waiver holds.
        IntegrityError: a ledger's chain is broken.
    """
    severity = settings.severity.get(CODE, AT_RELEASE[CODE])
    is_last = record.environment == settings.environments[-1] and len(settings.environments) > 1
    if severity == "off" or record.version is None or not is_last:
        return None
    before = settings.environments[-2]
    for store in stores:
        ledger = Ledger(store, record.project, record.model_name, before)
        found = verified_before(record, ledger.entries())
        if found:
            return f"{CODE}: {before} release {found.release} was verified on {found.time:%Y-%m-%d}"
    base = record.image.base_digest if record.image else None
    same = f"runtime image {base[:_SHORT]}" if base else f"commit {(record.source.commit or 'none')[:12]}"
    message = (
        f"{CODE}: {record.environment} release {record.name} was not rehearsed: the ledger of {before} has no"
        f" verified release of the same {same}"
    )
    for waiver in settings.waivers:
        concerned = waiver.rule == CODE and waiver.environment in (None, record.environment)
        if concerned and waiver.expires >= today:
            return f"{message}; waived until {waiver.expires}: {waiver.reason}"
    if severity == "error":
        raise FindingsError(
            message,
            hint=f"release it to {before}, then run 'mlops-config verify --environment {before} --to-ledger'",
        )
    return f"{severity} {message}"


def stores_of(record: ReleaseRecord) -> tuple[Store, ...]:
    """The stores that a published release lies in.

    Raises:
        UsageError: it was not published.
    """
    from mlops_config.store import open_store

    if not record.bundles:
        raise UsageError(
            f"{record.environment} release {record.name} is in no store, so there is no ledger to write to",
            hint="publish it first: mlops-config publish",
        )
    return tuple(open_store(location.store) for location in record.bundles)

"""Publishing to every store in an order that never shows a reader something half done."""

from collections.abc import Mapping, Sequence

from mlops_config.bundle.bundle import Bundle
from mlops_config.console import StageLog
from mlops_config.errors import IntegrityError
from mlops_config.release.record import BundleLocation, ReleaseRecord
from mlops_config.store.interface import Current, Store


def released_before(record: ReleaseRecord, stores: Sequence[Store]) -> ReleaseRecord | None:
    """The record an earlier, perhaps interrupted, run stored under this release's name, or ``None``.

    Raises:
        IntegrityError: the name is taken by a release of other content.
    """
    for store in stores:
        found = store.fetch_release(record.project, record.environment, record.name)
        if found is None:
            continue
        if (found.recipe, found.source.commit) != (record.recipe, record.source.commit):
            raise IntegrityError(
                f"{record.environment} release {record.name} is in {store.uri} already, with other content:"
                f" it has {_content(found)}, this one {_content(record)}",
                hint="a release is never overwritten: make a new commit or take the next version",
            )
        return found
    return None


def in_force(record: ReleaseRecord, current: Mapping[str, Current | None]) -> bool:
    """Whether every store's pointer already names this very release."""
    return all(pointer is not None and pointer.release == record.name for pointer in current.values())


def publish(
    record: ReleaseRecord,
    bundle: Bundle,
    stores: Sequence[Store],
    current: Mapping[str, Current | None],
    log: StageLog,
) -> ReleaseRecord:
    """Stores the bundle, then the record, then moves the pointers; returns the record with the locations.

    ``current`` holds each store's pointer as read before the release, by URI. All steps are write-once or
    compare-and-swap, so running again after a failure goes on where it stopped.

    Raises:
        ServiceError: a store failed, or someone else released meanwhile.
        IntegrityError: a write-once name is taken by other content.
    """
    locations = []
    for store in stores:
        log.progress(f"bundle to {store.uri}")
        locations.append(BundleLocation(store=store.uri, uri=store.publish_bundle(bundle).uri))
    if not record.bundles:
        record = record.model_copy(update={"bundles": tuple(locations)})
    for store in stores:
        log.progress(f"release record to {store.uri}")
        store.publish_release(record)
    for store in stores:
        log.progress(f"{record.environment} in {store.uri} to {record.name}")
        store.set_current(record, current[store.uri])
    return record


def _content(record: ReleaseRecord) -> str:
    image = f", base {record.image.base_digest or record.image.base}" if record.image else ""
    return f"configs {record.config_digest[:19]}{image}, commit {(record.source.commit or 'none')[:12]}"

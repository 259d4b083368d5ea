"""Publishing to every store in an order that never shows a reader something half done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_config.bundle.bundle import Bundle
from mlops_config.console import StageLog
from mlops_config.errors import IntegrityError
from mlops_config.release.record import BundleLocation, ReleaseRecord
from mlops_config.release.signoff import write_released
from mlops_config.store.interface import Current, Store


@dataclass(frozen=True, slots=True)
class Standing:
    """What the stores say of an environment before this run touches them."""

    stores: tuple[Store, ...]
    pointers: Mapping[str, Current | None]
    """By store URI."""
    releases: Mapping[str, ReleaseRecord | None]
    """The record each pointer names, by store URI."""

    @classmethod
    def read(cls, stores: Sequence[Store], project: str, environment: str) -> "Standing":
        """Reads pointers and the records they name.

        Raises:
            ServiceError: a store cannot be reached or refuses us.
            IntegrityError: a pointer names a release the store does not hold.
        """
        pointers = {store.uri: store.current(project, environment) for store in stores}
        releases: dict[str, ReleaseRecord | None] = {}
        for store in stores:
            pointer = pointers[store.uri]
            releases[store.uri] = _pointed_at(store, project, environment, pointer) if pointer else None
        return cls(tuple(stores), pointers, releases)

    @property
    def released(self) -> ReleaseRecord | None:
        """What the environment runs now, by the first store that knows."""
        return next((record for record in self.releases.values() if record), None)

    def in_force(self, record: ReleaseRecord, *, pushed: bool) -> ReleaseRecord | None:
        """The release every store points at already, if it is ``record`` in all but time and commit.

        A version has to be the very same; without one, equal content is enough. ``pushed`` asks that the
        image lies in a registry.
        """
        found = self.released
        if (
            found is None
            or found.recipe != record.recipe
            or (pushed and not (found.image and found.image.pushed))
        ):
            return None
        if record.version not in (None, found.version):
            return None
        same = all(other is not None and other.name == found.name for other in self.releases.values())
        return found if same else None

    def earlier_run(self, record: ReleaseRecord) -> ReleaseRecord | None:
        """The record an interrupted run stored under this release's name, or ``None``.

        Raises:
            IntegrityError: the name is taken by a release of other content.
        """
        for store in self.stores:
            found = store.fetch_release(record.project, record.environment, record.name)
            if found is None:
                continue
            if (found.recipe, found.source.commit) != (record.recipe, record.source.commit):
                raise IntegrityError(
                    f"{record.environment} release {record.name} is in {store.uri} already, with other"
                    f" content: it has {_content(found)}, this one {_content(record)}",
                    hint="a release is never overwritten: make a new commit or take the next version",
                )
            return found
        return None


def _pointed_at(store: Store, project: str, environment: str, pointer: Current) -> ReleaseRecord:
    record = store.fetch_release(project, environment, pointer.release)
    if record is None:
        raise IntegrityError(
            f"{environment} in {store.uri} points at release {pointer.release}, which is not there",
            hint="somebody deleted it; restore it from a backup, or remove the pointer to start anew",
        )
    return record


def publish(record: ReleaseRecord, bundle: Bundle, standing: Standing, log: StageLog) -> ReleaseRecord:
    """Stores the bundle, then the record, then moves the pointers; returns the record with the locations.

    All steps are write-once or compare-and-swap, so running again after a failure goes on where it stopped.
    The ledger is told of the record before the pointer moves: a run that finds the pointer where it should be
    does nothing more.

    Raises:
        ServiceError: a store failed, or someone else released meanwhile.
        IntegrityError: a write-once name is taken by other content.
    """
    locations = []
    for store in standing.stores:
        log.progress(f"bundle to {store.uri}")
        locations.append(BundleLocation(store=store.uri, uri=store.publish_bundle(bundle).uri))
    if not record.bundles:
        record = record.model_copy(update={"bundles": tuple(locations)})
    for store in standing.stores:
        log.progress(f"release record to {store.uri}")
        store.publish_release(record)
        write_released(store, record)
    for store in standing.stores:
        log.progress(f"{record.environment} in {store.uri} to {record.name}")
        store.set_current(record, standing.pointers[store.uri])
    return record


def _content(record: ReleaseRecord) -> str:
    image = f", base {record.image.base_digest or record.image.base}" if record.image else ""
    return f"configs {record.config_digest[:19]}{image}, commit {(record.source.commit or 'none')[:12]}"

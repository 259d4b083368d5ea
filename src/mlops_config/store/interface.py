"""What every store of bundles, release records and ledgers offers, whatever lies behind it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from mlops_config.bundle.bundle import Bundle
from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.release.record import ReleaseRecord


class ObjectExistsError(IntegrityError):
    """A write-once name is taken by other content."""


class CurrentMovedError(ServiceError):
    """Someone else moved an environment's current pointer since it was read."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where something lies now, and whether this call put it there (``False``: it was there already)."""

    uri: str
    created: bool


@dataclass(frozen=True, slots=True)
class Current:
    """The release an environment runs, and the store's token for that very state of the pointer.

    ``token`` is opaque (an ETag, a generation, a digest); pass it back to :meth:`Store.set_current`.
    """

    release: str
    config_digest: str
    token: str


@dataclass(frozen=True, slots=True)
class LedgerName:
    """Which ledger: there is one for each model in each environment of a project."""

    project: str
    model_name: str
    environment: str


class Store(ABC):
    """Bundles, release records and ledger entries, write-once; one mutable pointer per environment.

    Every method raises :class:`ServiceError` when the store stays unreachable or refuses us after retries and
    :class:`IntegrityError` when stored bytes are not what their digest says.
    """

    uri: str
    """As configured, without credentials."""

    reads_at_once: int = 1
    """How many entries of a ledger are worth reading at the same time, in threads."""

    @abstractmethod
    def publish_bundle(self, bundle: Bundle) -> Published:
        """Stores the bundle under its digest, the manifest last. There already: nothing is written."""

    @abstractmethod
    def fetch_bundle(self, project: str, digest: str) -> Bundle | None:
        """The bundle with every digest checked, or ``None`` when there is none (or only half of one)."""

    @abstractmethod
    def publish_release(self, record: ReleaseRecord) -> Published:
        """Stores the record under ``record.environment`` and ``record.name``.

        Raises:
            ObjectExistsError: that name holds another release (other bytes).
            UsageError: the release's bundle is not in this store.
        """

    @abstractmethod
    def fetch_release(self, project: str, environment: str, name: str) -> ReleaseRecord | None:
        """The record, or ``None``."""

    @abstractmethod
    def release_names(self, project: str, environment: str) -> Iterator[str]:
        """Names of all releases of the environment, in no particular order."""

    @abstractmethod
    def current(self, project: str, environment: str) -> Current | None:
        """The environment's current pointer, or ``None`` before the first release."""

    @abstractmethod
    def set_current(self, record: ReleaseRecord, expected: Current | None) -> Current:
        """Points the environment at ``record`` if the pointer is still ``expected`` (``None``: not there).

        Raises:
            CurrentMovedError: it is not.
            UsageError: the release is not in this store.
        """

    @abstractmethod
    def append_entry(self, ledger: LedgerName, number: int, data: bytes) -> Published:
        """Stores ``data`` as the ledger's entry ``number``, counted from 1; a no-op if it is there already.

        Raises:
            ObjectExistsError: that number is taken by another entry.
        """

    @abstractmethod
    def fetch_entry(self, ledger: LedgerName, number: int) -> bytes | None:
        """The entry's bytes, unchecked, or ``None`` when there is none."""

    @abstractmethod
    def entry_numbers(self, ledger: LedgerName) -> Iterator[int]:
        """Numbers of the entries there, in no particular order. One added meanwhile may be missing.

        Raises:
            IntegrityError: something lies among them that is no entry.
        """

"""Reads what a store holds of a project: its release records and its ledgers."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from mlops_config.errors import IntegrityError
from mlops_config.ledger.entries import LedgerEntry
from mlops_config.ledger.ledger import Ledger
from mlops_config.ledger.tracing import History
from mlops_config.release.record import ReleaseRecord
from mlops_config.store.interface import LedgerName, Store


def read_history(store: Store, names: Iterable[LedgerName]) -> History:
    """The releases to the environments of the named ledgers, and the ledgers' entries.

    Raises:
        IntegrityError: a ledger's chain is broken, or a record is not what its place says.
        ServiceError: the store cannot be read.
    """
    releases: list[ReleaseRecord] = []
    entries: list[LedgerEntry] = []
    for name in dict.fromkeys(names):
        releases += _releases(store, name)
        entries += ledger_of(store, name).entries()
    return History(tuple(releases), tuple(entries))


def ledger_of(store: Store, name: LedgerName) -> Ledger:
    """The named ledger in the store."""
    return Ledger(store, name.project, name.model_name, name.environment)


def _releases(store: Store, name: LedgerName) -> list[ReleaseRecord]:
    def fetch(release: str) -> ReleaseRecord:
        record = store.fetch_release(name.project, name.environment, release)
        if record is None:
            raise IntegrityError(
                f"release {release} of {name.environment} was in {store.uri} a moment ago and is gone",
                hint="find out who deletes releases there, then run the command again",
            )
        return record

    found = sorted(store.release_names(name.project, name.environment))
    with ThreadPoolExecutor(store.reads_at_once) as pool:
        records = list(pool.map(fetch, found))
    # One project may hold several models; those of others are traced in their own ledgers.
    return [record for record in records if record.model_name == name.model_name]

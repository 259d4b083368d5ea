"""The ledger of one model in one environment: read with its chain verified, and added to at its end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from pydantic import ValidationError

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.ledger.entries import Draft, LedgerEntry
from mlops_config.store.interface import LedgerName, ObjectExistsError, Store

_TRIES = 1000
"""Each lost try means that somebody else's entry was added; no real ledger has as many writers."""


class Anywhere(Enum):
    """No wish which entry comes before."""

    ANY = "any"


ANY = Anywhere.ANY


class LedgerMovedError(ServiceError):
    """Someone else added to the ledger since its head was read."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and the digest of the very bytes it is stored as, which the next entry names."""

    entry: LedgerEntry
    digest: str


class Ledger:
    """What ran, where and when, oldest first. Nothing in it is ever changed.

    Entries are numbered from 1, and each is stored under its number if that is free. So of two writers in one
    moment one gets the number and the other adds after it: the chain has no forks and no gaps. (A registry
    knows no such write; :meth:`OciStore.append_entry` says what that leaves open.)
    """

    def __init__(self, store: Store, project: str, model_name: str, environment: str) -> None:
        self.store = store
        self.name = LedgerName(project, model_name, environment)
        self._known: Placed | None = None
        """The last entry this object has seen."""

    def entries(self) -> tuple[LedgerEntry, ...]:
        """All entries, oldest first.

        Raises:
            IntegrityError: an entry is missing, is not what the next one says, or belongs elsewhere.
        """
        return tuple(placed.entry for placed in self.latest())

    def latest(self, count: int | None = None) -> tuple[Placed, ...]:
        """The newest ``count`` entries with their digests, oldest first; ``None``: all.

        Raises:
            IntegrityError: as :meth:`entries`, but only for the entries that were read.
        """
        last = max(self.store.entry_numbers(self.name), default=0)
        first = 1 if count is None else max(1, last - count + 1)
        chain: list[Placed] = []
        # The entry before the first one asked for proves that one.
        for number, data in self._stored(range(max(1, first - 1), last + 1)):
            if number < first:
                chain.append(Placed(self._parsed(number, data), sha256_of(data)))
            else:
                chain.append(self._verified(number, data, chain[-1] if chain else None))
        if chain:
            self._known = chain[-1]
        return tuple(chain[1:] if first > 1 else chain)

    def head(self) -> LedgerEntry | None:
        """The newest entry, proven to follow the one before it; ``None`` while there is none.

        Raises:
            IntegrityError: as :meth:`entries`, but only for the entries that were read.
        """
        found = self._head()
        return found.entry if found else None

    def append(self, draft: Draft, *, after: LedgerEntry | Literal[Anywhere.ANY] | None = ANY) -> LedgerEntry:
        """Adds an entry and returns it. ``after`` is the head it must follow; ``None``: it must be the first.

        Without ``after`` it follows whatever is the head by then. The very entry that is there already, from
        a try whose answer got lost, is not added twice.

        Raises:
            LedgerMovedError: ``after`` is not the head, or no longer.
            IntegrityError: the end of the chain is broken: nothing is added to it.
        """
        head = self._head()
        for _ in range(_TRIES):
            if after is not ANY and _identity(after) != _identity(head.entry if head else None):
                raise self._moved(after, head)
            entry = self._follow(head, draft)
            data = entry.to_json()
            try:
                self.store.append_entry(self.name, entry.sequence, data)
            except ObjectExistsError:
                head = self._catch_up(head)
                continue
            self._known = Placed(entry, sha256_of(data))
            return entry
        raise ServiceError(f"{self} is written to so often that {_TRIES} tries to add an entry were too late")

    def __str__(self) -> str:
        name = self.name
        return f"the ledger of {name.project}/{name.model_name} in {name.environment} ({self.store.uri})"

    def _head(self) -> Placed | None:
        if self._known is None:
            self.latest(1)
        return self._catch_up(self._known)

    def _catch_up(self, head: Placed | None) -> Placed | None:
        """The head by now, which ``head`` was before."""
        while True:
            number = head.entry.sequence + 1 if head else 1
            data = self.store.fetch_entry(self.name, number)
            if data is None:
                return head
            self._known = head = self._verified(number, data, head)

    def _follow(self, head: Placed | None, draft: Draft) -> LedgerEntry:
        return LedgerEntry(
            **{name: getattr(draft, name) for name in Draft.model_fields},
            sequence=head.entry.sequence + 1 if head else 1,
            previous=head.digest if head else None,
            project=self.name.project,
            model_name=self.name.model_name,
            environment=self.name.environment,
        )

    def _stored(self, numbers: range) -> Iterator[tuple[int, bytes]]:
        """The bytes of the entries with these numbers, in order."""

        def fetch(number: int) -> bytes:
            data = self.store.fetch_entry(self.name, number)
            if data is None:
                raise IntegrityError(
                    f"entry {number} of {self} is missing, and there are later ones",
                    hint="somebody deleted it; restore it from a backup",
                )
            return data

        if self.store.reads_at_once == 1 or len(numbers) == 1:
            yield from zip(numbers, map(fetch, numbers), strict=True)
            return
        with ThreadPoolExecutor(self.store.reads_at_once) as pool:
            yield from zip(numbers, pool.map(fetch, numbers), strict=True)

    def _verified(self, number: int, data: bytes, before: Placed | None) -> Placed:
        entry = self._parsed(number, data)
        expected = before.digest if before else None
        if entry.previous != expected:
            raise IntegrityError(
                f"entry {number} of {self} breaks the chain: it follows {entry.previous or 'nothing'},"
                f" but the entry before it is {expected or 'not there'}",
                hint="one of the two was changed after it was written: compare them with a backup",
            )
        return Placed(entry, sha256_of(data))

    def _parsed(self, number: int, data: bytes) -> LedgerEntry:
        try:
            entry = LedgerEntry.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the top"
            raise IntegrityError(
                f"entry {number} of {self} is not one: at {place}: {first['msg']}",
                hint="if a later version of this program wrote it, use that version to read it",
            ) from error
        found = (entry.sequence, LedgerName(entry.project, entry.model_name, entry.environment))
        if found != (number, self.name):
            raise IntegrityError(
                f"entry {number} of {self} is entry {entry.sequence} of {entry.project}/{entry.model_name}"
                f" in {entry.environment}"
            )
        return entry

    def _moved(self, after: LedgerEntry | None, head: Placed | None) -> LedgerMovedError:
        wanted = f"entry {after.sequence} ({after.event})" if after else "nothing"
        there = f"entry {head.entry.sequence} ({head.entry.event})" if head else "nothing"
        return LedgerMovedError(
            f"{self} ends with {there}; what was to be added follows {wanted}",
            hint="somebody else was faster: look at what they did with 'mlops-config log', then decide again",
        )


def _identity(entry: LedgerEntry | None) -> str | None:
    # By digest, since two NaN are the same metric here and differ everywhere else.
    return entry.digest if entry else None

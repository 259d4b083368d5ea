"""The layout of bundles, release records, pointers and ledgers in any store of named objects.

Below ``<project>/``::

    bundles/sha256/<hex>/<files>          write-once, manifest.json last
    releases/<environment>/<name>.json    write-once
    ledger/<model>/<environment>/<number>.json    write-once, numbered from 000000001 without a gap
    environments/<environment>/current.json    the one object that changes, by compare-and-swap
"""

import json
import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from pydantic import ValidationError

from mlops_config.bundle.bundle import MANIFEST_NAME, Bundle, sha256_of
from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.release.record import ReleaseRecord
from mlops_config.store.interface import (
    Current,
    CurrentMovedError,
    LedgerName,
    ObjectExistsError,
    Published,
    Store,
)

OBJECT_LIMIT_BYTES = 16 << 20
"""Nothing we store comes near this; what is larger is not ours and is not read into memory."""

FILES_LIMIT = 16
"""A bundle has five files; what holds more than this is not ours and is not read."""

ENTRY_DIGITS = 9
"""Digits in an entry's name: with leading zeros, so that a listing by name is in order."""

_ENTRY_NAME = re.compile(rf"(\d{{{ENTRY_DIGITS}}})\.json")
_SHA256 = "sha256:"
_POINTER_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes and the store's token for this very state of it."""

    data: bytes
    token: str


class ObjectStore(Store):
    """A store made of four operations on named objects; keys have ``/`` between their parts."""

    @abstractmethod
    def get(self, key: str) -> StoredObject | None:
        """The object, or ``None``.

        Raises:
            IntegrityError: it is larger than :data:`OBJECT_LIMIT_BYTES`, or the store finds it damaged.
        """

    @abstractmethod
    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Stores the object; ``False`` when these very bytes are there already.

        Raises:
            ObjectExistsError: other bytes are there.
        """

    @abstractmethod
    def compare_and_swap(self, key: str, data: bytes, expected: str | None) -> str | None:
        """Replaces the object that has the token ``expected`` (``None``: there must be none).

        Returns its new token, or ``None`` when the object is in another state.
        """

    @abstractmethod
    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that start with ``prefix``, which ends in ``/``."""

    @abstractmethod
    def address(self, key: str) -> str:
        """The object's URI."""

    def refuse_other_content(self, key: str, data: bytes) -> Literal[False]:
        """For :meth:`put_if_absent`, where the name is taken: nothing was written, and nothing had to be.

        Raises:
            ObjectExistsError: other bytes are there.
            ServiceError: nothing is there any more.
        """
        stored = self.get(key)
        if stored is None:
            raise ServiceError(
                f"{self.address(key)} was there when it was to be written, and gone when it was read",
                hint="find out who deletes objects there, then run the command again",
            )
        if stored.data != data:
            raise ObjectExistsError(
                f"{self.address(key)} is there with other content:"
                f" it has {sha256_of(stored.data)}, this is {sha256_of(data)}",
                hint="nothing is overwritten: find out who wrote it, or give the release a new name",
            )
        return False

    def publish_bundle(self, bundle: Bundle) -> Published:
        folder = _bundle_folder(bundle.project, bundle.digest)
        created = False
        for name, data in bundle.contents().items():
            created = self.put_if_absent(folder + _part(name), data)
        return Published(self.address(folder), created)

    def fetch_bundle(self, project: str, digest: str) -> Bundle | None:
        folder = _bundle_folder(project, digest)
        if self.get(folder + MANIFEST_NAME) is None:
            return None
        contents: dict[str, bytes] = {}
        for key in self.keys(folder):
            if len(contents) == FILES_LIMIT:
                raise IntegrityError(
                    f"{self.address(folder)} holds more than {FILES_LIMIT} files: it is no bundle"
                )
            found = self.get(key)
            if found is not None:
                contents[unquote(key.removeprefix(folder))] = found.data
        origin = self.address(folder)
        bundle = Bundle.from_contents(contents, origin=origin)
        if (bundle.digest, bundle.project) != (digest, project):
            raise IntegrityError(
                f"{origin} holds the bundle {bundle.digest} of project {bundle.project};"
                f" expected {digest} of project {project}"
            )
        return bundle

    def publish_release(self, record: ReleaseRecord) -> Published:
        manifest = _bundle_folder(record.project, record.config_digest) + MANIFEST_NAME
        if self.get(manifest) is None:
            raise UsageError(
                f"release {record.name} cannot be stored in {self.uri}: its bundle {record.config_digest}"
                " is not there",
                hint="publish the bundle first",
            )
        key = _release_key(record.project, record.environment, record.name)
        return Published(self.address(key), self.put_if_absent(key, record.to_json()))

    def fetch_release(self, project: str, environment: str, name: str) -> ReleaseRecord | None:
        key = _release_key(project, environment, name)
        found = self.get(key)
        if found is None:
            return None
        return parse_release(found.data, project, environment, name, origin=self.address(key))

    def release_names(self, project: str, environment: str) -> Iterator[str]:
        folder = _releases_folder(project, environment)
        for key in self.keys(folder):
            name = key.removeprefix(folder)
            if name.endswith(".json") and "/" not in name:
                yield unquote(name.removesuffix(".json"))

    def current(self, project: str, environment: str) -> Current | None:
        key = _current_key(project, environment)
        found = self.get(key)
        if found is None:
            return None
        try:
            document = json.loads(found.data)
            release, digest = document["release"], document["configDigest"]
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{self.address(key)} is not a current pointer: {error!r}") from error
        return Current(str(release), str(digest), found.token)

    def set_current(self, record: ReleaseRecord, expected: Current | None) -> Current:
        key = _current_key(record.project, record.environment)
        release = _release_key(record.project, record.environment, record.name)
        if self.get(release) is None:
            raise UsageError(
                f"{record.environment} cannot point at release {record.name}: it is not in {self.uri}",
                hint="publish the release first",
            )
        token = self.compare_and_swap(key, _pointer(record), expected.token if expected else None)
        if token is None:
            raise moved(record, self.address(key), expected, self.current(record.project, record.environment))
        return Current(record.name, record.config_digest, token)

    def append_entry(self, ledger: LedgerName, number: int, data: bytes) -> Published:
        key = _entry_key(ledger, number)
        return Published(self.address(key), self.put_if_absent(key, data))

    def fetch_entry(self, ledger: LedgerName, number: int) -> bytes | None:
        found = self.get(_entry_key(ledger, number))
        return None if found is None else found.data

    def entry_numbers(self, ledger: LedgerName) -> Iterator[int]:
        folder = _ledger_folder(ledger)
        for key in self.keys(folder):
            match = _ENTRY_NAME.fullmatch(key, len(folder))
            if match is None:
                raise IntegrityError(
                    f"{self.address(key)} is no entry of a ledger: their names are 000000001.json and so on",
                    hint="move it elsewhere: a ledger's folder holds its entries and nothing else",
                )
            yield int(match[1])


def parse_release(data: bytes, project: str, environment: str, name: str, *, origin: str) -> ReleaseRecord:
    """The record in ``data``, which must be the one that its place in the store says.

    Raises:
        IntegrityError: it is not.
    """
    try:
        record = ReleaseRecord.model_validate_json(data)
    except ValidationError as error:
        raise IntegrityError(f"{origin} is not a release record: {error}") from error
    found = (record.project, record.environment, record.name)
    if found != (project, environment, name):
        raise IntegrityError(
            f"{origin} holds release {found[2]} of {found[0]} in {found[1]};"
            f" expected {name} of {project} in {environment}"
        )
    return record


def moved(
    record: ReleaseRecord, origin: str, expected: Current | None, now: Current | None
) -> CurrentMovedError:
    """The error for a pointer that is not what it was: ``now`` is what it says, ``expected`` what it said."""
    before = f"release {expected.release}" if expected else "nothing"
    after = f"release {now.release}" if now else "nothing"
    return CurrentMovedError(
        f"{record.environment} was pointed at {after} by someone else while release {record.name} was made"
        f" ({origin} said {before} before)",
        hint="look at that release, then run the command again if yours should replace it",
    )


def _pointer(record: ReleaseRecord) -> bytes:
    """The pointer's content; its two paths are relative to the project's folder."""
    project = f"{_part(record.project)}/"
    release = _release_key(record.project, record.environment, record.name)
    document = {
        "schemaVersion": _POINTER_SCHEMA,
        "release": record.name,
        "configDigest": record.config_digest,
        "record": release.removeprefix(project),
        "bundle": _bundle_folder(record.project, record.config_digest).removeprefix(project),
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _bundle_folder(project: str, digest: str) -> str:
    return f"{_part(project)}/bundles/sha256/{_part(digest.removeprefix(_SHA256))}/"


def _releases_folder(project: str, environment: str) -> str:
    return f"{_part(project)}/releases/{_part(environment)}/"


def _release_key(project: str, environment: str, name: str) -> str:
    return f"{_releases_folder(project, environment)}{_part(name)}.json"


def _current_key(project: str, environment: str) -> str:
    return f"{_part(project)}/environments/{_part(environment)}/current.json"


def _ledger_folder(ledger: LedgerName) -> str:
    return f"{_part(ledger.project)}/ledger/{_part(ledger.model_name)}/{_part(ledger.environment)}/"


def _entry_key(ledger: LedgerName, number: int) -> str:
    return f"{_ledger_folder(ledger)}{number:0{ENTRY_DIGITS}}.json"


def _part(name: str) -> str:
    """``name`` as one part of a key: what is no letter, digit or ``-_.~+`` is percent-encoded."""
    if not name or name.startswith("."):
        raise UsageError(f"{name!r} cannot name anything in a store: it is empty or starts with a dot")
    return quote(name, safe="+")

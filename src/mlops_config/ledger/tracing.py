"""From a prediction back to the commit, and from a commit on to every prediction: a graph of what is stored.

Release records say which commit, files and image belong together; ledger entries say what ran with them. What
comes from what::

    file → bundle ┐
                  ├→ release ─┬→ image
           commit ┘           └→ entry ──(trained)──→ model → entry
                                   ↑ data
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from mlops_config.errors import MlopsConfigError, UsageError
from mlops_config.ledger.entries import Event, LedgerEntry, ModelReference
from mlops_config.release.record import ReleaseRecord

LEAST_PREFIX = 7
"""Hex digits that the beginning of a commit or digest has at least."""

_HEX = re.compile(rf"(?:sha256:)?([0-9a-f]{{{LEAST_PREFIX},64}})")
_PREDICTION = re.compile(r"([0-9a-f]{16})-\d+")
_JOB = re.compile(r"[0-9a-f]{16}")
_MODEL = re.compile(r"(?:models:/)?(?P<name>.+)[:/](?P<version>\d+)")
_TAG = re.compile(r"(?:refs/tags/)?(?:release/)?v?(?P<version>.+)")
_MODEL_MADE_BY = (Event.TRAINED, Event.RETRAIN_ENDED)
_SHOWN = 10


class NothingFoundError(MlopsConfigError):
    """The stores know nothing of what was asked for."""

    exit_code: ClassVar[int] = 1


class NodeKind(StrEnum):
    """What a node stands for."""

    FILE = "file"
    COMMIT = "commit"
    BUNDLE = "bundle"
    RELEASE = "release"
    IMAGE = "image"
    DATA = "data"
    MODEL = "model"
    ENTRY = "entry"


class Key(NamedTuple):
    """A node's identity: its kind, and a digest, a commit, ``name:version`` or the like."""

    kind: NodeKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class History:
    """What the stores hold of a project."""

    releases: tuple[ReleaseRecord, ...]
    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What was found for a query, and all that it came from and that came of it."""

    query: str
    found: tuple[Key, ...]
    upstream: Mapping[Key, tuple[Key, ...]]
    """Each node on the way up with what it comes from; the found ones are among them."""
    downstream: Mapping[Key, tuple[Key, ...]]
    """Each node on the way down with what came of it."""


@dataclass
class _Facts:
    """What is known of the nodes of a kind, by name."""

    files: dict[str, list[tuple[ReleaseRecord, str]]] = field(default_factory=lambda: defaultdict(list))
    commits: dict[str, list[ReleaseRecord]] = field(default_factory=lambda: defaultdict(list))
    bundles: dict[str, list[ReleaseRecord]] = field(default_factory=lambda: defaultdict(list))
    images: dict[str, list[ReleaseRecord]] = field(default_factory=lambda: defaultdict(list))


class Graph:
    """Every node of a history, and what comes from what."""

    def __init__(self, history: History) -> None:
        self._releases = {release_name(record): record for record in history.releases}
        self._entries = {entry_name(entry): entry for entry in history.entries}
        self._facts = _Facts()
        self._up: dict[Key, dict[Key, None]] = defaultdict(dict)
        self._down: dict[Key, dict[Key, None]] = defaultdict(dict)
        self._models: dict[str, ModelReference] = {}
        for record in history.releases:
            self._add_release(record)
        for entry in history.entries:
            self._add_entry(entry)

    def _add_release(self, record: ReleaseRecord) -> None:
        release = Key(NodeKind.RELEASE, release_name(record))
        bundle = Key(NodeKind.BUNDLE, record.config_digest)
        self._facts.bundles[record.config_digest].append(record)
        if record.source.commit:
            self._facts.commits[record.source.commit].append(record)
            self._link(Key(NodeKind.COMMIT, record.source.commit), release)
        for file in record.files:
            self._facts.files[file.sha256].append((record, file.name))
            self._link(Key(NodeKind.FILE, file.sha256), bundle)
        self._link(bundle, release)
        if record.image:
            image = Key(NodeKind.IMAGE, record.image.digest or record.image.config_digest)
            self._facts.images[image.name].append(record)
            self._link(release, image)

    def _add_entry(self, entry: LedgerEntry) -> None:
        node = Key(NodeKind.ENTRY, entry_name(entry))
        self._up[node], self._down[node] = self._up[node], self._down[node]
        obeyed = self._obeyed(entry)
        for record in obeyed:
            self._link(Key(NodeKind.RELEASE, release_name(record)), node)
        if not obeyed and entry.config_digest:
            self._link(Key(NodeKind.BUNDLE, entry.config_digest), node)
        if not obeyed and entry.commit:
            self._link(Key(NodeKind.COMMIT, entry.commit), node)
        if entry.image_digest and entry.image_digest not in {_image(record) for record in obeyed}:
            self._link(Key(NodeKind.IMAGE, self._image_node(entry.image_digest)), node)
        if entry.data_fingerprint:
            self._link(Key(NodeKind.DATA, entry.data_fingerprint), node)
        for model in filter(None, (entry.model, entry.champion)):
            self._models.setdefault(model_name(model), model)
        if entry.model:
            model_node = Key(NodeKind.MODEL, model_name(entry.model))
            if entry.event in _MODEL_MADE_BY and (entry.outcome == "succeeded" or entry.data_fingerprint):
                self._link(node, model_node)
            else:
                self._link(model_node, node)
        if entry.champion:
            # It was compared with or replaced: something came of it, but the entry is not its work.
            self._down[Key(NodeKind.MODEL, model_name(entry.champion))][node] = None

    def _link(self, source: Key, result: Key) -> None:
        self._down[source][result] = None
        self._up[result][source] = None

    def _obeyed(self, entry: LedgerEntry) -> list[ReleaseRecord]:
        """The releases whose configuration a job obeyed: the one it names, else all of that content."""
        candidates = [
            record
            for record in self._facts.bundles.get(entry.config_digest or "", ())
            if record.environment == entry.environment
        ]
        if entry.config_digest is None and entry.release:
            named = self._releases.get(f"{entry.environment}/{entry.release}")
            return [named] if named else []
        by_name = [record for record in candidates if record.name == entry.release]
        by_commit = [record for record in candidates if record.source.commit == entry.commit]
        return by_name or by_commit or candidates

    def _image_node(self, digest: str) -> str:
        """An image has two digests, of its manifest and of its configuration: one of them names the node."""
        for name, records in self._facts.images.items():
            if any(record.image and digest == record.image.config_digest for record in records):
                return name
        return digest

    def trace(self, query: str) -> Trace:
        """What the query names, and everything up and down from there.

        Raises:
            NothingFoundError: no release record or ledger entry has it.
            UsageError: it is the beginning of several.
        """
        found = tuple(self.find(query))
        return Trace(query, found, self._walk(found, self.parents), self._walk(found, self.children))

    def parents(self, node: Key, via: Key | None = None) -> tuple[Key, ...]:
        """What ``node`` comes from. A bundle also comes from the commits it was released from, unless it was
        reached from one of those releases, which says so itself (``via``)."""
        above = dict(self._up.get(node, {}))
        if node.kind is NodeKind.BUNDLE and (via is None or via.kind is not NodeKind.RELEASE):
            commits = [record.source.commit for record in self._facts.bundles.get(node.name, ())]
            above |= dict.fromkeys(Key(NodeKind.COMMIT, commit) for commit in commits if commit)
        return tuple(sorted(above, key=lambda each: (_RANK_ABOVE[each.kind], self._order(each))))

    def children(self, node: Key, via: Key | None = None) -> tuple[Key, ...]:
        """What came of ``node``. What ran in a release's image comes from the release (``via``)."""
        if node.kind is NodeKind.IMAGE and via is not None:
            return ()
        return tuple(sorted(self._down.get(node, {}), key=self._order))

    def _walk(self, found: Iterable[Key], step: Any) -> dict[Key, tuple[Key, ...]]:
        reached: dict[Key, tuple[Key, ...]] = {}
        waiting: list[tuple[Key, Key | None]] = [(node, None) for node in reversed(list(found))]
        while waiting:
            node, via = waiting.pop()
            if node in reached:
                continue
            reached[node] = step(node, via)
            waiting += [(each, node) for each in reversed(reached[node])]
        return reached

    def _order(self, node: Key) -> tuple[int, str, int, str]:
        entry = self.entry(node)
        if entry:
            return _RANK[node.kind], entry.time.isoformat(), entry.sequence, node.name
        if node.kind is NodeKind.RELEASE:
            return _RANK[node.kind], self._releases[node.name].created_at.isoformat(), 0, node.name
        if node.kind is NodeKind.FILE:
            return _RANK[node.kind], self._facts.files[node.name][0][1], 0, node.name
        return _RANK[node.kind], "", 0, node.name

    def find(self, query: str) -> list[Key]:
        """The nodes that ``query`` names.

        Raises:
            NothingFoundError, UsageError: as :meth:`trace`.
        """
        exact = list(dict.fromkeys(self._exact(query.strip())))
        if exact:
            return exact
        begins = sorted(set(self._beginning_with(query.strip())), key=self._order)
        if len(begins) > 1:
            listed = [f"\n  {node.kind:<8} {node.name}" for node in begins[:_SHOWN]]
            more = f"\n  … and {len(begins) - _SHOWN} more" if len(begins) > _SHOWN else ""
            raise UsageError(
                f"{query!r} is the beginning of {len(begins)} things:{''.join(listed)}{more}",
                hint="give more of it",
            )
        if not begins:
            raise NothingFoundError(
                f"nothing is known of {query!r}: it is in none of {len(self._releases)} release records"
                f" and {len(self._entries)} ledger entries",
                hint="give a commit, tag, release, config digest, image digest, model version (name:7),"
                " prediction id, job id, data fingerprint, or one of the YAML files or its SHA-256;"
                f" beginnings of at least {LEAST_PREFIX} hex digits will do",
            )
        return begins

    def _exact(self, query: str) -> Iterator[Key]:
        prediction = _PREDICTION.fullmatch(query)
        if prediction or _JOB.fullmatch(query):
            job = prediction[1] if prediction else query
            events = {Event.SCORED, Event.SERVED} if prediction else set(Event)
            for name, entry in self._entries.items():
                if entry.job_id == job and entry.event in events:
                    yield Key(NodeKind.ENTRY, name)
        model = _MODEL.fullmatch(query)
        if model and f"{model['name']}:{model['version']}" in self._models:
            yield Key(NodeKind.MODEL, f"{model['name']}:{model['version']}")
        for run, reference in self._runs():
            if run == query:
                yield Key(NodeKind.MODEL, model_name(reference))
        if query in self._facts.commits or Key(NodeKind.COMMIT, query) in self._down:
            yield Key(NodeKind.COMMIT, query)
            return
        tag = _TAG.fullmatch(query)
        for name, record in self._releases.items():
            is_tag = record.source.ref in (query, f"refs/tags/{query}") and "refs/tags/" in record.source.ref
            by_name = query in (record.name, f"{record.environment}/{record.name}")
            by_version = record.version is not None and tag is not None and tag["version"] == record.version
            if by_name or by_version or is_tag:
                yield Key(NodeKind.RELEASE, name)

    def _beginning_with(self, query: str) -> Iterator[Key]:
        query = query.lower()
        match = _HEX.fullmatch(query)
        if match is None:
            return
        start = match[1]
        for node in {*self._down, *self._up}:
            is_digest = node.kind in _NAMED_BY_DIGEST and node.name.removeprefix("sha256:").startswith(start)
            is_commit = node.kind is NodeKind.COMMIT and not query.startswith("sha256:")
            if is_digest or (is_commit and node.name.startswith(start)):
                yield node
        for name, records in self._facts.images.items():
            if any(record.image and record.image.config_digest[7:].startswith(start) for record in records):
                yield Key(NodeKind.IMAGE, name)

    def _runs(self) -> Iterator[tuple[str, ModelReference]]:
        return ((model.run_id, model) for model in self._models.values() if model.run_id)

    def entry(self, node: Key) -> LedgerEntry | None:
        """The ledger entry that the node is, if it is one."""
        return self._entries.get(node.name) if node.kind is NodeKind.ENTRY else None

    def details(self, node: Key) -> dict[str, Any]:
        """What is known of the node itself, ready for JSON."""
        facts = self._facts
        match node.kind:
            case NodeKind.ENTRY:
                return self._entries[node.name].model_dump(mode="json", exclude_defaults=True)
            case NodeKind.RELEASE:
                return _release_details(self._releases[node.name])
            case NodeKind.MODEL:
                return self._models[node.name].model_dump(mode="json", exclude_none=True)
            case NodeKind.FILE:
                return {"names": sorted({name for _, name in facts.files[node.name]})}
            case NodeKind.COMMIT:
                places = {record.source.repository for record in facts.commits.get(node.name, ())}
                return {"repositories": sorted(filter(None, places))}
            case NodeKind.BUNDLE:
                found = {record.environment for record in facts.bundles.get(node.name, ())}
                return {"environments": sorted(found)}
            case NodeKind.IMAGE:
                return _image_details(facts.images.get(node.name, ()))
            case NodeKind.DATA:
                return {}


_RANK = {kind: number for number, kind in enumerate(NodeKind)}
_RANK_ABOVE = _RANK | {NodeKind.MODEL: -1}
"""A prediction's way up leads first through its model, then through the configuration that was obeyed."""
_NAMED_BY_DIGEST = {NodeKind.FILE, NodeKind.BUNDLE, NodeKind.IMAGE, NodeKind.DATA}


def release_name(record: ReleaseRecord) -> str:
    """What names a release among those of all environments."""
    return f"{record.environment}/{record.name}"


def entry_name(entry: LedgerEntry) -> str:
    """What names an entry among those of all ledgers of a project."""
    return f"{entry.model_name}/{entry.environment}/{entry.sequence}"


def model_name(model: ModelReference) -> str:
    """``name:version``."""
    return f"{model.name}:{model.version}"


def _image(record: ReleaseRecord) -> str | None:
    return record.image.digest if record.image else None


def _release_details(record: ReleaseRecord) -> dict[str, Any]:
    source = record.source
    found = {
        "environment": record.environment,
        "name": record.name,
        "version": record.version,
        "created_at": record.created_at.isoformat(),
        "config_digest": record.config_digest,
        "commit": source.commit,
        "ref": source.ref,
        "repository": source.repository,
        "actor": source.actor,
        "run_url": source.run_url,
        "files": {file.name: file.sha256 for file in record.files},
    }
    return {name: value for name, value in found.items() if value is not None}


def _image_details(records: Iterable[ReleaseRecord]) -> dict[str, Any]:
    for record in records:
        if record.image:
            return record.image.model_dump(mode="json", exclude_none=True)
    return {}

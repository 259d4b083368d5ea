"""A store in a container registry, ``oci://registry/repository``: everything in it is an OCI 1.1 artifact.

One repository holds one project. Manifests hold no times, so equal content has an equal manifest digest.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlops_config.bundle.bundle import MANIFEST_MEDIA_TYPE, MANIFEST_NAME, Bundle
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.registry.content import (
    EMPTY_BLOB,
    EMPTY_CONFIG,
    OCI_MANIFEST,
    TITLE,
    Descriptor,
    Manifest,
)
from mlops_config.release.record import ReleaseRecord
from mlops_config.store.interface import Current, LedgerName, ObjectExistsError, Published, Store
from mlops_config.store.objects import FILES_LIMIT, OBJECT_LIMIT_BYTES, moved, parse_release
from mlops_config.store.tags import (
    bundle_tag,
    clear_release,
    current_tag,
    entry_number,
    entry_tag,
    may_be_release,
    release_tag,
)

if TYPE_CHECKING:
    from mlops_config.registry.client import RegistryClient

BUNDLE_TYPE = "application/vnd.mlops-config.bundle.v1"
RELEASE_TYPE = "application/vnd.mlops-config.release.v1"
RECORD_MEDIA_TYPE = "application/vnd.mlops-config.release.v1+json"
RECORD_NAME = "release.json"
ENTRY_TYPE = "application/vnd.mlops-config.ledger-entry.v1"
ENTRY_MEDIA_TYPE = "application/vnd.mlops-config.ledger-entry.v1+json"
ENTRY_NAME = "entry.json"

_PROJECT = "io.mlops-config.project"
_MODEL = "io.mlops-config.model-name"
_ENVIRONMENT = "io.mlops-config.environment"
_CONFIG_DIGEST = "io.mlops-config.config-digest"
_RELEASE = "io.mlops-config.release"
_ENTRY = "io.mlops-config.ledger-entry"


class OciStore(Store):
    """Bundles by digest under a ``bundle.<hex>`` tag, releases and current pointers under tags for people.

    A release artifact holds ``release.json`` beside the bundle's own layers, so one pull gives both.
    """

    reads_at_once = 8

    def __init__(self, client: "RegistryClient") -> None:
        self._client = client
        self.uri = f"oci://{client.reference.name}"

    def publish_bundle(self, bundle: Bundle) -> Published:
        tag = bundle_tag(bundle.digest)
        manifest = bundle_manifest(bundle)
        uri = f"{self.uri}@{manifest.digest}"
        if self._holds(tag, manifest, f"bundle {bundle.digest}"):
            return Published(uri, created=False)
        for name, data in bundle.contents().items():
            self._client.push_blob(data, name=name)
        self._client.push_blob(EMPTY_BLOB, name="the empty config")
        self._client.put_manifest(manifest, tag)
        return Published(uri, created=True)

    def fetch_bundle(self, project: str, digest: str) -> Bundle | None:
        manifest = self._artifact(bundle_tag(digest), BUNDLE_TYPE)
        if manifest is None:
            return None
        origin = f"{self.uri}@{manifest.digest}"
        layers = _titled(manifest)
        if len(layers) > FILES_LIMIT:
            raise IntegrityError(f"{origin} holds more than {FILES_LIMIT} files: it is no bundle")
        contents = {title: self._blob(layer) for title, layer in layers.items()}
        bundle = Bundle.from_contents(contents, origin=origin)
        if bundle.digest != digest:
            raise IntegrityError(f"{origin} holds the bundle {bundle.digest}; expected {digest}")
        self._require_project(bundle.project, project)
        return bundle

    def publish_release(self, record: ReleaseRecord) -> Published:
        subject = self._artifact(bundle_tag(record.config_digest), BUNDLE_TYPE)
        if subject is None:
            raise UsageError(
                f"release {record.name} cannot be stored in {self.uri}: its bundle {record.config_digest}"
                " is not there",
                hint="publish the bundle first",
            )
        self._require_project(_annotations(subject).get(_PROJECT, ""), record.project)
        tag = release_tag(record.environment, record.name)
        manifest = release_manifest(record, subject)
        uri = f"{self.uri}@{manifest.digest}"
        if self._holds(tag, manifest, f"release {record.name} of {record.environment}"):
            return Published(uri, created=False)
        self._client.push_blob(record.to_json(), name=RECORD_NAME)
        self._client.push_blob(EMPTY_BLOB, name="the empty config")
        self._client.put_manifest(manifest, tag)
        return Published(uri, created=True)

    def fetch_release(self, project: str, environment: str, name: str) -> ReleaseRecord | None:
        manifest = self._artifact(release_tag(environment, name), RELEASE_TYPE)
        return None if manifest is None else self._record(manifest, project, environment, name)

    def release_names(self, project: str, environment: str) -> Iterator[str]:
        asked = False
        for tag in self._client.tags():
            if not may_be_release(environment, tag):
                continue
            name = clear_release(environment, tag)
            if name is None or not asked:
                annotations = self._annotations_of(tag)
                if annotations.get(_ENVIRONMENT) != environment:
                    continue
                self._require_project(annotations.get(_PROJECT, ""), project)
                asked = True
                name = annotations[_RELEASE]
            yield name

    def current(self, project: str, environment: str) -> Current | None:
        manifest = self._artifact(current_tag(environment), RELEASE_TYPE)
        if manifest is None:
            return None
        name = _annotations(manifest).get(_RELEASE, "")
        record = self._record(manifest, project, environment, name)
        return Current(record.name, record.config_digest, manifest.digest)

    def set_current(self, record: ReleaseRecord, expected: Current | None) -> Current:
        """As the interface says, but registries know no compare-and-swap.

        The tag is read, compared, written, and read back. Of two writers in the same moment both may see the
        old release before they write; the later write stands, and the earlier writer gets the error only if
        that write came before it read back.
        """
        tag = current_tag(record.environment)
        release = self._client.manifest(release_tag(record.environment, record.name))
        if release is None:
            raise UsageError(
                f"{record.environment} cannot point at release {record.name}: it is not in {self.uri}",
                hint="publish the release first",
            )
        wanted = Current(record.name, record.config_digest, release.digest)
        now = self.current(record.project, record.environment)
        if (now.token if now else None) != (expected.token if expected else None):
            raise moved(record, self._shown(tag), expected, now)
        self._client.put_manifest(release, tag)
        stands = self.current(record.project, record.environment)
        if stands != wanted:
            raise moved(record, self._shown(tag), expected, stands)
        return wanted

    def append_entry(self, ledger: LedgerName, number: int, data: bytes) -> Published:
        """As the interface says, but registries know no write that refuses to replace a tag.

        The tag is looked for, written, and read back. Of two writers in the same moment both may find the
        number free; the later write stands, and the earlier writer gets the error only if that write came
        before it read back.
        """
        tag = entry_tag(ledger, number)
        manifest = entry_manifest(ledger, number, data)
        what = f"ledger entry {number}"
        uri = f"{self.uri}@{manifest.digest}"
        if self._holds(tag, manifest, what):
            return Published(uri, created=False)
        self._client.push_blob(data, name=ENTRY_NAME)
        self._client.push_blob(EMPTY_BLOB, name="the empty config")
        self._client.put_manifest(manifest, tag)
        self._holds(tag, manifest, what)
        return Published(uri, created=True)

    def fetch_entry(self, ledger: LedgerName, number: int) -> bytes | None:
        manifest = self._artifact(entry_tag(ledger, number), ENTRY_TYPE)
        if manifest is None:
            return None
        self._require_project(_annotations(manifest).get(_PROJECT, ""), ledger.project)
        layer = _titled(manifest).get(ENTRY_NAME)
        if layer is None:
            raise IntegrityError(f"{self.uri}@{manifest.digest} holds no {ENTRY_NAME}")
        return self._blob(layer)

    def entry_numbers(self, ledger: LedgerName) -> Iterator[int]:
        for tag in self._client.tags():
            number = entry_number(ledger, tag)
            if number is not None:
                yield number

    def _annotations_of(self, tag: str) -> dict[str, str]:
        manifest = self._client.manifest(tag)
        return _annotations(manifest) if manifest else {}

    def _holds(self, tag: str, manifest: Manifest, what: str) -> bool:
        """Whether the tag stands at this very manifest; a tag that stands elsewhere is never moved."""
        there = self._client.head(tag)
        if there is not None and there.digest != manifest.digest:
            raise ObjectExistsError(
                f"{self._shown(tag)} holds other content under the name of {what}:"
                f" it is {there.digest}, this is {manifest.digest}",
                hint="nothing is overwritten: find out who wrote it, or give the release a new name",
            )
        return there is not None

    def _artifact(self, tag: str, artifact_type: str) -> Manifest | None:
        manifest = self._client.manifest(tag)
        if manifest is not None and manifest.document().get("artifactType") != artifact_type:
            raise IntegrityError(
                f"{self._shown(tag)} is not a {artifact_type}, so this program did not put it there",
                hint="give the store a repository of its own",
            )
        return manifest

    def _record(self, manifest: Manifest, project: str, environment: str, name: str) -> ReleaseRecord:
        origin = f"{self.uri}@{manifest.digest}"
        layer = _titled(manifest).get(RECORD_NAME)
        if layer is None:
            raise IntegrityError(f"{origin} holds no {RECORD_NAME}")
        self._require_project(_annotations(manifest).get(_PROJECT, ""), project)
        return parse_release(self._blob(layer), project, environment, name, origin=origin)

    def _blob(self, layer: Descriptor) -> bytes:
        if layer.size > OBJECT_LIMIT_BYTES:
            raise IntegrityError(
                f"{self.uri}@{layer.digest} has {layer.size} bytes; this store writes nothing that large"
            )
        return self._client.blob(layer)

    def _require_project(self, found: str, expected: str) -> None:
        if found != expected:
            raise UsageError(
                f"{self.uri} holds the project {found!r}, not {expected!r}",
                hint="give each project a repository of its own",
            )

    def _shown(self, tag: str) -> str:
        return f"{self.uri}:{tag}"


def bundle_manifest(bundle: Bundle) -> Manifest:
    """The manifest of the bundle's artifact: a function of the bundle alone."""
    types = {file.name: f"application/vnd.mlops-config.{file.kind}.v1+yaml" for file in bundle.files}
    types[MANIFEST_NAME] = MANIFEST_MEDIA_TYPE
    layers = [_layer(types[name], name, data) for name, data in bundle.contents().items()]
    annotations = {
        _PROJECT: bundle.project,
        _MODEL: bundle.model_name,
        _ENVIRONMENT: bundle.environment,
        _CONFIG_DIGEST: bundle.digest,
    }
    return _artifact_manifest(BUNDLE_TYPE, layers, annotations)


def release_manifest(record: ReleaseRecord, bundle: Manifest) -> Manifest:
    """The manifest of the release's artifact: the record, then the layers of the bundle it is about."""
    layers = [
        _layer(RECORD_MEDIA_TYPE, RECORD_NAME, record.to_json()),
        *(layer.to_json() for layer in bundle.layers()),
    ]
    annotations = {
        _PROJECT: record.project,
        _MODEL: record.model_name,
        _ENVIRONMENT: record.environment,
        _RELEASE: record.name,
        _CONFIG_DIGEST: record.config_digest,
    }
    subject = Descriptor(bundle.media_type, bundle.digest, len(bundle.data))
    return _artifact_manifest(RELEASE_TYPE, layers, annotations, subject)


def entry_manifest(ledger: LedgerName, number: int, data: bytes) -> Manifest:
    """The manifest of a ledger entry's artifact."""
    annotations = {
        _PROJECT: ledger.project,
        _MODEL: ledger.model_name,
        _ENVIRONMENT: ledger.environment,
        _ENTRY: str(number),
    }
    return _artifact_manifest(ENTRY_TYPE, [_layer(ENTRY_MEDIA_TYPE, ENTRY_NAME, data)], annotations)


def _artifact_manifest(
    artifact_type: str,
    layers: list[dict[str, Any]],
    annotations: dict[str, str],
    subject: Descriptor | None = None,
) -> Manifest:
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": EMPTY_CONFIG.to_json(),
        "layers": layers,
    }
    if subject is not None:
        document["subject"] = subject.to_json()
    return Manifest.of(document | {"annotations": annotations})


def _layer(media_type: str, name: str, data: bytes) -> dict[str, Any]:
    return Descriptor.of(media_type, data, {TITLE: name}).to_json()


def _titled(manifest: Manifest) -> dict[str, Descriptor]:
    return {layer.annotations.get(TITLE, layer.digest): layer for layer in manifest.layers()}


def _annotations(manifest: Manifest) -> dict[str, str]:
    annotations = manifest.document().get("annotations")
    return annotations if isinstance(annotations, dict) else {}

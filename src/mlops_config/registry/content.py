"""What a registry holds, in the terms of the OCI image specification 1.1: descriptors and manifests."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
"""All four go into ``Accept``: a registry may convert a type that is not listed, changing its digest."""

EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY_BLOB = b"{}"
TITLE = "org.opencontainers.image.title"
"""The annotation that names the file a layer is written to when an artifact is pulled."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Points at content: its type, digest and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None

    @classmethod
    def of(cls, media_type: str, data: bytes, annotations: Mapping[str, str] | None = None) -> "Descriptor":
        """The descriptor of ``data``."""
        return cls(media_type, sha256_of(data), len(data), annotations or {})

    @classmethod
    def from_json(cls, entry: Any, *, origin: str) -> "Descriptor":
        """The descriptor as manifests and indexes write it.

        Raises:
            IntegrityError: it is not one. ``origin`` names the manifest it stands in.
        """
        try:
            size = entry["size"]
            digest, media_type = str(entry["digest"]), str(entry["mediaType"])
            annotations = {str(key): str(value) for key, value in (entry.get("annotations") or {}).items()}
            artifact_type = entry.get("artifactType")
        except (KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"{origin} holds a descriptor without mediaType, digest and size") from error
        if not isinstance(size, int) or size < 0:
            raise IntegrityError(f"{origin} holds a descriptor whose size is not a number of bytes")
        return cls(media_type, digest, size, annotations, artifact_type)

    def to_json(self) -> dict[str, Any]:
        """The descriptor as manifests and indexes write it."""
        entry: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type:
            entry["artifactType"] = self.artifact_type
        if self.annotations:
            entry["annotations"] = dict(self.annotations)
        return entry


EMPTY_CONFIG = Descriptor.of(EMPTY_TYPE, EMPTY_BLOB)
"""The config of an artifact that has none (image specification, "Guidance for an Empty Descriptor")."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index exactly as the registry holds it, its digest checked."""

    media_type: str
    data: bytes
    digest: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Manifest":
        """The manifest of ``document``; equal documents give equal bytes and so an equal digest."""
        data = json.dumps(document, indent=2, ensure_ascii=False).encode()
        return cls(str(document["mediaType"]), data, sha256_of(data))

    @property
    def descriptor(self) -> Descriptor:
        """Points at this manifest, with its artifact type and annotations, as a list of referrers has it."""
        document = self.document()
        config = document.get("config")
        of_config = config.get("mediaType") if isinstance(config, dict) else None
        annotations = document.get("annotations")
        return Descriptor(
            self.media_type,
            self.digest,
            len(self.data),
            annotations if isinstance(annotations, dict) else {},
            document.get("artifactType") or of_config,
        )

    def document(self) -> dict[str, Any]:
        """The parsed JSON object.

        Raises:
            IntegrityError: it is none.
        """
        try:
            document = json.loads(self.data)
        except ValueError as error:
            raise IntegrityError(f"the manifest {self.digest} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise IntegrityError(f"the manifest {self.digest} is not a JSON object")
        return document

    def layers(self) -> tuple[Descriptor, ...]:
        """The layers in order; none for an index.

        Raises:
            IntegrityError: they are not descriptors.
        """
        entries = self.document().get("layers") or ()
        return tuple(Descriptor.from_json(entry, origin=f"the manifest {self.digest}") for entry in entries)

"""The bundle: one environment's four files under canonical names, named by a digest of their content."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_config.errors import IntegrityError
from mlops_config.kinds import Kind, canonical_name

MANIFEST_NAME = "manifest.json"
MANIFEST_MEDIA_TYPE = "application/vnd.mlops-config.bundle.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One configuration file as it goes into the bundle: canonical name and exact bytes."""

    kind: Kind
    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """``sha256:<64 hex>`` of the bytes."""
        return sha256_of(self.data)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Four files, sorted by name. Equal bytes give an equal digest in any checkout, on any machine."""

    project: str
    model_name: str
    environment: str
    files: tuple[BundleFile, ...]

    @classmethod
    def of(cls, project: str, model_name: str, environment: str, data: Mapping[Kind, bytes]) -> "Bundle":
        """A bundle of the four kinds' bytes.

        Raises:
            ValueError: a kind is missing.
        """
        missing = [kind for kind in Kind if kind not in data]
        if missing:
            raise ValueError(f"a bundle needs all four kinds; missing: {', '.join(missing)}")
        files = [BundleFile(kind, canonical_name(environment, kind), data[kind]) for kind in Kind]
        return cls(project, model_name, environment, tuple(sorted(files, key=lambda file: file.name)))

    @property
    def digest(self) -> str:
        """The config digest, ``sha256:<64 hex>``: see :func:`config_digest`."""
        return config_digest((file.name, file.data) for file in self.files)

    def manifest(self) -> bytes:
        """The bundle manifest: a function of the files' bytes alone, so it is the same whoever makes it."""
        document = {
            "schemaVersion": 1,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "project": self.project,
            "modelName": self.model_name,
            "environment": self.environment,
            "configDigest": self.digest,
            "files": [
                {"kind": file.kind.value, "name": file.name, "size": len(file.data), "sha256": file.sha256}
                for file in self.files
            ],
        }
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    def contents(self) -> dict[str, bytes]:
        """Everything a store or an image holds of this bundle, by file name; the manifest comes last."""
        return {file.name: file.data for file in self.files} | {MANIFEST_NAME: self.manifest()}

    @classmethod
    def from_contents(cls, contents: Mapping[str, bytes], *, origin: str) -> "Bundle":
        """The bundle read back from ``contents``, every digest checked.

        Raises:
            IntegrityError: the manifest is missing or not ours, a file is missing, extra, or not what the
                manifest says. ``origin`` names where the bytes came from.
        """
        if MANIFEST_NAME not in contents:
            raise IntegrityError(f"{origin} holds no {MANIFEST_NAME}, so it is not a complete bundle")
        manifest = _read_manifest(contents[MANIFEST_NAME], origin)
        names = {entry["name"] for entry in manifest["files"]}
        for name in sorted(names ^ (set(contents) - {MANIFEST_NAME})):
            state = "lacks" if name in names else "holds a file its manifest does not know:"
            raise IntegrityError(f"{origin} {state} {name}")
        try:
            data = {Kind(entry["kind"]): contents[entry["name"]] for entry in manifest["files"]}
            bundle = cls.of(manifest["project"], manifest["modelName"], manifest["environment"], data)
        except ValueError as error:
            raise IntegrityError(f"the manifest of {origin} is not a bundle manifest: {error}") from error
        for entry, file in zip(manifest["files"], bundle.files, strict=True):
            if entry["sha256"] != file.sha256:
                raise IntegrityError(
                    f"{file.name} in {origin} is not what the manifest says:"
                    f" expected {entry['sha256']}, found {file.sha256}"
                )
        if bundle.manifest() != contents[MANIFEST_NAME]:
            raise IntegrityError(f"the manifest of {origin} does not describe the files beside it")
        return bundle


def sha256_of(data: bytes) -> str:
    """``sha256:<64 hex>`` of ``data``, as OCI descriptors write a digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config_digest(files: Iterable[tuple[str, bytes]]) -> str:
    """The SHA-256 of what ``sha256sum`` prints for the files in byte order of their canonical names.

    In a folder with the four files under their canonical names the same digest comes from coreutils::

        LC_ALL=C sha256sum *_config.yaml | sha256sum
    """
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files))
    return sha256_of("".join(lines).encode())


def _read_manifest(data: bytes, origin: str) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
    except ValueError as error:
        raise IntegrityError(f"the manifest of {origin} is not JSON: {error}") from error
    fields = {"project": str, "modelName": str, "environment": str, "files": list}
    if not isinstance(manifest, dict) or manifest.get("mediaType") != MANIFEST_MEDIA_TYPE:
        raise IntegrityError(f"the manifest of {origin} is not a {MANIFEST_MEDIA_TYPE}")
    for name, expected in fields.items():
        if not isinstance(manifest.get(name), expected):
            raise IntegrityError(f"the manifest of {origin} lacks {name}")
    for entry in manifest["files"]:
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(key), str) for key in ("kind", "name", "sha256")
        ):
            raise IntegrityError(f"the manifest of {origin} lists a file without kind, name and sha256")
    return manifest

"""Builds the environment image without an engine: an OCI image layout, the same bytes on any machine."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_config.bundle.bundle import sha256_of
from mlops_config.bundle.ustar import deterministic_tar
from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError, UsageError
from mlops_config.image.interface import CONFIG_DIR, SCRATCH, ImageBuilder, ImageSpec, Progress
from mlops_config.image.labels import CREATED_LABEL, base_labels, config_labels, environment_variables
from mlops_config.image.oci import (
    INDEX_FILE,
    LAYOUT_FILE,
    REF_NAME,
    Image,
    LayoutBlobs,
    layout_image,
    open_image,
    split_layout,
)
from mlops_config.image.opened import OpenedImage, prove
from mlops_config.registry.content import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ImageRecord

DEFAULT_PLATFORM = "linux/amd64"
"""Of an image from scratch: the files suit every platform, and the digest must not depend on the machine."""

_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_OCI_LAYER_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar": _LAYER_TYPE,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{_LAYER_TYPE}+gzip",
}
"""An OCI manifest takes no Docker types; the blobs are the same (specification, "Compatibility Matrix")."""


@dataclass(frozen=True, slots=True)
class _Base:
    blobs: LayoutBlobs
    image: Image


class LayoutBuilder(ImageBuilder):
    """Writes the image to ``folder`` as an OCI image layout, one index entry per tag.

    The configs are one uncompressed layer, so no version of a compressor has a say in its digest.
    """

    name = "OCI layout"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def build(self, spec: ImageSpec, progress: Progress) -> ImageRecord:
        """See :meth:`ImageBuilder.build`. A layout that is there and proves right is left as it is."""
        if spec.dockerfile is not None:
            raise UsageError(
                f"the Dockerfile {spec.dockerfile} needs a Docker engine, and none answers",
                hint="start one, or leave the Dockerfile out: an image layout is written without one",
            )
        for tag in spec.tags:
            Reference.parse(f"{spec.repository}:{tag}")
        base = _find_base(spec)
        labels = {
            **spec.labels,
            **base_labels(None, base.image.manifest.digest if base else None),
            **config_labels(spec.bundle),
        }
        blobs, manifest = _compose(spec, base, labels)
        documents = _documents(manifest, spec.tags)
        if self._holds(documents):
            progress(f"{self.folder} holds this image already")
            try:
                self._prove(self.folder, spec, base, labels)
            except MlopsConfigError as error:
                progress(f"but it is damaged, so it is written anew: {error}")
            else:
                return self._record(spec, base, manifest)
        self._refuse_other_content()
        with _disk_errors(self.folder), _replacing(self.folder) as folder:
            _write(folder, blobs, documents)
            if base:
                for number, layer in enumerate(base.image.manifest.layers(), start=1):
                    progress(f"copying layer {number} of the base ({layer.size / 1e6:.1f} MB)")
                    _copy(base.blobs, layer, folder)
            progress("opening the image")
            self._prove(folder, spec, base, labels)
        return self._record(spec, base, manifest)

    def push(self, record: ImageRecord, progress: Progress) -> ImageRecord:
        """See :meth:`ImageBuilder.push`; no engine takes part."""
        from mlops_config.image.publication import push_layout

        return push_layout(record, progress)

    def _holds(self, documents: Mapping[str, bytes]) -> bool:
        return all(
            path.is_file() and path.read_bytes() == data
            for path, data in ((self.folder / name, data) for name, data in documents.items())
        )

    def _prove(self, folder: Path, spec: ImageSpec, base: _Base | None, labels: Mapping[str, str]) -> None:
        opened = open_layout(folder, spec.tags[0] if spec.tags else None)
        diff_ids = base.image.config["rootfs"]["diff_ids"] if base else ()
        prove(opened, spec.bundle, labels=labels, base_diff_ids=diff_ids, environments=spec.environments)

    def _record(self, spec: ImageSpec, base: _Base | None, manifest: Manifest) -> ImageRecord:
        return ImageRecord(
            repository=spec.repository,
            tags=spec.tags,
            config_digest=manifest.document()["config"]["digest"],
            digest=manifest.digest,
            base=spec.base,
            base_digest=base.image.manifest.digest if base else None,
            pushed=False,
            layout=str(self.folder),
        )

    def _refuse_other_content(self) -> None:
        if self.folder.is_dir() and any(self.folder.iterdir()) and not (self.folder / LAYOUT_FILE).is_file():
            raise UsageError(
                f"{self.folder} holds other files, so no image layout is written there",
                hint="name another folder, or empty this one",
            )


def open_layout(folder: Path, tag: str | None = None, platform: str | None = None) -> OpenedImage:
    """The image in the layout at ``folder``, every digest checked.

    Raises:
        UsageError: ``folder`` is no layout, or holds no such image, or several.
        IntegrityError: a blob is missing or not what its digest says.
    """
    blobs = LayoutBlobs(folder)
    return open_image(blobs, layout_image(blobs, tag, platform))


def _find_base(spec: ImageSpec) -> _Base | None:
    if len(spec.platforms) > 1:
        raise UsageError(f"one platform at a time; {', '.join(spec.platforms)} were given")
    if spec.base == SCRATCH:
        return None
    place = split_layout(spec.base)
    if place is None:
        raise UsageError(
            f"the base image {spec.base} needs a Docker engine, and none answers",
            hint="start one, or bring the base as an image layout and give its folder as the base image:"
            f" skopeo copy docker://{spec.base} oci:base",
        )
    folder, tag = place
    blobs = LayoutBlobs(folder)
    wanted = spec.platforms[0] if spec.platforms else None
    image = layout_image(blobs, tag, wanted)
    if wanted and not f"{image.platform}/".startswith(f"{wanted}/"):
        raise UsageError(f"the base image {spec.base} is for {image.platform}, not for {wanted}")
    return _Base(blobs, image)


def _compose(
    spec: ImageSpec, base: _Base | None, labels: Mapping[str, str]
) -> tuple[dict[str, bytes], Manifest]:
    """The blobs to write by digest, and the manifest: the same for equal arguments and environment."""
    folder = CONFIG_DIR.strip("/")
    contents = sorted(spec.bundle.contents().items())
    layer = deterministic_tar({f"{folder}/{name}": data for name, data in contents})
    config = _configuration(spec, base, labels, sha256_of(layer))
    config_bytes = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    below = base.image.manifest.layers() if base else ()
    layers = [
        {
            "mediaType": _OCI_LAYER_TYPES.get(one.media_type, one.media_type),
            "digest": one.digest,
            "size": one.size,
        }
        for one in below
    ]
    layers.append(Descriptor.of(_LAYER_TYPE, layer).to_json())
    manifest = Manifest.of(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": Descriptor.of(_CONFIG_TYPE, config_bytes).to_json(),
            "layers": layers,
        }
    )
    blobs = {sha256_of(data): data for data in (layer, config_bytes, manifest.data)}
    return blobs, manifest


def _configuration(
    spec: ImageSpec, base: _Base | None, labels: Mapping[str, str], diff_id: str
) -> dict[str, Any]:
    """The image configuration (OCI image specification 1.1, "OCI Image Configuration")."""
    created = _created(spec.labels.get(CREATED_LABEL))
    system, architecture, variant = _platform(spec)
    document: dict[str, Any] = (
        json.loads(json.dumps(base.image.config))
        if base
        else {"os": system, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}}
    )
    if variant and not base:
        document["variant"] = variant
    settings = document.get("config") or {}
    variables = dict(item.split("=", 1) for item in settings.get("Env") or [])
    variables |= environment_variables(spec.bundle)
    settings["Env"] = [f"{name}={value}" for name, value in variables.items()]
    settings["Labels"] = {**(settings.get("Labels") or {}), **labels}
    document["config"] = settings
    document["created"] = created
    below = document["rootfs"]["diff_ids"] or []
    document["rootfs"]["diff_ids"] = [*below, diff_id]
    if document.get("history") or not below:
        step = {
            "created": created,
            "created_by": f"COPY configs/{spec.bundle.environment} {CONFIG_DIR}",
            "comment": "mlops-config",
        }
        document["history"] = [*(document.get("history") or []), step]
    return document


def _platform(spec: ImageSpec) -> tuple[str, str, str | None]:
    text = spec.platforms[0] if spec.platforms else DEFAULT_PLATFORM
    system, _, rest = text.partition("/")
    architecture, _, variant = rest.partition("/")
    if not system or not architecture:
        raise UsageError(f"{text!r} is not a platform", hint="write it as linux/amd64 or linux/arm64/v8")
    return system, architecture, variant or None


def _created(label: str | None) -> str:
    """``SOURCE_DATE_EPOCH``, else the label's time, else 1970: never the clock's."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return label or "1970-01-01T00:00:00Z"
    try:
        return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {epoch!r}; expected seconds since 1970 as a whole number"
        ) from error


def _documents(manifest: Manifest, tags: tuple[str, ...]) -> dict[str, bytes]:
    """The layout's two files beside its blobs (image specification 1.1, "OCI Image Layout")."""
    entry = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.data)}
    entries = [{**entry, "annotations": {REF_NAME: tag}} for tag in tags] or [entry]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return {
        LAYOUT_FILE: b'{"imageLayoutVersion":"1.0.0"}',
        INDEX_FILE: json.dumps(index, indent=2).encode(),
    }


def _write(folder: Path, blobs: Mapping[str, bytes], documents: Mapping[str, bytes]) -> None:
    place = folder / "blobs" / "sha256"
    place.mkdir(parents=True)
    for digest, data in blobs.items():
        (place / digest.removeprefix("sha256:")).write_bytes(data)
    for name, data in documents.items():
        (folder / name).write_bytes(data)


def _copy(blobs: LayoutBlobs, layer: Descriptor, folder: Path) -> None:
    target = folder / "blobs" / "sha256" / layer.digest.removeprefix("sha256:")
    if not target.exists():
        try:
            shutil.copyfile(blobs.path(layer.digest), target)
        except FileNotFoundError as error:
            raise IntegrityError(f"{blobs.origin} lacks the blob {layer.digest}") from error


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of ``folder`` on success, and is gone on failure or Ctrl-C."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fresh, old = work / "new", work / "old"
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    finally:
        if not folder.exists() and (work / "old").exists():
            (work / "old").rename(folder)
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceError(
            f"the image layout {folder} cannot be written: {error.strerror or error}"
            f" ({error.filename or folder})",
            hint="make room on that disk or write access to that folder, then run the command again",
        ) from error

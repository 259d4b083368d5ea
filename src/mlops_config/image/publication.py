"""Which tags of a registry an image may take: what is published is never replaced by something else."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_config.errors import IntegrityError, MlopsConfigError
from mlops_config.image.interface import Progress
from mlops_config.image.labels import CONFIG_DIGEST_LABEL, identity_of
from mlops_config.image.oci import (
    Blobs,
    Image,
    LayoutBlobs,
    RegistryBlobs,
    find_image,
    open_image,
)
from mlops_config.image.opened import OpenedImage, prove, read_bundle
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.content import Manifest
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ImageRecord

# A full SHA-1 or SHA-256 commit (or, outside git, a config digest), and what may follow it.
_COMMIT_TAG = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?(?:-.+)?")


@dataclass(frozen=True, slots=True)
class Local:
    """What the image about to be pushed is."""

    config_digest: str
    platform: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push has to do. ``published`` is the same release's image that is already there, if any."""

    published: Image | None
    tags: tuple[str, ...]
    """Tags to write; they get ``published`` where it is not ``None``."""


def is_commit_tag(tag: str) -> bool:
    """Whether the tag names a commit. Any other tag, such as a version, is written once."""
    return _COMMIT_TAG.fullmatch(tag) is not None


def plan_push(client: RegistryClient, local: Local, tags: tuple[str, ...], progress: Progress) -> Plan:
    """Looks at every tag before anything is written.

    A tag may be free; or hold this image, or another build of the same release (equal identity labels): then
    that image stays and is taken over for the tags that are free. A commit's tag may move to a new build with
    the same config digest, such as one on a newer base. Any other tag that holds another image is refused.

    Raises:
        IntegrityError: a tag is taken.
    """
    name = client.reference.name
    held: dict[str, Image] = {}
    for tag in tags:
        progress(f"looking for {name}:{tag}")
        manifest = client.manifest(tag)
        if manifest is not None:
            blobs = RegistryBlobs(client, f"{name}:{tag}")
            held[tag] = _image_at(blobs, manifest, local.platform)
    # A version's image stays whatever happens, so it decides before a commit's.
    in_order = sorted(held, key=is_commit_tag)
    published = next((held[tag] for tag in in_order if _is_same_release(held[tag], local)), None)
    keep = published.config_descriptor.digest if published else local.config_digest
    for tag, image in held.items():
        if image.config_descriptor.digest != keep:
            _refuse_unless_movable(f"{name}:{tag}", tag, image, local)
    free = [tag for tag in tags if tag not in held or held[tag].config_descriptor.digest != keep]
    return Plan(published, tuple(free))


def adopt(
    client: RegistryClient,
    record: ImageRecord,
    plan: Plan,
    *,
    opened_local: Callable[[], OpenedImage],
    opened_remote: Callable[[str], OpenedImage],
    progress: Progress,
) -> ImageRecord:
    """The record of the image that is already published, now under every tag.

    ``opened_remote`` takes a reference by digest. An image that is not byte for byte the local one is opened
    and must hold the same bundle.

    Raises:
        IntegrityError: it does not.
        ValueError: the plan has no published image.
    """
    image = plan.published
    if image is None:
        raise ValueError("there is no published image to adopt")
    config_digest, digest = image.config_descriptor.digest, image.manifest.digest
    progress(f"{record.repository} has this release's image already: {digest}")
    if config_digest != record.config_digest:
        local = opened_local()
        progress("opening the published image")
        prove(
            opened_remote(f"{record.repository}@{digest}"),
            read_bundle(local),
            labels=identity_of(local.labels),
        )
    for tag in plan.tags:
        progress(f"tagging it {tag}")
        client.put_manifest(image.manifest, tag)
    return record.model_copy(update={"config_digest": config_digest, "digest": digest, "pushed": True})


def read_back(client: RegistryClient, record: ImageRecord, platform: str, said: str | None) -> str:
    """The digest the registry now has under every tag of the record.

    Raises:
        IntegrityError: a tag is missing or differs from the others, from what the push ``said``, or holds
            another image.
    """
    digests: dict[str, str] = {}
    for tag in record.tags:
        shown = f"{client.reference.name}:{tag}"
        manifest = client.manifest(tag)
        if manifest is None:
            raise IntegrityError(f"{shown} was pushed, but its registry does not have it")
        image = _image_at(RegistryBlobs(client, shown), manifest, platform)
        if image.config_descriptor.digest != record.config_digest:
            raise IntegrityError(
                f"{shown} is not the image that was pushed: expected {record.config_digest},"
                f" found {image.config_descriptor.digest}",
                hint="another job pushes to the same tag: let one job at a time release an environment",
            )
        digests[tag] = manifest.digest
    found: set[str] = set(digests.values()) | ({said} if said else set())
    if len(found) != 1:
        raise IntegrityError(
            f"the tags of {client.reference.name} do not have one digest: {digests}; the push said {said}"
        )
    return next(iter(found))


def push_layout(record: ImageRecord, progress: Progress) -> ImageRecord:
    """Pushes the layout the record names to its repository, under every tag, without an engine.

    Raises:
        ServiceError: the registry refused or stayed unreachable.
        IntegrityError: a tag is taken by another image, or a blob is not what its digest says.
        ValueError: the record names no layout.
    """
    if record.layout is None or record.digest is None:
        raise ValueError("the record names no image layout")
    blobs = LayoutBlobs(Path(record.layout))
    image = find_image(blobs, blobs.manifest(record.digest))
    reference = Reference.parse(record.repository)
    client = RegistryClient(reference)
    local = Local(record.config_digest, image.platform, image.labels)
    plan = plan_push(client, local, record.tags, progress)
    if plan.published:
        return adopt(
            client,
            record,
            plan,
            opened_local=lambda: open_image(blobs, image),
            opened_remote=lambda name: open_remote(client, name),
            progress=progress,
        )
    layers = image.manifest.layers()
    for number, layer in enumerate(layers, start=1):
        progress(f"pushing layer {number} of {len(layers)} ({layer.size / 1e6:.1f} MB)")
        sent = client.push_blob(blobs.path(layer.digest), name=f"layer {layer.digest}")
        if sent.digest != layer.digest:
            raise IntegrityError(f"the blob {layer.digest} in {blobs.origin} is not what its digest says")
    client.push_blob(blobs.blob(image.config_descriptor), name="the image configuration")
    for tag in plan.tags:
        progress(f"tagging {record.repository}:{tag}")
        client.put_manifest(image.manifest, tag)
    digest = read_back(client, record, image.platform, image.manifest.digest)
    return record.model_copy(update={"digest": digest, "pushed": True})


def open_remote(client: RegistryClient, name: str) -> OpenedImage:
    """The image ``name`` refers to, read from its registry.

    Raises:
        IntegrityError: there is no such image, or a part is not what its digest says.
    """
    reference = Reference.parse(name)
    manifest = client.manifest(reference.digest or reference.tag or "latest")
    if manifest is None:
        raise IntegrityError(f"there is no image {name}")
    blobs = RegistryBlobs(client, name)
    return open_image(blobs, find_image(blobs, manifest))


def _image_at(blobs: Blobs, manifest: Manifest, platform: str) -> Image:
    try:
        return find_image(blobs, manifest, platform)
    except MlopsConfigError as error:
        raise IntegrityError(
            f"{blobs.origin} is taken by something else: {error}",
            hint="choose another repository for images",
        ) from error


def _is_same_release(image: Image, local: Local) -> bool:
    if image.config_descriptor.digest == local.config_digest:
        return True
    identity = identity_of(local.labels)
    return CONFIG_DIGEST_LABEL in identity and identity_of(image.labels) == identity


def _refuse_unless_movable(shown: str, tag: str, image: Image, local: Local) -> None:
    theirs, ours = image.labels.get(CONFIG_DIGEST_LABEL), local.labels.get(CONFIG_DIGEST_LABEL)
    if is_commit_tag(tag) and theirs is not None and theirs == ours:
        return
    held = f"an image of config {theirs}" if theirs else "an image that is not ours"
    if theirs == ours:
        held = "another image of the same config (its base, Dockerfile or commit differs)"
    raise IntegrityError(
        f"{shown} is taken by {held}: {image.manifest.digest}",
        hint="what is released stays: release under a new version, or delete the tag by hand if it is wrong",
    )

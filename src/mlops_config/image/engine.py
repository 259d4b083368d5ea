"""Builds, opens and pushes environment images with a Docker engine."""

import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mlops_config.bundle.bundle import sha256_of
from mlops_config.digests import is_digest
from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError, UsageError
from mlops_config.image.archive import open_archive
from mlops_config.image.buildx import BuildRequest, built_by_buildx, find_buildx
from mlops_config.image.classic import built_by_engine
from mlops_config.image.connection import (
    Engine,
    NoEngineError,
    engine_failure,
    find_engine,
)
from mlops_config.image.context import build_arguments, dockerfile_of
from mlops_config.image.interface import SCRATCH, ImageBuilder, ImageSpec, Progress
from mlops_config.image.labels import BASE_PREFIX, DOCKERFILE_LABEL, PREFIX, base_labels, config_labels
from mlops_config.image.oci import platform_of, split_layout
from mlops_config.image.opened import OpenedImage, prove
from mlops_config.registry.credentials import find_credentials
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ImageRecord

BUILD_NAME = "mlops-config-build"
"""Repository of the names a build uses while it runs; none is left afterwards."""


@dataclass(frozen=True, slots=True)
class _Base:
    image_id: str
    digest: str
    diff_ids: tuple[str, ...]
    named: bool
    """Some tag or digest keeps it in the engine; without one, taking our name away would remove it."""


def connect(say: Progress) -> "EngineBuilder | None":
    """A builder for the engine that answers; ``None`` when none does, after one line to ``say`` on why."""
    try:
        return EngineBuilder(find_engine())
    except NoEngineError as error:
        say(str(error))
        return None


class EngineBuilder(ImageBuilder):
    """Builds with buildx where the docker command has it, else with the engine's classic builder."""

    name = "Docker engine"

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._api: Any = engine.client.api

    def build(self, spec: ImageSpec, progress: Progress) -> ImageRecord:
        """See :meth:`ImageBuilder.build`. The engine's own image by these tags is kept if it proves right.

        Until it has proven right, the new image has no name that anybody uses.
        """
        with self.engine:
            return self._build(spec, progress)

    def push(self, record: ImageRecord, progress: Progress) -> ImageRecord:
        """See :meth:`ImageBuilder.push`; which tags may be taken is settled by :func:`plan_push`."""
        with self.engine:
            return self._push(record, progress)

    def open(self, reference: str, progress: Progress) -> OpenedImage:
        """The image by that name or ID, pulled if the engine has none, with all its layers looked through.

        Raises:
            UsageError: it is no name of an image.
            ServiceError: there is no such image, or the engine failed.
            IntegrityError: what the engine hands out is not an image.
        """
        with self.engine:
            return self._open(reference, progress)

    def _build(self, spec: ImageSpec, progress: Progress) -> ImageRecord:
        for tag in spec.tags:
            Reference.parse(f"{spec.repository}:{tag}")
        buildx = find_buildx()
        platform = self._platform(spec, buildx)
        dockerfile = dockerfile_of(spec.dockerfile)
        base = self._find_base(spec.base, platform, progress)
        labels = {
            **spec.labels,
            **base_labels(spec.base if base else None, base.digest if base else None),
            **config_labels(spec.bundle),
            DOCKERFILE_LABEL: sha256_of(dockerfile),
        }
        opened = self._reusable(spec, base, labels, platform, progress)
        if opened is None:
            with self._names(base) as (tag, base_name):
                request = BuildRequest(
                    spec.bundle,
                    dockerfile,
                    tag,
                    build_arguments(spec.bundle, base_name),
                    labels,
                    platform,
                )
                building = (
                    built_by_buildx(buildx, self.engine, request, progress)
                    if buildx
                    else built_by_engine(self.engine, request, progress)
                )
                with building:
                    opened = self._proven(tag, spec, base, labels, progress)
                    self._tag(tag, spec.repository, spec.tags)
        return ImageRecord(
            repository=spec.repository,
            tags=spec.tags,
            config_digest=opened.config_digest,
            digest=None,
            base=spec.base,
            base_digest=base.digest if base else None,
            pushed=False,
        )

    def _push(self, record: ImageRecord, progress: Progress) -> ImageRecord:
        from mlops_config.image.publication import Local, adopt, plan_push, read_back
        from mlops_config.registry.client import RegistryClient

        client = RegistryClient(Reference.parse(record.repository))
        name = f"{record.repository}:{record.tags[0]}"
        found = self._inspect(name)
        if found is None:
            raise ServiceError(f"{name} is no longer in the engine", hint="build it again")
        # An engine with the containerd store names an image by its manifest, so only opening it tells.
        held = record.config_digest if found["Id"] == record.config_digest else None
        if (held or self._open(name, progress).config_digest) != record.config_digest:
            raise IntegrityError(
                f"{name} in the engine is no longer the image that was built", hint="build it again"
            )
        platform = _platform_of(found)
        local = Local(record.config_digest, platform, found["Config"].get("Labels") or {})
        plan = plan_push(client, local, record.tags, progress)
        if plan.published:
            adopted = adopt(
                client,
                record,
                plan,
                opened_local=lambda: self._open(name, progress),
                opened_remote=lambda reference: self._open(reference, progress),
                progress=progress,
            )
            if adopted.config_digest != record.config_digest:
                self._tag(f"{record.repository}@{adopted.digest}", record.repository, record.tags)
            return adopted
        said = {self._push_tag(record.repository, tag, progress) for tag in plan.tags}
        if len(said) > 1:
            raise IntegrityError(f"the tags of {record.repository} got different digests: {said}")
        progress("reading the digest back")
        digest = read_back(client, record, platform, next(iter(said), None))
        return record.model_copy(update={"digest": digest, "pushed": True})

    def _open(self, reference: str, progress: Progress) -> OpenedImage:
        if not is_digest(reference):
            Reference.parse(reference)
        found = self._inspect(reference) or self._pull(reference, None, progress)
        progress(f"opening the image ({(found.get('Size') or 0) / 1e6:.1f} MB)")
        with self.engine.calls(f"opening the image {reference}"):
            return open_archive(self._api.get_image(reference), reference)

    def _platform(self, spec: ImageSpec, buildx: str | None) -> str | None:
        if len(spec.platforms) > 1:
            raise UsageError(
                f"one platform at a time; {', '.join(spec.platforms)} were given",
                hint="release once for each, to a repository of its own",
            )
        wanted = next(iter(spec.platforms), None)
        if wanted is None or wanted == self.engine.platform:
            return None
        if buildx is None:
            raise UsageError(
                f"this engine builds {self.engine.platform}; {wanted} needs the docker command with buildx",
                hint="install the docker-buildx-plugin, or leave the platform out",
            )
        return wanted

    def _find_base(self, base: str, platform: str | None, progress: Progress) -> _Base | None:
        """The base by its ID, so that nobody can move a tag between looking and building."""
        if base == SCRATCH:
            return None
        if split_layout(base):
            raise UsageError(
                f"the base {base} is an image layout, and a Docker engine answers: it takes references only",
                hint=f"load it first: skopeo copy oci:{base} docker-daemon:base:latest",
            )
        given = None if is_digest(base) else Reference.parse(base)
        found = self._inspect(base)
        wanted = platform or self.engine.platform
        if found is None or not _suits(found, wanted):
            found = self._pull(base, platform, progress)
        if not _suits(found, wanted):
            raise UsageError(f"the base image {base} is for {_platform_of(found)}, not for {wanted}")
        digests = [Reference.parse(name) for name in found.get("RepoDigests") or () if "<none>" not in name]
        known = next((one.digest for one in digests if given and one.name == given.name), None)
        return _Base(
            image_id=found["Id"],
            digest=(given.digest if given else None) or known or found["Id"],
            diff_ids=tuple((found.get("RootFS") or {}).get("Layers") or ()),
            named=bool(found.get("RepoTags") or found.get("RepoDigests")),
        )

    def _reusable(
        self,
        spec: ImageSpec,
        base: _Base | None,
        labels: Mapping[str, str],
        platform: str | None,
        progress: Progress,
    ) -> OpenedImage | None:
        """The image already there by one of the tags, proven, and then there by all of them."""
        for tag in spec.tags:
            name = f"{spec.repository}:{tag}"
            found = self._inspect(name)
            if found is None or not _suits(found, platform or self.engine.platform):
                continue
            theirs = found["Config"].get("Labels") or {}
            ours = {key for key in theirs if key.startswith((PREFIX, BASE_PREFIX))}
            if labels.items() <= theirs.items() and ours <= set(labels):
                try:
                    opened = self._proven(name, spec, base, labels, progress)
                except IntegrityError as error:
                    progress(f"{name} is there but not right, so it is built anew: {error}")
                    continue
                progress(f"{name} is there already and holds just this; it is not built again")
                self._tag(name, spec.repository, spec.tags)
                return opened
        return None

    def _proven(
        self,
        name: str,
        spec: ImageSpec,
        base: _Base | None,
        labels: Mapping[str, str],
        progress: Progress,
    ) -> OpenedImage:
        opened = self._open(name, progress)
        diff_ids = base.diff_ids if base else ()
        prove(opened, spec.bundle, labels=labels, base_diff_ids=diff_ids, environments=spec.environments)
        return opened

    @contextmanager
    def _names(self, base: _Base | None) -> Iterator[tuple[str, str]]:
        """A name for the image while it is built and one for its base; on leaving both are gone.

        Removing the name of an image that has no other removes the image: so a build that fails, is stopped,
        or makes something else than it should leaves nothing.
        """
        token = uuid.uuid4().hex[:12]
        tag, base_tag = f"{BUILD_NAME}:{token}", f"{BUILD_NAME}:{token}-base"
        if base:
            with self.engine.calls("naming the base image"):
                self._api.tag(base.image_id, BUILD_NAME, f"{token}-base")
        try:
            yield tag, base_tag if base else SCRATCH
        finally:
            self._untag(tag)
            if base and base.named:
                self._untag(base_tag)

    def _tag(self, image: str, repository: str, tags: tuple[str, ...]) -> None:
        with self.engine.calls(f"tagging {repository}"):
            for tag in tags:
                self._api.tag(image, repository, tag)

    def _untag(self, name: str) -> None:
        with suppress(MlopsConfigError), self.engine.calls(f"removing the name {name}"):
            self._api.remove_image(name)

    def _inspect(self, name: str) -> dict[str, Any] | None:
        from docker.errors import NotFound

        with self.engine.calls(f"looking for {name}"):
            try:
                found: dict[str, Any] = self._api.inspect_image(name)
            except NotFound:
                return None
        return found

    def _pull(self, name: str, platform: str | None, progress: Progress) -> dict[str, Any]:
        if is_digest(name):
            raise ServiceError(
                f"the engine has no image {name}", hint="an image ID cannot be pulled; give a reference"
            )
        reference = Reference.parse(name)
        progress(f"pulling {name}")
        events = self._stream(
            f"pulling {name}",
            f"{name} is not in the engine: is the name right, and does it lie in a registry you may read?",
            lambda: self._api.pull(
                name,
                tag=None if reference.tag or reference.digest else "latest",
                stream=True,
                decode=True,
                platform=platform,
                auth_config=_credentials(reference.registry),
            ),
        )
        ready: set[str] = set()
        with closing(events):
            for event in events:
                if event.get("status") == "Pull complete":
                    ready.add(str(event.get("id")))
                    progress(f"pulling {name}: {len(ready)} layers ready")
        found = self._inspect(name)
        if found is None:
            raise ServiceError(f"{name} was pulled, but the engine does not have it")
        return found

    def _push_tag(self, repository: str, tag: str, progress: Progress) -> str | None:
        """Pushes one tag and returns the digest the engine says it has now."""
        progress(f"pushing {repository}:{tag}")
        registry = Reference.parse(repository).registry
        events = self._stream(
            f"pushing {repository}:{tag}",
            f"is the repository there, and may the user that docker login {registry} stored write to it?",
            lambda: self._api.push(
                repository, tag=tag, stream=True, decode=True, auth_config=_credentials(registry)
            ),
        )
        said, layers, ready = None, set(), set()
        with closing(events):
            for event in events:
                if layer := event.get("id"):
                    layers.add(layer)
                    there = str(event.get("status")).startswith(("Pushed", "Layer already", "Mounted"))
                    if there and layer not in ready:
                        ready.add(layer)
                        progress(f"pushing {repository}:{tag}: {len(ready)} of {len(layers)} layers there")
                said = (event.get("aux") or {}).get("Digest") or said
        return said

    def _stream(self, doing: str, hint: str, start: Any) -> Generator[dict[str, Any]]:
        """The events of a pull or push; an error among them is raised."""
        try:
            with self.engine.calls(doing):
                for event in start():
                    if "error" in event:
                        raise engine_failure(doing, str(event["error"]))
                    yield event
        except ServiceError as error:
            if error.hint is None:
                error.hint = hint
            raise


def _suits(found: Mapping[str, Any], platform: str) -> bool:
    return f"{_platform_of(found)}/".startswith(f"{platform}/")


def _platform_of(found: Mapping[str, Any]) -> str:
    """Platform of an image as the engine describes it."""
    return platform_of({key.lower(): found.get(key) for key in ("Os", "Architecture", "Variant")})


def _credentials(registry: str) -> dict[str, str]:
    """What the Docker configuration has for the registry, as the engine wants it; empty for nobody."""
    found = find_credentials(registry)
    known = {
        "username": found.username,
        "password": found.password,
        "identitytoken": found.identity_token,
        "registrytoken": found.registry_token,
        "serveraddress": registry,
    }
    return {} if found.anonymous else {key: value for key, value in known.items() if value}

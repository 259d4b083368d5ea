"""References to what a registry holds: ``registry/repository[:tag][@digest]``, read as Docker reads them."""

import re
from dataclasses import dataclass, replace
from typing import Self

from mlops_config.digests import is_digest
from mlops_config.errors import UsageError

DOCKER_HUB = "docker.io"

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?")
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """One repository of one registry, and maybe a tag, a digest, or both."""

    registry: str
    """Host and port, such as ``ghcr.io`` or ``localhost:5000``; Docker Hub is ``docker.io``."""
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reference ``text`` stands for: no registry means Docker Hub, no namespace there ``library/``.

        Raises:
            UsageError: it is not a reference.
        """
        rest, at, digest = text.partition("@")
        head, slash, tail = rest.rpartition("/")
        last, colon, tag = tail.partition(":")
        name = head + slash + last
        registry, repository = _split_registry(name)
        if not repository or not _REPOSITORY.fullmatch(repository) or not _REGISTRY.fullmatch(registry):
            wrong = "a repository name has lower-case letters, digits, and . _ - / between them"
            raise UsageError(f"{text!r} is not a reference to an image or artifact: {wrong}")
        if len(registry) + 1 + len(repository) > _LONGEST_NAME:
            raise UsageError(
                f"{text!r} is too long: registry and repository have {_LONGEST_NAME} letters at most"
            )
        if colon and not TAG.fullmatch(tag):
            raise UsageError(f"{text!r} has no valid tag: letters, digits, _ . - (not first), at most 128")
        if at and not is_digest(digest):
            raise UsageError(f"{text!r} has no valid digest: expected sha256: and 64 lower-case hex digits")
        return cls(registry, repository, tag if colon else None, digest if at else None)

    @property
    def name(self) -> str:
        """``registry/repository``."""
        return f"{self.registry}/{self.repository}"

    def at(self, digest: str) -> Self:
        """This repository's content named by ``digest``, without a tag."""
        return replace(self, tag=None, digest=digest)

    def tagged(self, tag: str) -> Self:
        """This repository's content under ``tag``, without a digest."""
        return replace(self, tag=tag, digest=None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = first == "localhost" or bool(set(first) & set(".:")) or first != first.lower()
    if not slash or not is_host:
        return DOCKER_HUB, name if slash else f"library/{name}"
    if first in {"index.docker.io", "registry-1.docker.io"}:
        first = DOCKER_HUB
    if first == DOCKER_HUB and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest

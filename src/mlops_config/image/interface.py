"""What every builder of environment images offers: an engine, or an OCI layout written by hand."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlops_config.bundle.bundle import Bundle
from mlops_config.release.record import ImageRecord

CONFIG_DIR = "/app/configs"
SCRATCH = "scratch"
ENVIRONMENTS = ("dev", "staging", "prod")

Progress = Callable[[str], None]
"""Takes one line on how far a stage is; the caller decides whether and how to show it."""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """One environment image to build."""

    bundle: Bundle
    repository: str
    """Without tag, such as ``ghcr.io/acme/fares``."""
    tags: tuple[str, ...]
    base: str = "scratch"
    """A reference an engine can resolve, ``scratch``, or (without an engine) the folder of an OCI layout."""
    dockerfile: Path | None = None
    """``None``: the one this package ships."""
    labels: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    """Such as ``linux/arm64``, one at most; empty: the engine's own, ``linux/amd64`` for a layout."""
    environments: tuple[str, ...] = ENVIRONMENTS
    """All environments of the project: files of the others must not be in the image, in any layer."""


class ImageBuilder(ABC):
    """Builds, pushes and opens environment images."""

    name: str

    @abstractmethod
    def build(self, spec: ImageSpec, progress: Progress) -> ImageRecord:
        """Builds the image, opens it and proves what it holds.

        Raises:
            UsageError: repository, tags, base, Dockerfile or platforms cannot be built so.
            ServiceError: the engine failed; the message holds the end of its log.
            IntegrityError: the image does not hold exactly the bundle's files, byte-equal, or its labels and
                environment variables do not say so.
        """

    @abstractmethod
    def push(self, record: ImageRecord, progress: Progress) -> ImageRecord:
        """Pushes every tag and returns the record with the digest read back from the registry.

        Raises:
            ServiceError: the registry refused or stayed unreachable.
            IntegrityError: a release tag is taken by another image, or the digest read back is another.
        """

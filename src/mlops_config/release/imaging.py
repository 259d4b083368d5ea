"""From a drafted release to its environment image: what to build, with which builder, and whether at all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlops_config.bundle.bundle import Bundle
from mlops_config.image.context import dockerfile_of
from mlops_config.image.interface import ImageBuilder, ImageSpec
from mlops_config.image.labels import provenance_labels
from mlops_config.release.naming import image_repository, image_tags
from mlops_config.release.recipe import recipe_digest
from mlops_config.release.record import ImageRecord, ReleaseRecord
from mlops_config.settings import Settings

ENVIRONMENT_FIELD = "{environment}"


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """What the caller asked for instead of the settings; ``None`` or empty leaves it to them."""

    repository: str | None = None
    base: str | None = None
    dockerfile: Path | None = None
    platforms: tuple[str, ...] = ()


def choose_builder(layout: Path, say: Callable[[str], None]) -> ImageBuilder:
    """The Docker engine that answers, else a writer of OCI layouts into ``layout``; says so in one line."""
    from mlops_config.image.engine import connect
    from mlops_config.image.layout import LayoutBuilder

    engine = connect(lambda reason: say(f"{reason}; the image is written as an OCI layout instead"))
    return engine or LayoutBuilder(layout)


def specify(
    record: ReleaseRecord,
    bundle: Bundle,
    choice: ImageChoice,
    settings: Settings,
    root: Path,
    commit_time: datetime | None,
) -> ImageSpec:
    """The image to build for the release.

    Raises:
        UsageError: the repository's name is no name of a repository.
    """
    template = choice.repository or settings.image.repository
    own = root / settings.image.dockerfile if settings.image.dockerfile else None
    shared = ENVIRONMENT_FIELD not in template and len(settings.environments) > 1
    return ImageSpec(
        bundle=bundle,
        repository=image_repository(template, record),
        tags=image_tags(record, shared=shared),
        base=choice.base or settings.image.base,
        dockerfile=choice.dockerfile or own,
        labels=provenance_labels(record, commit_time=commit_time),
        platforms=choice.platforms,
        environments=settings.environments,
    )


def with_image(record: ReleaseRecord, spec: ImageSpec, image: ImageRecord) -> ReleaseRecord:
    """The record with its image, and the digest of what the image was made from."""
    recipe = recipe_digest(
        config_digest=record.config_digest,
        base=image.base,
        base_digest=image.base_digest,
        dockerfile=dockerfile_of(spec.dockerfile),
        platforms=spec.platforms,
    )
    return record.model_copy(update={"recipe": recipe, "image": image})

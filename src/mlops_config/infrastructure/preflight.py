"""What must still be there before infrastructure is changed for a release: its record, bundle and image."""

from collections.abc import Callable

from mlops_config.console import Console
from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ReleaseRecord


def require_image(
    record: ReleaseRecord, console: Console, open_: Callable[[Reference], RegistryClient] = RegistryClient
) -> None:
    """Returns when the registry still has the release's image under its digest, or none was pushed.

    Record and bundle were proven when the release was read.

    Raises:
        IntegrityError: the registry does not have it any more.
        ServiceError: the registry stays away or refuses us, so that nobody knows.
    """
    wanted = record.image.by_digest if record.image else None
    if wanted is None:
        return
    with console.stage("image") as log:
        reference = Reference.parse(wanted)
        digest = wanted.rpartition("@")[2]
        try:
            found = open_(reference).head(digest)
        except ServiceError as error:
            raise ServiceError(
                f"whether the image of {record.environment} release {record.name} is still there cannot be"
                f" known: {error.message}",
                hint=error.hint or f"log in to {reference.registry} with docker login, then ask again",
            ) from error
        if found is None:
            raise IntegrityError(
                f"{reference.name} has no image {digest} any more, which {record.environment} release"
                f" {record.name} is made of",
                hint="nothing was changed; deploy a release whose image is there (--release), or release"
                " these files again with --push",
            )
        log.done(f"{reference.name}@{digest[:19]}… is there")

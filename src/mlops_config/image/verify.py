"""Verifies an image wherever it lies: in an OCI image layout, in an engine, or in a registry."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlops_config.bundle.bundle import Bundle
from mlops_config.image.interface import ENVIRONMENTS, Progress
from mlops_config.image.opened import OpenedImage, prove, read_bundle


@dataclass(frozen=True, slots=True)
class Verified:
    """An image that holds what it says."""

    image: OpenedImage
    bundle: Bundle
    """Read out of the image, every digest checked."""


def open_anywhere(image: str, progress: Progress) -> OpenedImage:
    """The image ``image`` names, opened.

    A folder (``oci:FOLDER``, ``FOLDER:TAG``) is an OCI image layout. Anything else is a reference, which the
    Docker engine resolves, pulling it if need be; where no engine answers it is read from its registry.

    Raises:
        UsageError: the reference is none, or the layout holds no such image.
        ServiceError: engine or registry failed or refused.
        IntegrityError: there is no such image in the registry, or a part is not what its digest says.
    """
    from mlops_config.image.oci import split_layout

    place = split_layout(image)
    if place:
        from mlops_config.image.layout import open_layout

        return open_layout(*place)
    from mlops_config.image.engine import connect

    engine = connect(progress)
    if engine:
        return engine.open(image, progress)
    from mlops_config.image.publication import open_remote
    from mlops_config.registry.client import RegistryClient
    from mlops_config.registry.reference import Reference

    progress(f"reading {image} from its registry")
    return open_remote(RegistryClient(Reference.parse(image)), image)


def verify_image(
    image: str,
    bundle: Bundle | None = None,
    *,
    environments: Sequence[str] = ENVIRONMENTS,
    progress: Progress,
) -> Verified:
    """What the image holds, after proving that it is exactly ``bundle``, or the bundle it says it holds.

    Raises:
        IntegrityError: it is not; the message names the file, label or variable.
        MlopsConfigError: it cannot be opened, see :func:`open_anywhere`.
    """
    opened = open_anywhere(image, progress)
    held = read_bundle(opened) if bundle is None else bundle
    prove(opened, held, environments=environments)
    return Verified(opened, held)

"""The build context: one environment's files, made from the bundle's bytes and nothing from the work tree."""

from pathlib import Path

from mlops_config.bundle.bundle import Bundle
from mlops_config.bundle.ustar import deterministic_tar
from mlops_config.errors import UsageError

# Beside this module in an installed wheel, at its own place in a checkout.
_SHIPPED = (Path(__file__).parent / "Dockerfile", Path(__file__).parents[3] / "docker" / "Dockerfile")


def dockerfile_of(path: Path | None) -> bytes:
    """The Dockerfile at ``path``, or the one this package ships.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    if path is None:
        path = next((shipped for shipped in _SHIPPED if shipped.is_file()), _SHIPPED[0])
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the Dockerfile {path} cannot be read: {error.strerror}",
            hint="give its path from the repository root, or leave it out to use the one shipped",
        ) from error


def build_arguments(bundle: Bundle, base: str) -> dict[str, str]:
    """What the Dockerfile's ``ARG`` lines are given."""
    return {"BASE_IMAGE": base, "ENVIRONMENT": bundle.environment, "CONFIG_DIGEST": bundle.digest}


def build_context(bundle: Bundle, dockerfile: bytes) -> bytes:
    """A tar with ``Dockerfile`` and, under ``configs/<environment>/``, the four files and their manifest.

    Equal input gives equal bytes, so an engine's build cache holds from one machine to the next.
    """
    folder = f"configs/{bundle.environment}"
    contents = {f"{folder}/{name}": data for name, data in sorted(bundle.contents().items())}
    return deterministic_tar({"Dockerfile": dockerfile, **contents})

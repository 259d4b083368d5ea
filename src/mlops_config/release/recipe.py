"""What an environment image is made from, as one digest: equal recipe, nothing to build again."""

import rfc8785

from mlops_config.bundle.bundle import sha256_of


def recipe_digest(
    *, config_digest: str, base: str, base_digest: str | None, dockerfile: bytes, platforms: tuple[str, ...]
) -> str:
    """``sha256:<64 hex>`` over the config digest, the base image, the Dockerfile's bytes and the platforms.

    The base counts by its digest; by its name only where it has none (``scratch``).
    """
    parts = {
        "base": base_digest or base,
        "configDigest": config_digest,
        "dockerfile": sha256_of(dockerfile),
        "platforms": sorted(platforms),
    }
    return sha256_of(rfc8785.dumps(parts))

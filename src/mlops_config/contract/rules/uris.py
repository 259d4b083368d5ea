"""Comparing storage URIs by the objects they cover."""

import re
from functools import lru_cache
from itertools import takewhile


def covers(outer: str, inner: str) -> bool:
    """Whether everything at ``inner`` lies at or below ``outer``: same scheme and bucket, whole steps."""
    wanted, given = _steps(outer), _steps(inner)
    return given[: len(wanted)] == wanted


def overlap(one: str, other: str) -> bool:
    """Whether some object can lie under both URIs."""
    return covers(one, other) or covers(other, one)


def names_environment(uri: str, environment: str) -> bool:
    """Whether a bucket or path step of ``uri`` is the environment's name or has it as one of its words.

    >>> names_environment("s3://fare-prod/predictions", "prod"), names_environment("s3://products/x", "prod")
    (True, False)
    """
    boundary = r"[^A-Za-z0-9]"
    return re.search(rf"(?:^|{boundary}){re.escape(environment)}(?:{boundary}|$)", uri) is not None


@lru_cache(maxsize=1024)
def _steps(uri: str) -> tuple[str, ...]:
    """Scheme, bucket and path, up to the first step with a wildcard: what it matches lies below that."""
    scheme, _, rest = uri.partition("://")
    steps = [scheme, *(step for step in rest.split("/") if step not in ("", "."))]
    return tuple(takewhile(lambda step: not set(step) & set("*?[{"), steps))

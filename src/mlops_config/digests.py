"""Digests as people and machines write them here: ``sha256:`` and 64 lower-case hex digits, as OCI does."""

import re

DIGEST_PATTERN = r"sha256:[0-9a-f]{64}"
"""For expressions of other modules, without anchors."""

_DIGEST = re.compile(DIGEST_PATTERN)


def is_digest(text: str) -> bool:
    """Whether this is a whole digest and nothing besides."""
    return _DIGEST.fullmatch(text) is not None

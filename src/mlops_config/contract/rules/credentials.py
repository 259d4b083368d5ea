"""Telling a credential from an ordinary value, by the published shapes of tokens and by its key's name."""

import re
from collections.abc import Iterator
from functools import lru_cache

SECRET_REFERENCE = "secret://"  # noqa: S105 - the prefix of a reference, not a secret

_SHAPES: tuple[tuple[str, str, str], ...] = (
    ("-----BEGIN", "a private key", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"),
    ("AKIA", "an AWS access key id", r"\bAKIA[A-Z2-7]{16}\b"),
    ("ASIA", "an AWS access key id", r"\bASIA[A-Z2-7]{16}\b"),
    ("X-Amz-", "a signed AWS URL", r"[?&]X-Amz-(?:Signature|Credential)="),
    ("X-Goog-", "a signed Google Cloud URL", r"[?&]X-Goog-(?:Signature|Credential)="),
    ("AccountKey=", "an Azure storage key", r"\bAccountKey=[A-Za-z0-9+/=]{20,}"),
    ("sig=", "an Azure storage signature", r"[?&]sig=[A-Za-z0-9%+/=]{20,}"),
    ("AIza", "a Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("ya29.", "a Google OAuth token", r"\bya29\.[0-9A-Za-z_-]{20,}"),
    ("gh", "a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
    ("github_pat_", "a GitHub token", r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    ("glpat-", "a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("xox", "a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    (
        "hooks.slack.com/",
        "a Slack webhook address",
        r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}",
    ),
    ("dapi", "a Databricks token", r"\bdapi[0-9a-f]{32}\b"),
    ("hf_", "a Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("npm_", "a package index token", r"\bnpm_[A-Za-z0-9]{36}"),
    ("pypi-AgE", "a package index token", r"\bpypi-AgE[A-Za-z0-9_-]{40,}"),
    ("k_live_", "a Stripe key", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    ("SG.", "a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("sk-", "an API key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("eyJ", "a signed token (JWT)", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
)
"""A text that must be there, what it is, and its whole shape, compiled only where the text is."""

_SHORTEST = 15
_URL_PASSWORD = r"://[^/@:\s]*:[^/@\s]+@"  # noqa: S105 - a pattern, not a password
_SECRET_WORDS = frozenset(
    ("password", "passwd", "passphrase", "token", "secret", "credential", "credentials", "apikey")
)
_KEY_WORDS = frozenset(("api", "access", "private", "secret", "signing", "encryption", "account"))


def looks_like(value: str) -> str | None:
    """What kind of credential ``value`` holds, with its article, or ``None`` for an ordinary value."""
    if len(value) >= _SHORTEST:
        for mark, what, pattern in _SHAPES:
            if mark in value and re.search(pattern, value):
                return what
    return "a password in a URL" if "@" in value and re.search(_URL_PASSWORD, value) else None


@lru_cache(maxsize=4096)
def names_a_secret(key: str) -> bool:
    """Whether people put secrets under such a key: ``db_password``, ``apiToken``, ``private-key``."""
    words = [word.lower() for word in _words(key)]
    if not words:
        return False
    if words[-1] == "key":
        return len(words) > 1 and words[-2] in _KEY_WORDS
    return words[-1] in _SECRET_WORDS


def _words(key: str) -> Iterator[str]:
    yield from re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", key)

"""Telling a credential from an ordinary value, by the published shapes of tokens and by its key's name."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

SECRET_REFERENCE = "secret://"  # noqa: S105 - the prefix of a reference, not a secret

_SHAPES: tuple[tuple[str, str], ...] = (
    ("a private key", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"),
    ("an AWS access key id", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("a signed AWS URL", r"[?&]X-Amz-(?:Signature|Credential)="),
    ("a signed Google Cloud URL", r"[?&](?:X-Goog-Signature|GoogleAccessId)="),
    ("an Azure storage key or signature", r"\bAccountKey=[A-Za-z0-9+/=]{20,}|[?&]sig=[A-Za-z0-9%+/=]{20,}"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a Google OAuth token", r"\bya29\.[0-9A-Za-z_-]{20,}"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Slack webhook address", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
    ("a Databricks token", r"\bdapi[0-9a-f]{32}\b"),
    ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("a package index token", r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{40,})"),
    ("a Stripe key", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    ("a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("an API key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("a signed token (JWT)", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
)
_ANY_SHAPE = re.compile(
    "|".join(f"(?P<shape{number}>{pattern})" for number, (_, pattern) in enumerate(_SHAPES))
)
_SECRET_WORDS = frozenset(
    ("password", "passwd", "passphrase", "token", "secret", "credential", "credentials", "apikey")
)
_KEY_WORDS = frozenset(("api", "access", "private", "secret", "signing", "encryption", "account"))


def looks_like(value: str) -> str | None:
    """What kind of credential ``value`` holds, with its article, or ``None`` for an ordinary value."""
    match = _ANY_SHAPE.search(value)
    if match and match.lastgroup:
        return _SHAPES[int(match.lastgroup.removeprefix("shape"))][0]
    return "a password in a URL" if _has_password(value) else None


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


def _has_password(value: str) -> bool:
    if "://" not in value or "@" not in value:
        return False
    try:
        return urlsplit(value).password is not None
    except ValueError:  # not a URL: an unbalanced bracket in the host
        return False

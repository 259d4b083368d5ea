"""Tags for bundles, releases, pointers and ledgers: ``<environment>-<release>`` where that is clear."""

import hashlib
import re

from mlops_config.store.interface import LedgerName
from mlops_config.store.objects import ENTRY_DIGITS

_ILLEGAL = re.compile(r"[^A-Za-z0-9_.-]")
# A tag is [\w][\w.-]{0,127}. With no dot in the environment and only these shapes of release names,
# ``<environment>-<name>`` reads one way: the name starts with the component that has the first dot, or is all
# hex. A name made clear by a hash has ``__`` before it, which these shapes cannot have.
_CLEAR_ENVIRONMENT = re.compile(r"(?!sha256$)[A-Za-z0-9_][A-Za-z0-9_-]{0,30}")
_CLEAR_NAME = re.compile(
    r"[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.-]{0,60}|[0-9a-f]{40}(?:[0-9a-f]{24})?(?:-dirty-[0-9a-f]{12})?"
)
_KEPT = 40
_HASH = 12
_CURRENT = "current"


def bundle_tag(digest: str) -> str:
    """The tag of the bundle with this config digest; the dot keeps it apart from all others."""
    return f"bundle.{digest.removeprefix('sha256:')}"


def current_tag(environment: str) -> str:
    """The tag that moves: it stands at the release the environment runs."""
    return f"{_environment(environment)}-{_CURRENT}"


def release_tag(environment: str, name: str) -> str:
    """The tag of a release. A name that is illegal or unclear in one is shortened and ends in its hash."""
    return f"{_environment(environment)}-{name if _CLEAR_NAME.fullmatch(name) else _hashed(name)}"


def may_be_release(environment: str, tag: str) -> bool:
    """Whether the tag can be one of the environment's releases; the artifact under it says whether it is."""
    prefix = f"{_environment(environment)}-"
    return tag.startswith(prefix) and tag != current_tag(environment)


def clear_release(environment: str, tag: str) -> str | None:
    """The release name that the tag alone tells, or ``None``: then the artifact must be asked."""
    rest = tag.removeprefix(f"{_environment(environment)}-")
    return rest if rest != tag and _CLEAR_NAME.fullmatch(rest) else None


def entry_tag(ledger: LedgerName, number: int) -> str:
    """The tag of a ledger's entry; like a bundle's it has a dot where a release's has its environment."""
    return f"{_ledger(ledger)}{number:0{ENTRY_DIGITS}}"


def entry_number(ledger: LedgerName, tag: str) -> int | None:
    """Which of the ledger's entries the tag is of; ``None``: it is of something else."""
    number = tag.removeprefix(_ledger(ledger))
    is_entry = number != tag and len(number) == ENTRY_DIGITS and number.isdecimal()
    return int(number) if is_entry else None


def _ledger(ledger: LedgerName) -> str:
    return f"ledger.{_environment(ledger.environment)}.{_environment(ledger.model_name)}."


def _environment(name: str) -> str:
    return name if _CLEAR_ENVIRONMENT.fullmatch(name) else _hashed(name)


def _hashed(name: str) -> str:
    legal = _ILLEGAL.sub("_", name).lstrip(".-")[:_KEPT]
    return f"{legal}__{hashlib.sha256(name.encode()).hexdigest()[:_HASH]}"

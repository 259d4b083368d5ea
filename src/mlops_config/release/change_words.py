"""Changes in words and tables, as Markdown: what was, what is, and how much that is."""

from collections.abc import Sequence
from typing import Any

from mlops_config.release.changes import Change, Nature
from mlops_config.release.markdown import code, shortened, table, value_text

NOTHING = "—"
TIMES = "\N{MULTIPLICATION SIGN}"
MINUS = "\N{MINUS SIGN}"
PERCENT = "\N{NO-BREAK SPACE}%"


def change_table(found: Sequence[Change], limit: int) -> str:
    """A row per change, at most ``limit``: key, old value, new value, and how they compare."""
    rows = [
        (code(_where(change)), _value(change, old=True), _value(change, old=False), comparison(change))
        for change in found[:limit]
    ]
    if len(found) > limit:
        rows.append((f"… and {len(found) - limit} more", "", "", ""))
    return table(("key", "was", "is", ""), rows)


def in_words(change: Change) -> str:
    """The change in a phrase, such as "drift.threshold 0.2 → 0.15", with how much that is."""
    where = code(_where(change))
    if change.nature is Nature.CHANGED:
        compared = comparison(change)
        values = f"{_value(change, old=True, limit=40)} → {_value(change, old=False, limit=40)}"
        return f"{where} {values}{f' ({compared})' if compared else ''}"
    if isinstance(change.new if change.nature is Nature.ADDED else change.old, dict | list):
        return f"{where} {change.nature}"
    value = _value(change, old=change.nature is Nature.REMOVED, limit=40)
    return f"{where} {change.nature} ({value})"


def _where(change: Change) -> str:
    return change.where or "the whole file"


def _value(change: Change, *, old: bool, limit: int = 100) -> str:
    if change.nature is (Nature.ADDED if old else Nature.REMOVED):
        return NOTHING
    return code(shortened(value_text(change.old if old else change.new), limit))


def comparison(change: Change) -> str:
    """How the two values compare: a factor, a percentage, what came into a list and what left it."""
    if change.nature is not Nature.CHANGED:
        return str(change.nature)
    if change.factor is not None:
        return _factor(change.factor)
    if isinstance(change.old, list) and isinstance(change.new, list):
        return _entries(change.old, change.new)
    return ""


def _factor(factor: float) -> str:
    """Doubling and more as a multiple, less as a percentage."""
    if factor >= 2:
        return f"{TIMES}{factor:.3g}"
    if factor <= 0.5:
        return f"÷{1 / factor:.3g}"
    percent = (factor - 1) * 100
    return f"{'+' if percent > 0 else MINUS}{abs(percent):.3g}{PERCENT}"


def _entries(old: list[Any], new: list[Any]) -> str:
    """What came into a list and what left it."""
    added = [entry for entry in new if entry not in old]
    removed = [entry for entry in old if entry not in new]
    parts = [
        f"{word} {', '.join(code(shortened(value_text(entry), 40)) for entry in entries[:5])}"
        f"{f' and {len(entries) - 5} more' if len(entries) > 5 else ''}"
        for word, entries in (("added", added), ("removed", removed))
        if entries
    ]
    return "; ".join(parts) or ("other order" if sorted(map(str, old)) == sorted(map(str, new)) else "")

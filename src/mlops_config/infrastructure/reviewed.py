"""How the plan that would be applied differs from the one that somebody reviewed, where that lies here."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlops_config.release.markdown import visible

_SHOWN = 10
_PATHS = 3
_NAMED = (
    ("workspace", "workspace"),
    ("terraform_version", "Terraform's version"),
    ("providers", "providers"),
)
_BESIDE = {
    "provider": "provider",
    "reason": "reason",
    "moved_from": "former address",
    "import_id": "id that it is taken over by",
    "created_first": "order of what goes and what comes",
}
"""What the digest counts of a resource beside its values, in words."""

Document = Mapping[str, Any]
"""A plan as :func:`~.rendering.as_document` has it."""


def reviewed_document(path: Path, digest: str | None) -> Document | None:
    """The plan of that digest in a ``plan.json``; ``None``: it is of another one, or there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and digest and found.get("digest") == digest else None


def since_review(reviewed: Document, now: Document) -> list[str]:
    """A line for each resource that is no longer planned as it was, and for what else differs."""
    lines = [*_resources(reviewed, now), *_others(reviewed, now)]
    if not lines:
        return ["  something that plan.json does not hold"]
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"  … and {more} more"] if more > 0 else lines


def _resources(reviewed: Document, now: Document) -> Iterator[str]:
    was, is_ = _by_address(reviewed), _by_address(now)
    for address in sorted({*was, *is_}):
        if address not in was:
            yield f"  {visible(address)}: {is_[address][0]}, which was not in the reviewed plan"
        elif address not in is_:
            yield f"  {visible(address)}: {was[address][0]} no longer"
        elif was[address] != is_[address]:
            yield f"  {visible(address)}: {_differently(was[address], is_[address])}"


def _by_address(plan: Document) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """Action and values of each resource, and what counts beside them."""
    return {
        each["address"]: (
            each["action"],
            {value["path"]: {**value, "causes": None} for value in each.get("values", ())},
            {words: each.get(name) or None for name, words in _BESIDE.items()},
        )
        for each in plan.get("changes", ())
    }


def _differently(
    was: tuple[str, dict[str, Any], dict[str, Any]], is_: tuple[str, dict[str, Any], dict[str, Any]]
) -> str:
    if was[0] != is_[0]:
        return f"{is_[0]} instead of {was[0]}"
    others = [words for words in is_[2] if was[2][words] != is_[2][words]]
    others += sorted(path for path in {*was[1], *is_[1]} if was[1].get(path) != is_[1].get(path))
    more = f" and {len(others) - _PATHS} more" if len(others) > _PATHS else ""
    return f"{is_[0]}, with another {', '.join(map(visible, others[:_PATHS]))}{more}"


def _others(reviewed: Document, now: Document) -> Iterator[str]:
    if reviewed.get("modules") != now.get("modules"):
        yield "  the modules say something else, which may show in what is known after apply only"
    if "variables" in reviewed and reviewed["variables"] != now.get("variables"):  # else by an older version
        yield "  the variables differ: the release's, or those in terraform.tfvars"
    for name, words in _NAMED:
        if _counted(name, reviewed) != _counted(name, now):
            yield f"  {words}: {_told(reviewed.get(name))} then, {_told(now.get(name))} now"
    outputs = [{each["name"]: each for each in plan.get("outputs", ())} for plan in (reviewed, now)]
    for name in sorted({*outputs[0], *outputs[1]}):
        if outputs[0].get(name) != outputs[1].get(name):
            yield f"  output {visible(name)}"


def _counted(name: str, plan: Document) -> Any:
    """What the digest counts of it: of Terraform's version, ``1.11`` of ``1.11.4``."""
    found = plan.get(name)
    return str(found).split(".")[:2] if name == "terraform_version" else found


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name.rpartition('/')[2]} {version}" for name, version in value.items()) or "none"
    return visible(str(value))

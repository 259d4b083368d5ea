"""What the documentation tells a reader to paste works with the workflows and inputs that are there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = ["README.md", "docs/getting-started.md"]
OURS = "org/mlops-config-action"


def read(text: str) -> Any:
    """Plain strings, mappings and lists: ``on`` stays ``on``."""
    return yaml.load(text, yaml.BaseLoader)  # noqa: S506 (it constructs nothing but strings)


def blocks(page: str) -> list[Any]:
    """The page's YAML examples, parsed; without those that show a configuration file."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [read(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    return [block for block in found if isinstance(block, list) or "jobs" in block]


def calls(node: Any) -> list[dict[str, Any]]:
    """Every mapping with a ``uses``, however deep."""
    if isinstance(node, list):
        return [call for item in node for call in calls(item)]
    if isinstance(node, dict):
        return ([node] if "uses" in node else []) + [call for item in node.values() for call in calls(item)]
    return []


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Every call in the pages' examples, with its page."""
    return [(page, call) for page in PAGES if (ROOT / page).exists() for call in calls(blocks(page))]


@pytest.mark.parametrize(
    ("page", "call"), examples(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_example_calls_what_is_there_with_inputs_it_declares(page: str, call: dict[str, Any]) -> None:
    name, _, ref = call["uses"].partition("@")
    if not name.startswith(OURS):
        assert re.fullmatch(r"[0-9a-f]{40}", ref), f"{page}: pin {name} by its commit"
        return
    path = ROOT / name.removeprefix(OURS).removeprefix("/")
    file = path / "action.yml" if path.is_dir() else path
    declared: dict[str, Any] = read(file.read_text(encoding="utf-8"))
    if "inputs" not in declared:
        declared = declared.get("on", {}).get("workflow_call") or {}
    inputs = declared.get("inputs", {})
    assert set(call.get("with", {})) <= inputs.keys(), f"{page}: {call['uses']}"


def test_the_readme_has_examples_at_all() -> None:
    assert len(calls(blocks("README.md"))) >= 4


def test_the_first_example_of_the_readme_is_short() -> None:
    first = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    assert len([line for line in first.splitlines() if not line.startswith("#")]) <= 15

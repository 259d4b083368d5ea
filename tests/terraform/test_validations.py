"""Every rule about a variable has a test in which it refuses something."""

import re
from collections import Counter
from pathlib import Path

import pytest
from tools import check_terraform as checking

from tests.terraform.test_seeded_mistakes import SAID

TERRAFORM = checking.SOURCE
TOLD_BY_A_PLAN = tuple(SAID.values())


def rules(folder: Path) -> list[tuple[str, str]]:
    """The variable and the message of each ``validation``, up to the first value in it."""
    found = []
    for path in sorted(folder.glob("*.tf")):
        for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', path.read_text("utf-8"), re.M | re.S):
            for rule in re.findall(r"^  validation \{\n(.*?)^  \}", body, re.M | re.S):
                (message,) = re.findall(
                    r'^    error_message += +"(.*)"$|^    error_message = (.*)$', rule, re.M
                )
                found.append((name, "".join(message).split("${")[0]))
    return found


def expected(folder: Path) -> Counter[str]:
    """In how many runs of the folder's tests a variable is to be refused."""
    found: Counter[str] = Counter()
    for path in sorted(folder.glob("tests/*.tftest.hcl")):
        for listed in re.findall(r"expect_failures\s*=\s*\[([^\]]*)\]", path.read_text("utf-8")):
            found.update(set(re.findall(r"\bvar\.(\w+)", listed)))
    return found


def unproven(folder: Path) -> list[str]:
    """Variables with more rules than runs that refuse them, but for the rules that a seeded mistake names."""
    left = Counter(name for name, message in rules(folder) if not _is_told_by_a_plan(folder, message))
    runs = expected(folder)
    return [
        f"{name}: {left[name]} rules, refused in {runs[name]} runs"
        for name in left
        if runs[name] < left[name]
    ]


def _is_told_by_a_plan(folder: Path, message: str) -> bool:
    environment = re.search(r"environments/(\w+)/", str(folder))
    if environment is None or not message:
        return False
    general = re.sub(rf"\b{environment[1]}\b", "dev", message)
    return any(said.startswith(general) or general.startswith(said) for said in TOLD_BY_A_PLAN)


@pytest.mark.parametrize("folder", checking.folders())
def test_every_rule_is_seen_to_refuse(folder: str) -> None:
    assert unproven(TERRAFORM / folder) == []


def test_every_validation_is_found() -> None:
    count = sum(
        path.read_text("utf-8").count("  validation {")
        for path in TERRAFORM.rglob("*.tf")
        if ".terraform" not in path.parts
    )

    assert sum(len(rules(TERRAFORM / folder)) for folder in checking.folders()) == count > 150


def test_a_rule_that_no_test_breaks_is_told(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    rule = '  validation {{\n    condition     = true\n    error_message = "{}"\n  }}\n'
    (tmp_path / "variables.tf").write_text(
        'variable "name" {\n' + rule.format("Too long.") + rule.format("Too short.") + "}\n"
        'variable "size" {\n' + rule.format("Too large: ${var.size}.") + "}\n"
    )
    (tmp_path / "tests" / "it.tftest.hcl").write_text(
        'run "a" {\n  expect_failures = [var.name]\n}\n'
        'run "b" {\n  expect_failures = [\n    check.it,\n  ]\n}\n'
    )

    assert rules(tmp_path) == [("name", "Too long."), ("name", "Too short."), ("size", "Too large: ")]
    assert unproven(tmp_path) == ["name: 2 rules, refused in 1 runs", "size: 1 rules, refused in 0 runs"]

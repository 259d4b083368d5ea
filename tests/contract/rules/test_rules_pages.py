"""Every rule has a page that says what the rule says and shows what is really printed."""

import re
from pathlib import Path

import pytest
from tools.generate_rule_docs import FOLDER, pages

from mlops_config.contract.codes import OWN_CODES
from mlops_config.contract.rules.catalog import RESERVED, RULES

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_what_the_rule_and_its_example_give(path: Path) -> None:
    assert path.is_file(), f"{path.name} is missing: run python tools/generate_rule_docs.py"
    assert path.read_text(encoding="utf-8") == PAGES[path], "run python tools/generate_rule_docs.py"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_page_shows_what_its_rule_prints(rule: object) -> None:
    code = getattr(rule, "code", "")
    text = (FOLDER / f"{code}.md").read_text(encoding="utf-8")
    (printed,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert f"[{code}] " in printed
    assert "= hint: " in printed


def test_the_index_names_every_code_once() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| \[?([A-Z]\d\d)", text, re.MULTILINE)
    assert sorted(named) == sorted({*OWN_CODES, *RESERVED, *(rule.code for rule in RULES)})


def test_no_page_is_left_of_a_rule_that_is_gone() -> None:
    ours = {path.stem for path in FOLDER.glob("[CXE]*.md")}
    assert ours == {rule.code for rule in RULES}

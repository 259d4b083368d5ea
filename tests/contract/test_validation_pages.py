"""The pages of our own codes: each is there, and its example prints what the page says."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from mlops_config.contract.codes import OWN_CODES
from mlops_config.contract.reading.yaml_reader import read_document
from mlops_config.contract.validation import validate
from mlops_config.findings import Finding
from mlops_config.report.interface import ReportContext, context_of
from mlops_config.report.text import render
from mlops_config.settings import load_settings

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "rules"
WITHOUT_EXAMPLE = {"F08", "S07"}
EXAMPLE = re.compile(r"```(yaml|sh)\n(.*?)```\n\nprints:\n\n```text\n(.*?)```", re.DOTALL)
ON_THE_DAY = date(2026, 11, 1)


def page(code: str) -> str:
    return (PAGES / f"{code}.md").read_text("utf-8")


@pytest.mark.parametrize("code", OWN_CODES)
def test_every_code_has_a_page_that_says_why_and_what_to_do(code: str) -> None:
    text = page(code)
    about = OWN_CODES[code]
    assert text.startswith(f"# {code}: {about.title}\n\n*{about.severity.capitalize()}. ")
    assert "\n## Why\n" in text
    assert "\n## What to do\n" in text
    assert bool(EXAMPLE.search(text)) == (code not in WITHOUT_EXAMPLE)


@pytest.mark.skipif(os.name != "posix", reason="the examples are for a shell")
@pytest.mark.parametrize("code", sorted(OWN_CODES.keys() - WITHOUT_EXAMPLE))
def test_an_example_prints_what_its_page_says(code: str, tmp_path: Path) -> None:
    match = EXAMPLE.search(page(code))
    assert match
    language, example, expected = match.groups()
    shutil.copytree(ROOT / "examples" / "minimal" / "configs", tmp_path / "configs")
    if language == "sh":
        subprocess.run(["sh", "-euc", example], cwd=tmp_path, check=True)
    else:
        (tmp_path / example.splitlines()[0].removeprefix("# ")).write_text(example, "utf-8")
    findings, context = found(code, tmp_path)
    printed = render(findings, context).rstrip("\n").rsplit("\n\n", 1)[0] + "\n"
    assert printed.startswith(expected) if code == "W05" else printed == expected


def found(code: str, root: Path) -> tuple[list[Finding], ReportContext]:
    """The findings of one code. What only concerns the reading is taken from the reader alone."""
    if code.startswith("Y"):
        name = "configs/dev/dev_training_config.yaml"
        document = read_document((root / name).read_bytes(), name)
        return [each for each in document.findings if each.code == code], ReportContext({name: document.text})
    settings = load_settings(root)._replace(environments=("dev",))
    try:
        validation = validate(root, settings, today=ON_THE_DAY)
    finally:
        sys.modules.pop("own_contract", None)
    return [each for each in validation.findings if each.code == code], context_of(validation)

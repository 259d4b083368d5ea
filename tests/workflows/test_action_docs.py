"""The tables of inputs and outputs say what the files declare."""

import re
import subprocess
import sys

import pytest
from tests.workflows.repository_files import ROOT, load


def test_every_table_is_up_to_date():
    tool = [sys.executable, str(ROOT / "tools" / "generate_action_docs.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


TABLES = {
    "README.md": "action-inputs action-outputs",
    "docs/action.md": "action-inputs action-outputs",
    "docs/workflows.md": """validate-inputs validate-outputs comment-inputs
        release-inputs release-secrets release-outputs
        deploy-inputs deploy-secrets deploy-outputs
        rollback-inputs rollback-secrets rollback-outputs""",
}


@pytest.mark.parametrize("page", TABLES)
def test_a_page_has_its_tables(page):
    assert re.findall(r"<!-- ([\w-]+):begin -->", (ROOT / page).read_text("utf-8")) == TABLES[page].split()


def test_a_table_has_a_row_for_every_input():
    page = (ROOT / "docs" / "action.md").read_text("utf-8")
    table = page.partition("<!-- action-inputs:begin -->")[2].partition("<!-- action-inputs:end -->")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE) == list(load(ROOT / "action.yml")["inputs"])

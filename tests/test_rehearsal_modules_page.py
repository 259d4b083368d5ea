"""docs/terraform-modules.md is what the modules say, and docs/terraform.md leads where it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools.generate_terraform_docs import CLOUDS, MODULES, ORDER, items

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    ROOT / "docs" / "terraform.md",
    ROOT / "docs" / "first-release-aws.md",
    ROOT / "docs" / "first-release-gcp.md",
    ROOT / "terraform" / "README.md",
)
_LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]+))?\)")


def test_the_page_is_what_the_modules_say() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "generate_terraform_docs.py"), "--check"]
    checked = subprocess.run(tool, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_no_module_is_left_out() -> None:
    assert sorted(ORDER) == sorted(path.name for path in MODULES.iterdir() if path.is_dir())


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("name", ORDER)
def test_every_block_of_a_module_is_read(name: str, cloud: str) -> None:
    """Counted another way: by the lines that begin one."""
    folder = MODULES / name / cloud
    begun = sum(
        line.startswith(("variable ", "output "))
        for path in folder.glob("*.tf")
        for line in path.read_text("utf-8").splitlines()
    )
    assert len(list(items(folder))) == begun > 0


def test_an_input_without_a_description_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.generate_terraform_docs.ROOT", tmp_path)
    (tmp_path / "variables.tf").write_text('variable "cidr" {\n  type = string\n}\n', "utf-8")
    with pytest.raises(ValueError, match=r"variables\.tf: variable cidr has no description"):
        list(items(tmp_path))


def test_defaults_and_descriptions_are_read_in_each_of_their_forms(tmp_path: Path) -> None:
    (tmp_path / "variables.tf").write_text(
        'variable "a" {\n  description = "Says \\"a\\"."\n  type        = string\n}\n'
        'variable "b" {\n  description = <<-EOT\n    Two\n    lines.\n  EOT\n  default     = null\n}\n'
        'variable "c" {\n  description = "C."\n  default = {\n    x = 1\n  }\n}\n',
        "utf-8",
    )
    found = {each.name: (each.description, each.default) for each in items(tmp_path)}
    assert found == {"a": ('Says "a".', None), "b": ("Two lines.", "null"), "c": ("C.", "…")}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, heading in _LINK.findall(text):
        if target.startswith("https://"):
            continue
        path = page.parent / target if target else page
        assert path.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
            assert heading in {slug(title) for title in titles}, f"{target}#{heading}"


def slug(title: str) -> str:
    """A heading's anchor on GitHub."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")

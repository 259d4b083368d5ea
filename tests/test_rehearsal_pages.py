"""The pages from an empty account to a first release, followed word by word as far as they go without one.

What follows a ``$`` is run, and files are written where their first line says. Only state, store and answers
differ: the state is on disk, releases go to a folder, and Terraform is not asked whether it is meant.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.console_blocks import Command, mismatch
from tests.services import unavailable
from tests.services.terraform import variables
from tests.terraform import standin as preparing

ROOT = Path(__file__).resolve().parent.parent
CLOUDS = ("aws", "gcp")
_BLOCK = re.compile(r"^```(console|yaml|hcl)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"(?m)^stores:\n(  - .*\n)+|^  backend_config: .*\n")
"""Of the settings: what lies in the cloud."""
_ON_DISK = 'terraform {\n  backend "local" {}\n}\n'
_AFTERWARDS = """
mlops-config release --environment dev 2>&1
mlops-config deploy --environment dev --only-terraform --yes 2>&1
"""
"""What the page's workflow does next."""


class File(NamedTuple):
    """A file that the reader writes."""

    path: str
    content: str


def page(cloud: str) -> Path:
    """The page of a cloud."""
    return ROOT / "docs" / f"first-release-{cloud}.md"


def read(path: Path) -> list[Command | File]:
    """What a reader does who has no account."""
    text = path.read_text("utf-8")
    found: list[Command | File] = []
    for block in _BLOCK.finditer(text):
        kind, content = block.groups()
        if kind != "console":
            name, _, rest = content.partition("\n")
            found.append(File(name.removeprefix("# "), _ELSEWHERE.sub("", rest)))
            continue
        line = text.count("\n", 0, block.start()) + 2
        for number, each in enumerate(content.splitlines(), line):
            if each.startswith("$ "):
                found.append(Command(path.name, number, each[2:], ()))
            else:
                last = found[-1]
                assert isinstance(last, Command)
                found[-1] = Command(last.page, last.line, last.text, (*last.output, each))
    return found


def script(steps: list[Command | File], cloud: str) -> str:
    """One shell session that does it all, and marks where each command's output begins and ends."""
    root = f"terraform/environments/dev/{cloud}"
    lines = ["exec 2>&1"]
    for number, step in enumerate(steps):
        if isinstance(step, File):
            lines.append(f"mkdir -p $(dirname {step.path})")
            lines.append(f"cat > {step.path} <<'END OF FILE'\n{step.content}END OF FILE")
            if step.path.startswith(root):
                lines.append(f"cat > {root}/backend_override.tf <<'END OF FILE'\n{_ON_DISK}END OF FILE")
        else:
            lines.append(f"printf '\\n<begin {number}>\\n'\n{step.text}\nprintf '\\n<end {number} %s>\\n' $?")
    lines.append(f"printf '\\n<begin last>\\n'\n{_AFTERWARDS}\nprintf '\\n<end last %s>\\n' $?")
    return "\n".join(lines)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_page_can_be_followed_word_by_word(
    cloud: str, terraform: Path, standin: preparing.Environment, tmp_path: Path
) -> None:
    program = ROOT / ".venv" / "bin" / "mlops-config"
    if not program.exists():
        unavailable("no .venv/bin/mlops-config: run `make setup`")
    (tmp_path / "mlops-config-action").symlink_to(ROOT)
    steps = read(page(cloud))
    assert sum(isinstance(step, Command) for step in steps) > 10
    paths = [str(program.parent), str(terraform.parent), os.environ["PATH"]]
    more = {
        "PATH": os.pathsep.join(paths),
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
        "TF_CLI_ARGS_apply": "-auto-approve -no-color",
        "TF_CLI_ARGS_init": "-no-color",
        "GIT_AUTHOR_NAME": "reader",
        "GIT_AUTHOR_EMAIL": "reader@example.com",
        "GIT_COMMITTER_NAME": "reader",
        "GIT_COMMITTER_EMAIL": "reader@example.com",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "STANDIN_ACCOUNT": "777788889999",
    }
    done = subprocess.run(
        ["bash", "-c", script(steps, cloud)],
        cwd=tmp_path,
        env=dict(variables(standin, **more)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"\n<begin (\w+)>\n(.*?)\n<end \1 (\d+)>\n", done.stdout, re.DOTALL)
    printed = {number: (text, code) for number, text, code in found}
    for number, step in enumerate(steps):
        if isinstance(step, Command):
            text, code = printed[str(number)]
            assert code == "0", f"{step.page}:{step.line}: {step.text}\n{text[-3000:]}"
            assert (wrong := mismatch(step, text)) is None, wrong
    text, code = printed["last"]
    assert code == "0", text[-3000:]
    assert re.search(r"✓ plan +(nothing changes|0 to create, \d to change, 0 to delete)", text), text[-2000:]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_price_has_a_source(cloud: str) -> None:
    text = page(cloud).read_text("utf-8")
    table = text.split("## What it costs")[1].split("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "$" in row]
    assert len(rows) >= 4
    assert [row for row in rows if "](https://" not in row] == []
    assert "Estimates" in table
    assert "November 2026" in table

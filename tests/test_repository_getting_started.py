"""docs/getting-started.md, followed word by word by somebody who has nothing but a checkout."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.console_blocks import Command, File, mismatch, steps

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "getting-started.md"
ADDRESS = "https://github.com/org/mlops-config-action"

pytestmark = pytest.mark.e2e


def script() -> str:
    """One shell session that does all the page says and marks where each command's output begins and ends."""
    lines = ["exec 2>&1"]
    for number, step in enumerate(steps(PAGE)):
        if isinstance(step, File):
            content = step.content.rstrip("\n")
            lines.append(f"mkdir -p {Path(step.path).parent}")
            lines.append(f"cat > {step.path} <<'END OF FILE'\n{content}\nEND OF FILE")
        else:
            lines.append(f"printf '\\n<begin {number}>\\n'\n{step.text}\nprintf '\\n<end {number} %s>\\n' $?")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, own_machine: Path) -> dict[int, tuple[str, int]]:
    """Number of the step → what it printed, and its exit code."""
    folder = tmp_path_factory.mktemp("newcomer")
    config = folder / "gitconfig"
    config.write_text((own_machine / ".gitconfig").read_text() + f'[url "{ROOT}"]\n\tinsteadOf = {ADDRESS}\n')
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    (folder / "here").mkdir()
    done = subprocess.run(
        ["bash", "-c", script()],
        cwd=folder / "here",
        env={**environment, "GIT_CONFIG_GLOBAL": str(config)},
        capture_output=True,
        text=True,
        check=False,
    )
    remove_images(folder / "here" / "fares")
    marked = re.findall(r"\n<begin (\d+)>\n(.*?)\n<end \1 (\d+)>\n", done.stdout, re.DOTALL)
    return {int(number): (text, int(code)) for number, text, code in marked}


def remove_images(repository: Path) -> None:
    """Takes the images of the releases out of the engine, one for each commit, if an engine answers."""
    commits = subprocess.run(
        ["git", "rev-list", "HEAD"], cwd=repository, capture_output=True, text=True, check=False
    ).stdout.split()
    if shutil.which("docker"):
        images = [f"city-taxi-dev:{commit}" for commit in commits]
        subprocess.run(["docker", "image", "rm", *images], capture_output=True, check=False)


COMMANDS = [(number, step) for number, step in enumerate(steps(PAGE)) if isinstance(step, Command)]


@pytest.mark.parametrize(("number", "command"), COMMANDS, ids=[command.text for _, command in COMMANDS])
def test_the_page_shows_what_the_command_prints(
    number: int, command: Command, printed: dict[int, tuple[str, int]]
) -> None:
    assert number in printed, "the session ended before it"
    text, _ = printed[number]
    assert mismatch(command, text) is None, text

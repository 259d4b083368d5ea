"""GitHub's own parser of workflow and action files, run by Node from a locked set of npm packages."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.services import unavailable

PROJECT = Path(__file__).resolve().parents[1] / "node"
SCRIPT = Path(__file__).with_suffix(".mjs")
MODULES = PROJECT / "node_modules"


def complaints(files: Mapping[str, str], workflows: Mapping[str, str]) -> dict[str, list[str]]:
    """What the parser says against each of ``files`` (path to text).

    ``workflows`` holds the reusable workflows that calls may lead to: ``.github/workflows/x.yml`` for one of
    the same repository, ``owner/name/.github/workflows/x.yml@ref`` for another's.
    """
    _install()
    question = json.dumps({"files": dict(files), "workflows": dict(workflows)})
    answer = subprocess.run(
        ["node", "--no-warnings", str(SCRIPT), str(MODULES)],
        input=question,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, list[str]] = json.loads(answer.stdout)
    return found


def _install() -> None:
    if not shutil.which("node") or not shutil.which("npm"):
        unavailable("GitHub's workflow parser needs node 20 or newer, with npm")
    lock = PROJECT / "package-lock.json"
    # npm writes this file when it is done, so an interrupted installation is seen.
    installed = MODULES / ".package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(PROJECT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if result.returncode:
        unavailable(f"npm could not install GitHub's workflow parser: {result.stderr.strip()[-500:]}")

"""Git repositories with the example configuration, for tests to change and commit."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class Repository:
    """A repository on branch ``main`` whose first commit holds ``configs/`` as in the examples."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "configs", folder / "configs")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("Configure the fare model")

    def git(self, *arguments: str) -> str:
        """What git prints."""
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, message: str) -> str:
        """Commits everything; the full SHA."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def config(self, environment: str, kind: str) -> Path:
        """The file of one kind."""
        return self.folder / "configs" / environment / f"{environment}_{kind}_config.yaml"

    def edit(self, path: Path, old: str, new: str) -> int:
        """Replaces ``old``, which must be there once; the line it stands on."""
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} is in {path.name} {text.count(old)} times"
        path.write_text(text.replace(old, new), "utf-8")
        return text[: text.index(old)].count("\n") + 1

"""A repository that uses the action: the example configuration and the example workflows, as they stand."""

import shutil
from pathlib import Path
from typing import Any

from tests.repositories import ROOT, Repository


class Caller(Repository):
    """The repository ``acme/fares``, committed, with its workflows under ``.github/workflows``."""

    name = "acme/fares"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        workflows = folder / ".github" / "workflows"
        workflows.mkdir(parents=True)
        for example in sorted((ROOT / "examples").glob("*.yml")):
            shutil.copy(example, workflows)
        self.git("remote", "add", "origin", f"https://github.com/{self.name}.git")
        self.commit("Use the action")

    def workflow(self, name: str, text: str) -> str:
        """Adds a workflow of the caller's own; its path."""
        path = f".github/workflows/{name}"
        (self.folder / path).write_text(text, "utf-8")
        return path

    def push(self, ref: str) -> dict[str, Any]:
        """The event of a push of ``ref``; a tag is made first."""
        if ref.startswith("refs/tags/"):
            self.git("tag", ref.removeprefix("refs/tags/"))
        return {"ref": ref, "after": self.git("rev-parse", "HEAD"), "repository": self._repository}

    def pull_request(self, number: int = 7, *, fork: bool = False) -> dict[str, Any]:
        """The event of an opened pull request from the branch that is checked out."""
        head = {
            "sha": self.git("rev-parse", "HEAD"),
            "ref": self.git("branch", "--show-current"),
            "repo": {"full_name": "someone/fares" if fork else self.name},
        }
        base = {"sha": self.git("rev-parse", "main"), "ref": "main", "repo": {"full_name": self.name}}
        pull_request = {"number": number, "head": head, "base": base}
        return {
            "action": "opened",
            "number": number,
            "pull_request": pull_request,
            "repository": self._repository,
        }

    def dispatch(self, **inputs: str) -> dict[str, Any]:
        """The event of a run started by hand on the branch that is checked out."""
        return {"ref": "refs/heads/main", "inputs": inputs, "repository": self._repository}

    @property
    def _repository(self) -> dict[str, Any]:
        return {"full_name": self.name, "default_branch": "main", "owner": {"login": "acme"}, "name": "fares"}

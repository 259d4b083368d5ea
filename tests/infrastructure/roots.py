"""Root modules to run Terraform on, and what a person is told meanwhile."""

import io
import shutil
from pathlib import Path

from mlops_config.console import TerminalConsole
from mlops_config.infrastructure.program import Program, Root
from mlops_config.infrastructure.variables import FILE_NAME, ReleaseVariables

TREE = Path(__file__).parent / "plans" / "tree"


class Workbench:
    """A root module in a folder of its own; ``told`` is what a person would have read."""

    def __init__(self, folder: Path, text: str = "", *, lock_timeout: str = "0s") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._stream = io.StringIO()
        if text:
            self.write(text)
        self.root = self.opened(lock_timeout=lock_timeout)

    @classmethod
    def of_tree(cls, folder: Path, variables: ReleaseVariables) -> "Workbench":
        """The small tree of modules with a release."""
        shutil.copytree(TREE, folder, dirs_exist_ok=True)
        bench = cls(folder)
        bench.release(variables)
        bench.root.init()
        return bench

    @property
    def told(self) -> str:
        """What was said."""
        return self._stream.getvalue()

    def opened(self, backend_config: Path | None = None, lock_timeout: str = "0s") -> Root:
        """The root, as a person's settings have it."""
        console = TerminalConsole(self._stream)
        program = Program.find()
        return program.at(self.folder, console, backend_config=backend_config, lock_timeout=lock_timeout)

    def write(self, text: str, name: str = "main.tf") -> None:
        """Puts a file into the module."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def release(self, variables: ReleaseVariables) -> None:
        """Puts the release's variables there."""
        (self.folder / FILE_NAME).write_bytes(variables.to_json())

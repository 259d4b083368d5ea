"""One step of a job as this process finds it: context, inputs, and the ways to speak to the runner."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlops_config.errors import UsageError
from mlops_config.github import commands
from mlops_config.github.console import ActionConsole
from mlops_config.github.context import GitHubContext
from mlops_config.github.inputs import PREFIX, variable
from mlops_config.github.outputs import write_outputs
from mlops_config.github.summary import append_summary
from mlops_config.settings import Settings, load_settings

OUTPUT_FOLDER = "mlops-config"
"""Below RUNNER_TEMP: findings and report, and a folder for each environment that is released to."""

TITLE = "mlops-config"


Outputs = dict[str, str | bool | int]


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of something posted to GitHub, in a sentence; ``refused`` where the token may not write."""

    message: str
    refused: bool = False


@dataclass(frozen=True)
class Step:
    """Where a step runs, what it was given, and where its words go."""

    context: GitHubContext
    workspace: Path
    output: Path
    """Where generated files go."""
    inputs: Mapping[str, str] = field(repr=False)
    """The ``MLOPS_INPUT_*`` variables, one of which holds the token."""
    console: ActionConsole

    def input(self, name: str) -> str:
        """What the caller gave for the input ``name``, or nothing."""
        return self.inputs.get(variable(name), "").strip()

    def truth(self, name: str) -> bool:
        """The input ``name`` as a truth value; false where nothing was given.

        Raises:
            UsageError: it is neither ``true`` nor ``false``.
        """
        given = self.input(name) or "false"
        if given not in ("true", "false"):
            raise UsageError(f"the input {name} is {given!r}", hint="say true or false")
        return given == "true"

    def number(self, name: str, such_as: int) -> int | None:
        """The input ``name`` as a whole number of one or more; ``None`` where nothing was given.

        Raises:
            UsageError: it is none; ``such_as`` shows what one looks like.
        """
        given = self.input(name)
        if given and not re.fullmatch(r"[1-9][0-9]{0,8}", given):
            raise UsageError(f"the input {name} is {given!r}", hint=f"give a whole number, such as {such_as}")
        return int(given) if given else None

    def tree(self, working_directory: str, settings: str | None) -> tuple[Path, Settings]:
        """The project's folder and its settings.

        Raises:
            UsageError: the folder or the settings file is not there, or the settings are not valid.
        """
        root = self.workspace / working_directory
        if not root.is_dir():
            raise UsageError(
                f"there is no folder {working_directory!r} in the workspace",
                hint="is actions/checkout a step before this one, and working-directory spelled right?",
            )
        return root, load_settings(root, root / settings if settings else None)

    def write(self, outputs: Outputs) -> None:
        """Hands the outputs to the steps that follow."""
        if self.context.output_path:
            write_outputs(self.context.output_path, outputs)

    def summarize(self, markdown: str) -> None:
        """Adds to the job summary."""
        if self.context.summary_path and markdown.strip():
            rest = "The rest is in the files that this step wrote: upload them as an artifact."
            append_summary(self.context.summary_path, markdown, rest=rest)

    def warn(self, message: str) -> None:
        """An annotation that nothing in the configuration is about."""
        self.console.command(commands.command("warning", message, title=TITLE))

    def tell(self, posted: Posted) -> None:
        """Says what became of it; a refusal as an annotation that does not count as a warning."""
        if posted.refused:
            self.console.command(commands.command("notice", posted.message, title=TITLE))
        else:
            self.console.say(posted.message)


def read_step(console: ActionConsole) -> Step:
    """The step this process runs in. The inputs leave the environment, so no child process sees the token.

    Raises:
        UsageError: this is no run of GitHub Actions.
    """
    given = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}
    token = given.get(variable("github-token"), "")
    if token:
        console.command(commands.mask(token))
    context = GitHubContext.from_env(os.environ)
    if context is None:
        raise UsageError("this runs as a GitHub action only", hint="elsewhere use the command mlops-config")
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    output = Path(os.environ.get("RUNNER_TEMP") or workspace) / OUTPUT_FOLDER
    return Step(context, workspace, output, given, console)

"""The action's entry point: finds the step it runs in, hands it to the job asked for, words every failure.

Imports the standard library alone until it knows the job: collecting what releases left needs nothing else.
"""

import signal
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

from mlops_config.errors import INTERRUPTED, INTERRUPTED_EXIT_CODE, MlopsConfigError, of_os_error
from mlops_config.github import commands
from mlops_config.github.console import ActionConsole
from mlops_config.github.step import TITLE, read_step

JOBS = {
    "action": ("job", "run_job"),
    "environments": ("matrix", "find_environments"),
    "collect": ("matrix", "collect"),
    "post": ("posting", "post"),
    "deploy": ("deploying", "deploy"),
    "rollback": ("rolling_back", "roll_back"),
}
"""The module and the function of each job, by the name that the action's files call it."""


def main(arguments: Sequence[str]) -> int:
    """Runs the job named first in ``arguments`` and returns the step's exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    console = ActionConsole()
    module, function = JOBS[arguments[0]]
    try:
        step = read_step(console)
        code: int = getattr(import_module(f"mlops_config.github.{module}"), function)(step)
    except MlopsConfigError as error:
        return _fail(console, error.message, error.hint, error.exit_code)
    except KeyboardInterrupt as stop:
        said, hint = INTERRUPTED
        return _fail(console, str(stop) or said, hint, INTERRUPTED_EXIT_CODE)
    except OSError as error:
        failure = of_os_error(error)
        return _fail(console, failure.message, failure.hint, failure.exit_code)
    return code


def _fail(console: ActionConsole, message: str, hint: str | None, exit_code: int) -> int:
    text = f"{message}\nhint: {hint}" if hint else message
    console.command(commands.command("error", text, title=TITLE))
    return exit_code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

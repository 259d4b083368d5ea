"""Variables that a caller hands to a step as lines of text, since a reusable workflow takes no others."""

import os
import re

from mlops_config.errors import UsageError
from mlops_config.github import commands
from mlops_config.github.step import Step

_VARIABLE = re.compile(r"((?:MLOPS|MLFLOW|AIRFLOW|AWS|GOOGLE)_[A-Z0-9_]+)=(.*)")
_NEVER = re.compile(r"MLOPS_(?:INPUT_|CONFIG_|ENVIRONMENT|STORE)")
"""What the inputs say, or what would make us prove ourselves against another deployment."""


def set_variables(step: Step) -> None:
    """Puts what the input ``variables`` holds into the environment, each value masked in the log.

    Raises:
        UsageError: a line is no ``NAME=value``, or of a name that may not be given.
    """
    for number, line in enumerate(step.input("variables").splitlines(), 1):
        if not line.strip():
            continue
        match = _VARIABLE.fullmatch(line.strip())
        if match is None or _NEVER.match(match[1]):
            raise UsageError(
                f"line {number} of the input variables is no NAME=value that may be given here",
                hint="names begin with MLOPS_SECRET_, MLOPS_, MLFLOW_, AIRFLOW_, AWS_ or GOOGLE_",
            )
        if match[2]:
            step.console.command(commands.mask(match[2]))
        os.environ[match[1]] = match[2]

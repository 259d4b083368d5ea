"""Resolves what the configuration only refers to: ``secret://name``."""

import os
import re
from collections.abc import Mapping

from mlops_config.errors import UsageError

SCHEME = "secret://"


def variable_of(reference: str) -> str:
    """The environment variable that holds ``secret://name``: ``MLOPS_SECRET_NAME``, dashes as underscores."""
    name = reference.removeprefix(SCHEME)
    return f"MLOPS_SECRET_{re.sub('[^A-Za-z0-9]', '_', name).upper()}"


def resolved(value: str, *, what: str, environment: Mapping[str, str] | None = None) -> str:
    """``value`` itself, or what the secret it refers to holds. ``what`` names it for the message.

    Raises:
        UsageError: nothing holds the secret.
    """
    if not value.startswith(SCHEME):
        return value
    variable = variable_of(value)
    found = (os.environ if environment is None else environment).get(variable, "").strip()
    if not found:
        raise UsageError(
            f"{what} is {value}, and nothing holds it",
            hint=f"set {variable} (in GitHub Actions: env: {variable}: ${{{{ secrets.… }}}})",
        )
    return found

"""What verbs do about findings: they print them all, and go no further."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_config.contract.validation import EnvironmentConfigs
    from mlops_config.settings import Settings


@contextmanager
def explained() -> Iterator[None]:
    """Prints what validation found before the refusal it leads to."""
    from mlops_config.pipeline import RefusedError

    try:
        yield
    except RefusedError as error:
        from mlops_config.console import wants_color
        from mlops_config.report import render

        sys.stderr.write(render("text", error.validation, color=wants_color(sys.stderr)))
        raise


def valid_environment(root: Path, settings: "Settings", name: str) -> "EnvironmentConfigs":
    """The environment's files, valid by themselves and together; the other environments' are not read.

    Raises:
        RefusedError: they have errors.
        UsageError: there is no such environment.
    """
    from mlops_config.contract.validation import validate
    from mlops_config.findings import Severity
    from mlops_config.pipeline import RefusedError

    validation = validate(root, settings, [name])
    if errors := validation.number_of(Severity.ERROR):
        raise RefusedError(validation, errors)
    return validation.environment(name)

"""Whether Terraform planned with the variables that it was given: another file may have said otherwise."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.infrastructure.differences import same_value
from mlops_config.infrastructure.plan import Plan
from mlops_config.infrastructure.variables import FILE_NAME, ReleaseVariables

_PATTERNS = ("*.auto.tfvars", "*.auto.tfvars.json")


def undeclared(plan: Plan, variables: ReleaseVariables) -> list[str]:
    """The release's variables that the root module does not take."""
    root: dict[str, Any] = plan.configuration.get("root_module") or {}
    return [name for name in variables.document() if name not in (root.get("variables") or {})]


def require_given(plan: Plan, variables: ReleaseVariables, directory: Path, shown: str) -> None:
    """Returns when each of the release's variables that the root module takes has the release's value.

    Raises:
        UsageError: a file that Terraform reads after ours says otherwise.
        IntegrityError: the value is another one, and no such file is there.
    """
    given = variables.document()
    other = [
        name
        for name, value in given.items()
        if name in plan.variables and not same_value(plan.variables[name], value)
    ]
    if not other:
        return
    named = ", ".join(other)
    message = f"the plan was not made for release {variables.release.name}: {named} has another value there"
    if files := list(_overriding(directory, other)):
        raise UsageError(
            f"{message}, from {', '.join(f'{shown}/{name}' for name in files)}",
            hint=f"Terraform reads that file after {FILE_NAME}: take {named} out of it",
        )
    raise IntegrityError(
        f"{message} than {FILE_NAME} was given",
        hint="somebody else plans in this folder, or the plan file is another one's: give the command again",
    )


def _overriding(directory: Path, names: list[str]) -> Iterator[str]:
    """The files that give one of ``names`` and win over ours: the last in the alphabet does."""
    for path in sorted({path for pattern in _PATTERNS for path in directory.glob(pattern)}):
        if path.name > FILE_NAME and any(_gives(path, name) for name in names):
            yield path.name


def _gives(path: Path, name: str) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".json":
        return name in json.loads(text)  # Terraform has read it
    return re.search(rf'(?m)^\s*"?{name}"?\s*=', text) is not None

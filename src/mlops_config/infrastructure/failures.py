"""What Terraform failed of as our errors, and what an apply that ended half-way has done."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mlops_config.errors import INTERRUPTED_EXIT_CODE, MlopsConfigError, ServiceError, UsageError
from mlops_config.infrastructure.diagnostics import Diagnostic, listed
from mlops_config.infrastructure.known_failures import KNOWN, LEFT_STATE, Attempt
from mlops_config.infrastructure.progress import Step

_UNSAVED = rf"{re.escape(LEFT_STATE)}|[Ff]ailed to (save|persist) state"


class ApplyFailedError(ServiceError):
    """An apply that ended half-way. ``document`` is what was done, what failed and what was not begun."""

    def __init__(self, message: str, *, hint: str, document: Mapping[str, Any]) -> None:
        super().__init__(message, hint=hint)
        self.document = document


class ApplyInterruptedError(ApplyFailedError):
    """An apply that was stopped from outside, in good order."""

    exit_code: ClassVar[int] = INTERRUPTED_EXIT_CODE


def failure(attempt: Attempt, errors: Sequence[Diagnostic], complaint: str) -> MlopsConfigError:
    """The error for what Terraform said; ``complaint`` is the end of its standard error."""
    for each in errors:
        for pattern, make in KNOWN:
            if found := re.search(pattern, each.text):
                return make(attempt, each, found, errors)
    if not errors:
        told = complaint.splitlines()[-1] if complaint else "it said nothing"
        return ServiceError(f"{attempt.program} {attempt.verb} failed: {told}")
    message = f"{attempt.program} {attempt.verb} failed:\n{listed(errors)}"
    if any(each.file for each in errors) and not any(each.address for each in errors):
        return UsageError(message, hint=f"mend the module, then check it with: {attempt.command} validate")
    return ServiceError(message, hint="mend the cause, then give the same command again")


def apply_failure(
    attempt: Attempt,
    errors: Sequence[Diagnostic],
    complaint: str,
    steps: Sequence[Step],
    planned: Sequence[tuple[str, str]],
    *,
    interrupted: bool,
) -> MlopsConfigError:
    """The error for an apply that did not come to its end.

    ``planned`` are the addresses and actions that the plan had. An apply that began nothing failed like any
    other verb: nothing was changed.
    """
    if not steps and not interrupted:
        return failure(attempt, errors, complaint)
    begun = {each.address for each in steps}
    document: dict[str, list[Any]] = {
        "done": [each.model_dump() for each in steps if each.state == "done"],
        "failed": [each.model_dump() for each in steps if each.state != "done"],
        "not_begun": [{"address": at, "action": action} for at, action in planned if at not in begun],
        "errors": [each.in_words() for each in errors],
    }
    done, failed, left = (len(document[name]) for name in ("done", "failed", "not_begun"))
    counts = f"{done} done, {failed} failed, {left} not begun"
    if interrupted:
        return ApplyInterruptedError(
            f"the apply was interrupted: {counts}",
            hint=_resume(attempt, errors, interrupted=True),
            document=document,
        )
    cause = failure(attempt, errors, complaint)
    lines = [f"the apply ended half-way: {counts}", *([listed(errors)] if errors else [])]
    hint = _resume(attempt, errors, interrupted=False)
    if cause.hint and type(cause) is not ServiceError:
        hint = f"{cause.hint}; {hint}"
    return ApplyFailedError("\n".join(lines), hint=hint, document=document)


def _resume(attempt: Attempt, errors: Sequence[Diagnostic], *, interrupted: bool) -> str:
    """How to go on; where nobody interrupted it, something has to be mended first."""
    again = f"{'' if interrupted else 'mend the cause and '}give the same command again"
    if any(re.search(_UNSAVED, each.text) for each in errors):
        return (
            "the state could not be saved where it belongs and lies in"
            f" {attempt.directory / LEFT_STATE}: keep that file, and before anything else give:"
            f" {attempt.push_state}; then {again}"
        )
    return f"the state is saved: {again}, it goes on from there"

"""The state that an apply could not save: it lies in a checkout that ends with its job, so it is kept.

A state holds secrets in the clear. It leaves the job sealed, or not at all.
"""

from mlops_config.errors import MlopsConfigError
from mlops_config.github import commands
from mlops_config.github.step import Step
from mlops_config.infrastructure.known_failures import LEFT_STATE
from mlops_config.infrastructure.left_state import KEPT_NAME, PROGRAM, sealed_state
from mlops_config.infrastructure.root_module import RootModule
from mlops_config.infrastructure.sealing import KEY_VARIABLE, plan_key, write_private

STATE_FOLDER = "mlops-config-state"
"""Below RUNNER_TEMP: an artifact of its own for each attempt of a job, so that none replaces another's."""


def key_of(step: Step) -> str | None:
    """The input ``plan-key``, masked from now on; ``None`` where there is none.

    Raises:
        UsageError: it is too short to keep anything secret.
    """
    given = step.input("plan-key")
    if given:
        step.console.command(commands.mask(given))
    return plan_key({KEY_VARIABLE: given})


def keep_state(
    step: Step, error: MlopsConfigError, module: RootModule, *, environment: str, release: str
) -> None:
    """Keeps the state for which there is a key, and says in the error's hint where it is, or that it goes."""
    path = module.directory / LEFT_STATE
    if not path.is_file():
        return
    key = key_of(step)
    if key is None:
        said = (
            f"this job's files end with its runner, and without plan-key {LEFT_STATE} is not kept, since it"
            " holds secrets: where the runner or its checkout is gone, bring what the apply made into the"
            " state with 'import', or remove it, before anything runs again"
        )
    else:
        attempt = f"-state-{environment}-{step.context.run_attempt}"
        kept = step.output.parent / STATE_FOLDER / environment / KEPT_NAME
        try:
            write_private(kept, sealed_state(path.read_bytes(), environment, release, key))
        except OSError as further:  # a full disk is why a state cannot be saved
            step.warn(f"{LEFT_STATE} could not be kept for after this job: {further.strerror}")
            return
        said = (
            f"this job's files end with its runner, so {LEFT_STATE} is kept, sealed, as"
            f" {environment}/{KEPT_NAME} in an artifact: gh run download {step.context.run_id} --pattern"
            f" '*{attempt}'; then {KEY_VARIABLE}=… {PROGRAM} {KEPT_NAME} {module.shown} puts it back into a"
            " checkout of yours (docs/workflows.md has all of it). Do that before anything runs again, this"
            " job too: it would make everything once more"
        )
    error.hint = f"{error.hint}; {said}" if error.hint else said

"""The rollback as a step: the plan in the job summary, what came of it as outputs."""

import re
from typing import TYPE_CHECKING

from mlops_config.errors import JobRefusedError, MlopsConfigError, UsageError
from mlops_config.github.handed_over import set_variables
from mlops_config.github.step import Step
from mlops_config.release.markdown import fenced

if TYPE_CHECKING:
    from mlops_config.infrastructure.going_back import Return
    from mlops_config.runtime.rollback.opening import Opened

_PLAN_BYTES = 500_000
"""Half of what a step's summary holds: the rollback's own plan is in it too."""


def roll_back(step: Step) -> int:
    """Says what going back means, and goes back unless it is a dry run.

    Raises:
        UsageError: an input is not what it should be, or there is nothing to go back to.
        JobRefusedError: the rollback is refused, or failed.
        IntegrityError, ServiceError: as ``mlops-config rollback``; it went back, but its infrastructure did
            not follow, also as FindingsError.
    """
    from mlops_config.infrastructure.going_back import Return
    from mlops_config.runtime.opening import Request
    from mlops_config.runtime.rollback.job import dags_folder_of, run
    from mlops_config.runtime.rollback.opening import opened
    from mlops_config.runtime.rollback.running import Asked

    if not step.input("to"):
        raise UsageError(
            "the input to is empty: nothing says what to go back to",
            hint="say previous; GitHub drops an output of a job that holds a masked value, such as a line of"
            " variables that is part of a release's name",
        )
    is_dry = step.truth("dry-run")
    settings = step.input("settings") or None
    root, _ = step.tree(step.input("working-directory") or ".", settings)
    set_variables(step)
    request = Request(
        environment=step.input("environment"),
        root=root,
        settings=root / settings if settings else None,
        store=step.input("store") or None,
    )
    found = opened(request, step.console)
    asked = Asked(
        to=step.input("to"),
        model_version=_number(step, "model-version"),
        leaving=step.input("from") or None,
        because=_because(step),
        dags_folder=dags_folder_of(step.input("dags-folder") or None, found, None),
    )
    try:
        outcome = run(found, asked, dry_run=is_dry)
    except JobRefusedError as refusal:
        step.summarize(_section(found.environment, str(refusal.document.get("text") or refusal.message)))
        raise
    step.summarize(_section(found.environment, outcome.summary))
    if outcome.plan is not None:
        target = outcome.plan.target
        step.write(
            {
                "from": outcome.plan.now.record.name,
                "release": target.record.name,
                "model-version": target.unit.model.version if target.unit.model else "",
                "config-digest": target.record.config_digest,
                "rolled-back": outcome.rolled_back,
            }
        )
    back = Return.after(found, outcome)
    if back is not None:
        _follow(step, found, back, is_dry=is_dry)
    return outcome.exit_code


def _follow(step: Step, found: "Opened", back: "Return", *, is_dry: bool) -> None:
    """Says what would become of the infrastructure, or lets it follow.

    Raises:
        MlopsConfigError: it did not follow. What is only looked at may lack the credentials for it.
    """
    from mlops_config.infrastructure.going_back import go_back, look
    from mlops_config.infrastructure.lease import Holder
    from mlops_config.infrastructure.rendering import as_markdown

    title = f"#### Infrastructure of `{found.environment}`\n\n"
    try:
        if is_dry:
            made = look(back, found.console)
            step.summarize(f"{title}{as_markdown(made.plan, made.causes, _PLAN_BYTES)}")
            return
        done = go_back(back, Holder.of(step.context), found.console).record
    except MlopsConfigError as error:
        step.summarize(
            f"{title}❌ {'not known' if is_dry else 'it did not follow'}:\n\n{fenced(error.message)}"
        )
        if not is_dry:
            raise
        step.warn(f"what would become of the infrastructure is not known: {error.message}")
        return
    step.summarize(f"{title}{fenced(f'{done.summary} in {done.directory}', 'text')}")


def _section(environment: str, text: str) -> str:
    return f"### Rollback of `{environment}`\n\n{fenced(text, 'text')}"


def _because(step: Step) -> str:
    """Why, who asked for it, and where that can be seen."""
    who = f"{step.context.actor}, " if step.context.actor else ""
    return f"{step.input('because') or 'asked for'} ({who}{step.context.run_url})"


def _number(step: Step, name: str) -> int | None:
    given = step.input(name)
    if given and not re.fullmatch(r"[1-9][0-9]{0,8}", given):
        raise UsageError(f"the input {name} is {given!r}", hint="give a model version, such as 3")
    return int(given) if given else None

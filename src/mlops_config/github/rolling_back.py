"""The rollback as a step: the plan in the job summary, what came of it as outputs."""

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mlops_config.errors import JobRefusedError, MlopsConfigError, UsageError
from mlops_config.github.handed_over import set_variables
from mlops_config.github.left_state import keep_state, key_of
from mlops_config.github.step import Step
from mlops_config.release.markdown import fenced

if TYPE_CHECKING:
    from mlops_config.infrastructure.going_back import Return
    from mlops_config.runtime.rollback.opening import Opened
    from mlops_config.runtime.rollback.running import Asked, RollbackOutcome

_PLAN_BYTES = 500_000
"""Half of what a step's summary holds: the rollback's own plan is in it too."""


def roll_back(step: Step) -> int:
    """Says what going back means, or goes back as it was planned.

    Raises:
        UsageError: an input is not what it should be, there is nothing to go back to, or the root module that
            follows is not there.
        JobRefusedError: the rollback is refused, or failed.
        IntegrityError, ServiceError: as ``mlops-config rollback``; it went back, but its infrastructure did
            not follow, also as FindingsError.
    """
    from mlops_config.infrastructure.going_back import Return, module_that_follows
    from mlops_config.runtime.opening import Request
    from mlops_config.runtime.rollback.job import dags_folder_of, run
    from mlops_config.runtime.rollback.opening import opened

    is_dry, is_alone = step.truth("dry-run"), step.truth("no-terraform")
    asked = _wanted(step) if is_dry else _planned(step)
    minutes = step.number("minutes", 60)
    key_of(step)
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
    module = None if is_alone else module_that_follows(found)
    asked = replace(asked, dags_folder=dags_folder_of(step.input("dags-folder") or None, found, None))
    try:
        outcome = run(found, asked, dry_run=is_dry)
    except JobRefusedError as refusal:
        step.summarize(_section(found.environment, str(refusal.document.get("text") or refusal.message)))
        raise
    step.summarize(_section(found.environment, outcome.summary))
    _write(step, outcome)
    if module is None and found.settings.terraform:
        step.summarize(f"{_infrastructure(found.environment)}It stays as it is.")
    back = Return.after(found, outcome, module, _where(step))
    if back is not None:
        _follow(step, found, back, 60.0 * minutes if minutes else None, is_dry=is_dry)
    return outcome.exit_code


def _follow(step: Step, found: "Opened", back: "Return", within: float | None, *, is_dry: bool) -> None:
    """Says what would become of the infrastructure, or lets it follow; in ``within`` seconds, if given.

    Raises:
        MlopsConfigError: it did not follow. What is only looked at may lack the credentials for it.
    """
    from mlops_config.infrastructure.going_back import go_back, look
    from mlops_config.infrastructure.lease import Holder
    from mlops_config.infrastructure.rendering import as_markdown

    title = _infrastructure(found.environment)
    try:
        if is_dry:
            made = look(back, found.console)
            step.summarize(f"{title}{as_markdown(made.plan, made.causes, _PLAN_BYTES)}")
            return
        done = go_back(back, Holder.of(step.context), found.console, within=within).record
    except MlopsConfigError as error:
        step.summarize(
            f"{title}❌ {'not known' if is_dry else 'it did not follow'}:\n\n{fenced(error.message)}"
        )
        if not is_dry:
            keep_state(step, error, back.module, environment=found.environment, release=back.release)
            raise
        step.warn(f"what would become of the infrastructure is not known: {error.message}")
        return
    step.summarize(f"{title}{fenced(f'{done.summary} in {done.directory}', 'text')}")


def _wanted(step: Step) -> "Asked":
    """What a plan is asked for."""
    from mlops_config.runtime.rollback.running import Asked
    from mlops_config.runtime.rollback.units import PREVIOUS

    to = step.input("to") or PREVIOUS
    return Asked(to=to, model_version=step.number("model-version", 3), because=_because(step))


def _planned(step: Step) -> "Asked":
    """What was planned, to the letter: from which release to which, and with which version of the model.

    One output says all of it: GitHub drops one that holds a masked value, and what is left of several would
    mean something else.
    """
    from mlops_config.runtime.rollback.running import Asked

    try:
        planned = json.loads(step.input("planned"))
        leaving, to, version = str(planned["from"]), str(planned["release"]), planned["model-version"]
        model_version = None if version is None else int(version)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "the input planned does not say what was planned",
            hint="give it the output `planned` of the step that planned, with dry-run; GitHub drops an output"
            " of a job that holds a masked value, such as a line of variables whose value is part of a"
            " release's name or of the model's version",
        ) from error
    return Asked(to=to, model_version=model_version, leaving=leaving, because=_because(step))


def _write(step: Step, outcome: "RollbackOutcome") -> None:
    if outcome.plan is None:
        return
    target, model = outcome.plan.target, outcome.plan.target.unit.model
    leaving, to, version = outcome.plan.now.record.name, target.record.name, model.version if model else None
    step.write(
        {
            "planned": json.dumps({"from": leaving, "release": to, "model-version": version}),
            "from": leaving,
            "release": to,
            "model-version": version or "",
            "config-digest": target.record.config_digest,
            "rolled-back": outcome.rolled_back,
        }
    )


def _where(step: Step) -> tuple[str, ...]:
    """The options that say, in a checkout of the repository, where the project lies."""
    folder, settings = PurePosixPath(step.input("working-directory") or "."), step.input("settings")
    root = () if folder == PurePosixPath() else ("--root", str(folder))
    return (*root, "--settings", str(folder / settings)) if settings else root


def _infrastructure(environment: str) -> str:
    return f"#### Infrastructure of `{environment}`\n\n"


def _section(environment: str, text: str) -> str:
    return f"### Rollback of `{environment}`\n\n{fenced(text, 'text')}"


def _because(step: Step) -> str:
    """Why, who asked for it, and where that can be seen."""
    who = f"{step.context.actor}, " if step.context.actor else ""
    return f"{step.input('because') or 'asked for'} ({who}{step.context.run_url})"

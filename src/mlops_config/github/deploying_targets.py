"""What deploy.yml is about to do: to which environments, and whether it plans, deploys or looks for drift."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_config.errors import UsageError
from mlops_config.github.context import GitHubContext
from mlops_config.github.matrix import known, released_to
from mlops_config.infrastructure.root_module import has_root_module
from mlops_config.settings import Settings

MODES = ("plan", "deploy", "drift")
DEFAULT_PROGRAM = "terraform"
LEFT_OUT = "a pull request from a fork gets no credentials: its plan is left out, and made after merging"


@dataclass(frozen=True, slots=True)
class Targets:
    """The environments in the settings' order, and what becomes of them."""

    environments: tuple[str, ...]
    mode: str
    left_out: str | None = None
    """Why there are none."""


def targets_of(
    names: Sequence[str], mode: str, context: GitHubContext, settings: Settings, root: Path
) -> Targets:
    """What a run of deploy.yml is about.

    Without a ``mode`` the event says: a pull request and a merge queue plan, a schedule looks for drift,
    anything else deploys. Without ``names`` a deployment is to the environment of the branch or tag, and
    the others are of every environment that has a root module in the work tree. A pull request from a fork
    gets no credentials, so nothing is planned for it.

    Raises:
        UsageError: a name is not in the settings, the ref belongs to no environment, no environment has a
            root module, or what is not merged is to be deployed.
    """
    chosen = mode or _mode_of(context)
    if chosen not in MODES:
        raise UsageError(f"the input mode is {mode!r}", hint=f"it is {', '.join(MODES)}, or empty")
    if context.unmerged and chosen == "deploy":
        raise UsageError(
            "what is not merged, as a pull request or in a merge queue, is planned and never deployed",
            hint="leave mode empty; what was merged is deployed by a push",
        )
    pull_request = context.pull_request
    found = known(names, settings)
    if pull_request is not None and pull_request.from_fork:
        return Targets((), chosen, LEFT_OUT)
    if not found:
        found = [released_to(context, settings)] if chosen == "deploy" else _with_a_root(settings, root)
    return Targets(tuple(found), chosen)


def program_of(settings: Settings) -> str:
    """Which program provisions, ``terraform`` or ``tofu``; empty where the settings have no Terraform."""
    return (settings.terraform.program or DEFAULT_PROGRAM) if settings.terraform else ""


def require_terraform(settings: Settings) -> None:
    """Refuses settings that do not say where the root modules are.

    Raises:
        UsageError: naming the key.
    """
    if settings.terraform is None:
        raise UsageError(
            "the settings do not say where Terraform's root modules are",
            hint="write `terraform: {directory: terraform/environments/{environment}/aws}` into"
            " mlops-config.yaml",
        )


def _mode_of(context: GitHubContext) -> str:
    if context.unmerged:
        return "plan"
    return "drift" if context.event_name == "schedule" else "deploy"


def _with_a_root(settings: Settings, root: Path) -> list[str]:
    require_terraform(settings)
    found = [name for name in settings.environments if has_root_module(settings, name, root)]
    if not found:
        directory = settings.terraform.directory if settings.terraform else ""
        folders = [directory.replace("{environment}", name) for name in settings.environments]
        raise UsageError(
            f"there is no root module at {', '.join(folders)}",
            hint="is terraform.directory in the settings right?",
        )
    return found

"""``mlops-config rollback``: configuration, image and model go back together to what served before."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_config.cli.arguments import with_jobs
from mlops_config.cli.outcomes import Outcome, tell
from mlops_config.cli.run import add_job_arguments
from mlops_config.errors import MlopsConfigError

if TYPE_CHECKING:
    from mlops_config.console import Console
    from mlops_config.infrastructure.going_back import Return
    from mlops_config.infrastructure.root_module import RootModule
    from mlops_config.runtime.rollback.opening import Opened
    from mlops_config.runtime.rollback.running import RollbackOutcome

NAME = "rollback"
SUMMARY = "go back to what served before: configuration, image and model as one"
DESCRIPTION = """\
Takes the environment back to a release and the model version that served with it: the endpoint first,
blue/green and without a failed request, then the champion's alias, the environment's pointer, Airflow's
deployment if there is one, and the ledger. The configuration comes from the store, whatever the checkout says
by now. It is refused, with exit code 1, when the model needs a column that is not sent any more. A rollback
that was stopped goes on when it is asked for again.

Where the settings name a root module of Terraform, infrastructure follows once all of that is back; a plan
that deletes or replaces something is left for people to decide on. What Airflow rolls back by itself
(--if-needed) leaves infrastructure as it is."""
EXAMPLES = """\
  mlops-config rollback --environment prod --dry-run                 what going back would mean
  mlops-config rollback --environment prod --because "INC-2071"      to what served before
  mlops-config rollback --environment prod --to 1.1.0
  mlops-config rollback --environment dev --to 1.1.0 --model-version 3
  mlops-config rollback --environment prod --if-needed               only if an alarm or a gate asks for it
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_job_arguments(parser)
    parser.add_argument(
        "--to",
        default="previous",
        metavar="RELEASE",
        help="a release's version, the beginning of its commit or config digest, or previous (default)",
    )
    parser.add_argument(
        "--model-version",
        type=int,
        metavar="N",
        help="this version of the model, instead of the one that served with the release",
    )
    parser.add_argument(
        "--from",
        dest="leaving",
        metavar="RELEASE",
        help="only if this release runs, by its full name: as when the plan was looked at",
    )
    parser.add_argument("--because", metavar="WHY", help="who asked for it and why; goes into the ledger")
    parser.add_argument(
        "--if-needed",
        action="store_true",
        help="only while the last deployment bakes, and an alarm or a gate of `rollback.when` asks for it",
    )
    parser.add_argument(
        "--dags-folder",
        metavar="URI",
        help="Airflow's DAG folder; its deployment goes back too (default: MLOPS_DAGS_FOLDER, the settings')",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--terraform",
        type=Path,
        metavar="DIR",
        help="root module that follows (default: the settings' terraform.directory, if any)",
    )
    which.add_argument("--no-terraform", action="store_true", help="leave infrastructure as it is")
    parser.add_argument("--dry-run", action="store_true", help="say what going back means, and do nothing")


def run(arguments: argparse.Namespace) -> int:
    """Goes back, or says what that would mean."""

    def work() -> Outcome:
        with with_jobs("rollback"):
            from mlops_config.console import TerminalConsole
            from mlops_config.runtime.opening import Request
            from mlops_config.runtime.rollback.job import dags_folder_of
            from mlops_config.runtime.rollback.job import run as roll_back
            from mlops_config.runtime.rollback.opening import opened
            from mlops_config.runtime.rollback.running import Asked

            request = Request(
                config=arguments.config,
                environment=arguments.environment,
                root=arguments.root,
                settings=arguments.settings,
                store=arguments.store,
            )
            found = opened(request, TerminalConsole())
            module = _module_of(arguments, found)
            asked = Asked(
                to=arguments.to,
                model_version=arguments.model_version,
                leaving=arguments.leaving,
                because=arguments.because,
                dags_folder=dags_folder_of(
                    arguments.dags_folder, found, arguments.config, arguments.terraform
                ),
            )
            outcome = roll_back(found, asked, dry_run=arguments.dry_run, if_needed=arguments.if_needed)
        if module is None:
            return outcome
        from mlops_config.infrastructure.going_back import Return

        back = Return.after(found, outcome, module, _where(arguments))
        if back is None:
            return outcome
        followed = _followed(outcome, back, found.console, dry_run=arguments.dry_run)
        failures.extend([followed.failure] if followed.failure else [])
        return followed

    failures: list[MlopsConfigError] = []
    code = tell(arguments.format, work)
    if failures:
        # What went back is told by then.
        raise failures[0]
    return code


def _module_of(arguments: argparse.Namespace, opened: "Opened") -> "RootModule | None":
    """The root module that follows; ``None``: there is none, or infrastructure is left alone."""
    if arguments.no_terraform or (arguments.if_needed and arguments.terraform is None):
        return None
    from mlops_config.infrastructure.going_back import module_that_follows

    return module_that_follows(opened, arguments.terraform)


def _where(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The options that say where everything lies, to be given once more."""
    given = {name: getattr(arguments, name) for name in ("root", "settings", "terraform")}
    named = {name: str(path) for name, path in given.items() if path is not None and path != Path()}
    return tuple(word for name, path in named.items() for word in (f"--{name}", path))


@dataclass(frozen=True)
class _Followed:
    """A rollback, and what became of the infrastructure."""

    rollback: "RollbackOutcome"
    text: str
    found: dict[str, Any]
    failure: MlopsConfigError | None = None

    @property
    def exit_code(self) -> int:
        """The rollback's own."""
        return self.rollback.exit_code

    @property
    def summary(self) -> str:
        """Both, for people."""
        return f"{self.rollback.summary}\n\n{self.text}"

    def document(self) -> dict[str, Any]:
        """Both, for programs."""
        return {**self.rollback.document(), "infrastructure": self.found}


def _followed(outcome: "RollbackOutcome", back: "Return", console: "Console", *, dry_run: bool) -> _Followed:
    from mlops_config.github.context import GitHubContext
    from mlops_config.infrastructure.going_back import go_back, look
    from mlops_config.infrastructure.lease import Holder

    try:
        if dry_run:
            made = look(back, console)
            return _Followed(outcome, made.text(), made.document())
        done = go_back(back, Holder.of(GitHubContext.from_env(os.environ)), console).record
    except MlopsConfigError as error:
        # Who only looks may have no credentials for it.
        failure = None if dry_run else error
        text = f"infrastructure: {error.message}"
        return _Followed(outcome, text, {"error": error.message, "hint": error.hint}, failure)
    return _Followed(outcome, f"infrastructure: {done.summary} in {done.directory}", done.model_dump())

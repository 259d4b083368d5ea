"""``mlops-config rollback``: configuration, image and model go back together to what served before."""

import argparse

from mlops_config.cli.arguments import with_jobs
from mlops_config.cli.outcomes import Outcome, tell
from mlops_config.cli.run import add_job_arguments

NAME = "rollback"
SUMMARY = "go back to what served before: configuration, image and model as one"
DESCRIPTION = """\
Takes the environment back to a release and the model version that served with it: the endpoint first,
blue/green and without a failed request, then the champion's alias, the environment's pointer, Airflow's
deployment if there is one, and the ledger. The configuration comes from the store, whatever the checkout says
by now. It is refused, with exit code 1, when the model needs a column that is not sent any more. A rollback
that was stopped goes on when it is asked for again."""
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
            asked = Asked(
                to=arguments.to,
                model_version=arguments.model_version,
                leaving=arguments.leaving,
                because=arguments.because,
                dags_folder=dags_folder_of(arguments.dags_folder, found, arguments.config),
            )
            return roll_back(found, asked, dry_run=arguments.dry_run, if_needed=arguments.if_needed)

    return tell(arguments.format, work)

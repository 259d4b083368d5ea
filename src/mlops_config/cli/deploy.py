"""``mlops-config deploy``: Airflow runs a release, and this waits until it does."""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.cli.arguments import add_environment_argument, add_identity_arguments
from mlops_config.cli.deploy_infrastructure import Infrastructure, module_of, provisioned_rows
from mlops_config.cli.deploy_infrastructure import add_arguments as add_infrastructure_arguments
from mlops_config.cli.deploy_printing import deployed_rows, planned_document, planned_rows, write
from mlops_config.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlops_config.console import Console
    from mlops_config.infrastructure.provisioning import Provisioned
    from mlops_config.orchestration.deploying import DeploymentPlan, Wish
    from mlops_config.settings import Settings

NAME = "deploy"
SUMMARY = "provision what a release needs with Terraform, then let Airflow run it and wait"
DESCRIPTION = """\
Takes the release in force, or a named one, and proves that its bundle is what its record says. Where the
settings name a root module of Terraform, that is planned for the release, shown, and applied once somebody
agrees. Then the release is written into Airflow's DAG folder; when Airflow has its DAGs, the DAG runs that
the change needs are started, once for each release, and waited for: their state is the exit code. Given
again, it goes on from where it stopped. Credentials come from the environment (docs/deploy.md)."""
EXAMPLES = """\
  mlops-config deploy --environment dev --dry-run         what would be written and run
  mlops-config deploy --environment dev --dags-folder /opt/airflow/dags --airflow http://localhost:8080
  mlops-config deploy --environment prod --release 1.2.0 --dags-folder s3://acme-airflow/dags \\
      --airflow mwaa://acme-ml
  mlops-config deploy --environment dev --run training    train again, whatever changed
  mlops-config deploy --environment prod --plan           what Terraform would do, and its digest
  mlops-config deploy --environment prod --reviewed sha256:…       and nothing but that plan
  mlops-config deploy --environment prod --drift          what was changed behind Terraform's back
"""
URL_VARIABLE = "MLOPS_AIRFLOW_URL"
FOLDER_VARIABLE = "MLOPS_DAGS_FOLDER"
JOBS = ("training", "inference", "monitoring", "retraining")
TIMEOUT_SECONDS = 7200.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_environment_argument(parser, required=True)
    parser.add_argument("--release", metavar="NAME", help="version or commit (default: the release in force)")
    parser.add_argument(
        "--dags-folder",
        metavar="URI",
        help="Airflow's DAG folder: a path, s3://bucket/prefix or gs://bucket/prefix"
        f" (default: {FOLDER_VARIABLE}, or the settings')",
    )
    parser.add_argument(
        "--airflow",
        metavar="URL",
        help=f"Airflow's address, or mwaa://<environment> (default: {URL_VARIABLE}, or the settings')",
    )
    parser.add_argument(
        "--with-dags", action="store_true", help="put our DAG files into the folder where they are missing"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", dest="asked", choices=JOBS, help="run this job, whatever changed")
    what.add_argument(
        "--no-run", action="store_true", help="start no DAG run; without an address, write the files alone"
    )
    parser.add_argument("--no-wait", action="store_true", help="start the DAG runs and leave them to Airflow")
    parser.add_argument(
        "--unpause", action="store_true", help="let every DAG run, also those that somebody paused in Airflow"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help=f"wait no longer (default: {TIMEOUT_SECONDS:.0f})",
    )
    parser.add_argument(
        "--within",
        type=_seconds,
        metavar="SECONDS",
        help="wait no longer than this from now on, with the time that Terraform takes counted in",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be written and run; Airflow is not asked"
    )
    parser.add_argument(
        "--store",
        metavar="URI",
        help="store with the release (default: MLOPS_STORE, the settings' first, or .mlops-config/store)",
    )
    add_identity_arguments(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where record and notes go (default: .mlops-config)"
    )
    add_infrastructure_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    """Deploys and prints what runs now."""
    from mlops_config.console import TerminalConsole
    from mlops_config.orchestration.deploying import plan_deployment
    from mlops_config.settings import load_settings

    settings = load_settings(arguments.root, arguments.settings)
    module = module_of(arguments, settings)
    wish = _wish(arguments, settings)
    console = TerminalConsole(quiet=arguments.quiet)
    infrastructure = Infrastructure(arguments, module, settings, wish, console) if module else None
    if arguments.dry_run:
        return _rehearsed(arguments, wish, settings, infrastructure)
    if infrastructure is None:
        return _to_airflow(arguments, plan_deployment(wish), None, wish, settings, console)
    if arguments.drift:
        return infrastructure.drift()
    if arguments.plan:
        return infrastructure.plan()
    return infrastructure.deploy(
        lambda plan, done: _to_airflow(arguments, plan, done, wish, settings, console)
    )


def _rehearsed(
    arguments: argparse.Namespace,
    wish: "Wish",
    settings: "Settings",
    infrastructure: Infrastructure | None,
) -> int:
    from mlops_config.infrastructure.subjects import Subject
    from mlops_config.orchestration.deploying import plan_deployment

    if infrastructure is not None and arguments.from_tree:
        subject = infrastructure.subject()
        rows = [("release", subject.shown), *infrastructure.rehearse(subject)]
        write(arguments.format, {"variables": subject.variables.document()}, rows)
        return 0
    plan = plan_deployment(wish)
    document, rows = planned_document(plan), planned_rows(plan, _folder(arguments, settings))
    if infrastructure is not None:
        subject = Subject.of(plan.released)
        rows = [*rows[:2], *infrastructure.rehearse(subject), *rows[2:]]
        document["variables"] = subject.variables.document()
    write(arguments.format, document, rows)
    return 0


def _to_airflow(
    arguments: argparse.Namespace,
    plan: "DeploymentPlan",
    provisioned: "Provisioned | None",
    wish: "Wish",
    settings: "Settings",
    console: "Console",
) -> int:
    """Hands the release to Airflow: to the one that is named, else to the one that was provisioned."""
    from mlops_config.infrastructure.root_module import AIRFLOW_URL, DAGS_FOLDER
    from mlops_config.orchestration.api import AirflowApi
    from mlops_config.orchestration.deploying import deploy
    from mlops_config.orchestration.folder import open_folder

    if provisioned:
        provisioned.warn_of_other_store(wish.store.uri, console)
    uri = _folder(arguments, settings) or (provisioned.output(DAGS_FOLDER) if provisioned else None)
    address = arguments.airflow or os.environ.get(URL_VARIABLE) or settings.airflow.url
    address = address or (provisioned.output(AIRFLOW_URL) if provisioned else None)
    if uri is None:
        raise UsageError(
            "nothing says where Airflow's DAG folder is",
            hint=f"say --dags-folder, set {FOLDER_VARIABLE}, or write `airflow: {{dags_folder: …}}` into"
            " mlops-config.yaml",
        )
    if address is None and not arguments.no_run:
        raise UsageError(
            "nothing says where Airflow is",
            hint=f"say --airflow, set {URL_VARIABLE}, or write `airflow: {{url: …}}` into mlops-config.yaml;"
            " --no-run writes the files alone",
        )
    folder = open_folder(uri)
    api = partial(AirflowApi.at, address) if address else None
    infrastructure = provisioned.record if provisioned else None
    done = deploy(plan, folder, api, wish, console, infrastructure)
    rows = [*(provisioned_rows(provisioned) if provisioned else []), *deployed_rows(done)]
    write(arguments.format, done.document(), rows)
    if done.failed:
        raise FindingsError(
            "\n".join([f"{done.record.environment} runs release {done.record.name}, but:", *done.failed]),
            hint="mend what the task says, and run the same command again: what did not end well runs again;"
            " or release and deploy anew",
        )
    return 0


def _folder(arguments: argparse.Namespace, settings: "Settings") -> str | None:
    return arguments.dags_folder or os.environ.get(FOLDER_VARIABLE) or settings.airflow.dags_folder


def _wish(arguments: argparse.Namespace, settings: "Settings") -> "Wish":
    from mlops_config.cli.ledgers import ledgers_of
    from mlops_config.contract.validators import Validators
    from mlops_config.github.context import GitHubContext
    from mlops_config.orchestration.deploying import Wish
    from mlops_config.orchestration.patience import Patience
    from mlops_config.pipeline import OUTPUT_NAME

    named = argparse.Namespace(**{**vars(arguments), "environment": [arguments.environment]})
    store, (name,) = ledgers_of(named)
    context = GitHubContext.from_env(os.environ)
    return Wish(
        store=store,
        name=name,
        validators=Validators(settings.contracts, arguments.root, light=False),
        root=arguments.root,
        output=arguments.output or arguments.root / OUTPUT_NAME,
        release=arguments.release,
        asked=arguments.asked,
        run=not arguments.no_run,
        wait=not arguments.no_wait,
        with_dags=arguments.with_dags,
        unpause=arguments.unpause,
        patience=Patience(arguments.timeout, arguments.within),
        server_url=context.server_url if context else "https://github.com",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds

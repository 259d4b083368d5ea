"""``mlops-config deploy``: Airflow runs a release, and this waits until it does."""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.cli.arguments import add_environment_argument, add_identity_arguments
from mlops_config.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlops_config.orchestration.deploying import Deployed, DeploymentPlan, Wish
    from mlops_config.settings import Settings

NAME = "deploy"
SUMMARY = "let Airflow run a release: write it into the DAG folder, run what it needs, wait"
DESCRIPTION = """\
Takes the release in force, or a named one, proves that its bundle is what its record says, writes it into
Airflow's DAG folder and waits until Airflow has its DAGs. Then starts the DAG runs that the change needs,
once for each release, and waits for them: their state is the exit code. Given again, it goes on from where it
stopped. Credentials for Airflow come from the environment (docs/deploy.md)."""
EXAMPLES = """\
  mlops-config deploy --environment dev --dry-run         what would be written and run
  mlops-config deploy --environment dev --dags-folder /opt/airflow/dags --airflow http://localhost:8080
  mlops-config deploy --environment prod --release 1.2.0 --dags-folder s3://acme-airflow/dags \\
      --airflow mwaa://acme-ml
  mlops-config deploy --environment dev --run training    train again, whatever changed
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
        "--timeout",
        type=_seconds,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help=f"wait no longer (default: {TIMEOUT_SECONDS:.0f})",
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
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    """Deploys and prints what runs now."""
    from mlops_config.console import TerminalConsole
    from mlops_config.orchestration.api import AirflowApi
    from mlops_config.orchestration.deploying import deploy, plan_deployment
    from mlops_config.orchestration.folder import open_folder
    from mlops_config.settings import load_settings

    settings = load_settings(arguments.root, arguments.settings)
    wish = _wish(arguments, settings)
    uri = arguments.dags_folder or os.environ.get(FOLDER_VARIABLE) or settings.airflow.dags_folder
    address = arguments.airflow or os.environ.get(URL_VARIABLE) or settings.airflow.url
    if arguments.dry_run:
        plan = plan_deployment(wish)
        _print(arguments.format, _planned_document(plan), _planned(plan, uri))
        return 0
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
    done = deploy(plan_deployment(wish), folder, api, wish, TerminalConsole(quiet=arguments.quiet))
    _print(arguments.format, done.document(), _deployed(done))
    if done.failed:
        raise FindingsError(
            "\n".join([f"{done.record.environment} runs release {done.record.name}, but:", *done.failed]),
            hint="mend what the task says; then clear it in Airflow and run the same command again, or"
            " release and deploy anew",
        )
    return 0


def _wish(arguments: argparse.Namespace, settings: "Settings") -> "Wish":
    from mlops_config.cli.ledgers import ledgers_of
    from mlops_config.contract.validators import Validators
    from mlops_config.github.context import GitHubContext
    from mlops_config.orchestration.activating import Patience
    from mlops_config.orchestration.deploying import Wish
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
        patience=Patience(arguments.timeout),
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


def _planned_document(plan: "DeploymentPlan") -> dict[str, object]:
    return {
        "deployment": json.loads(plan.deployment.to_json()),
        "runs": [
            {"dag_id": plan.deployment.dag_id(each.job), "run_id": plan.run_id, **each._asdict()}
            for each in plan.runs
        ],
    }


def _planned(plan: "DeploymentPlan", folder: str | None) -> list[tuple[str, str]]:
    from mlops_config.orchestration.deployment import FILE_NAME, key_of
    from mlops_config.orchestration.folder import DEPLOYMENTS

    deployment = plan.deployment
    key = key_of(deployment.project, deployment.model_name, deployment.environment)
    place = f"{(folder or '<DAG folder>').rstrip('/')}/{DEPLOYMENTS}/{key.removesuffix(FILE_NAME)}"
    rows = [
        ("release", f"{deployment.release} of {deployment.environment}"),
        ("config", deployment.config_digest),
        ("writes", f"{place}{deployment.bundle_folder}/ (five files)"),
        ("", f"{place}{FILE_NAME}"),
    ]
    label = "DAGs"
    for name, job in deployment.jobs.items():
        when = f"{job.cron} {job.timezone}" if job.cron else _OTHERWISE.get(name, "on request")
        rows.append((label, f"{deployment.dag_id(name)}: {when}, by {job.execution['type']}"))
        label = ""
    rows += [
        ("runs", f"{each.job}{f' ({each.only} only)' if each.only else ''} as {plan.run_id}: {each.because}")
        for each in plan.runs
    ]
    return rows if plan.runs else [*rows, ("runs", "nothing")]


_OTHERWISE = {"retraining": "when a drift report arrives"}


def _deployed(done: "Deployed") -> list[tuple[str, str]]:
    activation = done.record.activation
    rows = [
        ("release", f"{done.record.name} of {done.record.environment}"),
        ("config", done.record.config_digest),
        ("file", done.address),
    ]
    if activation:
        rows += [("run", f"{run.dag_id} {run.state} {run.url or ''}".rstrip()) for run in activation.dag_runs]
        if activation.model:
            trained = activation.model.config_digest
            rows.append(("model", f"{activation.model.uri}{f', trained with {trained}' if trained else ''}"))
    rows += [("record" if path.suffix == ".json" else "notes", str(path)) for path in done.written]
    return rows


def _print(form: str, document: dict[str, object], rows: list[tuple[str, str]]) -> None:
    if form == "json":
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(f"{label:<9} {value}\n" for label, value in rows))

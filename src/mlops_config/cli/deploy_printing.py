"""What ``mlops-config deploy`` prints: what it would do, and what it did."""

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_config.orchestration.deploying import Deployed, DeploymentPlan
    from mlops_config.orchestration.deployment import Deployment

Rows = list[tuple[str, str]]


def planned_document(plan: "DeploymentPlan") -> dict[str, Any]:
    """The plan of the Airflow part, for programs."""
    return {
        "deployment": json.loads(plan.deployment.to_json()),
        "runs": [
            {"dag_id": plan.deployment.dag_id(each.job), "run_id": plan.run_id, **each._asdict()}
            for each in plan.runs
        ],
    }


def planned_rows(plan: "DeploymentPlan", folder: str | None) -> Rows:
    """The plan of the Airflow part, for people."""
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
        rows.append(
            (label, f"{deployment.dag_id(name)}: {_when(deployment, name)}, by {job.execution['type']}")
        )
        label = ""
    rows += [
        ("runs", f"{each.job}{f' ({each.only} only)' if each.only else ''} as {plan.run_id}: {each.because}")
        for each in plan.runs
    ]
    return rows if plan.runs else [*rows, ("runs", "nothing")]


def _when(deployment: "Deployment", name: str) -> str:
    """When a job's DAG runs."""
    timed = deployment.timed_by(name)
    times = [f"{timed.cron} {timed.timezone}"] if timed else []
    if name == "retraining":
        times.append("when a drift report arrives")
    return " and ".join(times) or "on request"


def deployed_rows(done: "Deployed") -> Rows:
    """What a deployment did, for people."""
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
    rows += [("waits", sentence) for sentence in done.held]
    rows += [("paused", f"{job}: somebody paused its DAG; it runs on --unpause") for job in done.paused]
    rows += [("record" if path.suffix == ".json" else "notes", str(path)) for path in done.written]
    return rows


def write(form: str, document: dict[str, Any], rows: Rows) -> None:
    """Prints the one or the other."""
    if form == "json":
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(f"{label:<9} {value}\n" for label, value in rows))

"""Airflow's DAGs: for each deployment one of training, batch inference, monitoring and retraining.

A DAG file is a line: ``globals().update(dags_of("training", __file__))``. While it is parsed, nothing but the
deployments' small JSON files is read. Each release is one version of a DAG: its tags and documentation carry
the release and the digest, and nothing differs between two parses of the same deployment.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import DAG, Param, get_parsing_context

from mlops_config.airflow.assets import alias, announce, asset, wall
from mlops_config.airflow.deployments import folder_of, read, read_one
from mlops_config.airflow.operators import operator_class, verify_operator
from mlops_config.airflow.schedules import schedule_of
from mlops_config.orchestration.deployment import Deployment, connection_id

log = logging.getLogger(__name__)
Context = Mapping[str, Any]

_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)"


def dags_of(job: str, dag_file: str) -> dict[str, DAG]:
    """A DAG of ``job`` for every deployment that has it, by id; ``dag_file`` is the caller's ``__file__``.

    A deployment that cannot be read is left out, with a warning here and an import error in
    ``deployments_dag.py``: an import error in this file would stop every DAG of it. Where Airflow parses the
    file to run a task, only that task's DAG is made.
    """
    folder, wanted = folder_of(dag_file), get_parsing_context().dag_id
    found = read_one(folder, wanted) if wanted else read(folder)
    for sentence in found.broken:
        log.warning("left out: %s", sentence)
    return {
        deployment.dag_id(job): dag_of(job, deployment)
        for deployment in found.deployments
        if job in deployment.jobs
    }


def dag_of(job: str, deployment: Deployment) -> DAG:
    """The DAG of one job of one deployment."""
    with DAG(
        dag_id=deployment.dag_id(job),
        description=f"{job.capitalize()} of {deployment.model_name} in {deployment.environment}",
        schedule=schedule_of(deployment, job),
        catchup=False,
        max_active_runs=1,
        params=_PARAMS[job]() if job in _PARAMS else None,
        tags=tags_of(deployment),
        doc_md=documentation_of(job, deployment),
    ) as dag:
        verify = verify_operator(deployment, job, pre_execute=wall(deployment))
        _TASKS[job](deployment, verify)
    return dag


def tags_of(deployment: Deployment) -> list[str]:
    """What DAGs are found by; ``release:`` and ``config:`` tell one release's DAG from the next one's."""
    return [
        "mlops",
        deployment.project,
        deployment.environment,
        f"release:{deployment.release}",
        f"config:{deployment.config_digest.removeprefix('sha256:')[:12]}",
    ]


def documentation_of(job: str, deployment: Deployment) -> str:
    """What Airflow shows beside the DAG: whose it is, the bytes it runs with, and where to look at night."""
    rows = {
        "project": deployment.project,
        "model": deployment.model_name,
        "environment": deployment.environment,
        "owner": deployment.owner,
        "release": deployment.release,
        "configuration": deployment.config_digest,
        "commit": deployment.commit,
        "image": deployment.image,
        "file": deployment.jobs[job].config_name,
    }
    lines = [f"| {name} | `{value}` |" for name, value in rows.items() if value is not None]
    environment = deployment.environment
    advice = (
        f"Its jobs run where the Connection or Variable `{connection_id(environment)}` says. A task that"
        f" failed says why at the end of its log. `mlops-config log --environment {environment}` tells what"
        f" happened so far, and `mlops-config rollback --environment {environment}` goes back to what served"
        " before."
    )
    return "\n".join([_WORDS[job], "", "| | |", "|---|---|", *lines, "", advice])


def _training(deployment: Deployment, verify: Any) -> None:
    operator = operator_class(deployment, "training")
    train = operator(
        task_id="train",
        deployment=deployment,
        job="training",
        words=("run", "training"),
        outlets=[asset(deployment, "baseline"), asset(deployment, "model")],
        pre_execute=_unless_redeploying,
    )
    promote = operator(
        task_id="promote",
        deployment=deployment,
        job="training",
        words=("promote",),
        arguments=_promotion,
        trigger_rule="none_failed",
        **_tells(deployment, "model", "deployment"),
    )
    verify >> train >> promote


def _inference(deployment: Deployment, verify: Any) -> None:
    operator = operator_class(deployment, "inference")
    given: dict[str, Any] = {
        "deployment": deployment,
        "job": "inference",
        "words": ("run", "inference"),
    }
    if deployment.max_parts <= 1:
        verify >> operator(task_id="score", **given)
        return
    plan = _planning(operator)(task_id="plan", arguments=("--plan",), **given)
    scores = operator.partial(
        task_id="score", max_active_tis_per_dagrun=deployment.max_parts, **given
    ).expand(part=plan.output)
    # A batch without rows has no parts, and is complete all the same.
    complete = operator(task_id="complete", trigger_rule="none_failed", **given)
    verify >> plan >> scores >> complete


def _monitoring(deployment: Deployment, verify: Any) -> None:
    verify >> operator_class(deployment, "monitoring")(
        task_id="monitor",
        deployment=deployment,
        job="monitoring",
        words=("run", "monitoring"),
        arguments=_window,
        **_tells(deployment, "drift-report"),
    )


def _retraining(deployment: Deployment, verify: Any) -> None:
    operator = operator_class(deployment, "retraining")
    retrain = operator(
        task_id="retrain",
        deployment=deployment,
        job="retraining",
        words=("run", "retraining"),
        arguments=_because,
        **_tells(deployment, "model", "deployment"),
    )
    verify >> retrain
    if deployment.bake_seconds > 0:
        from mlops_config.airflow.baking import watching

        retrain >> watching(operator)(
            task_id="watch",
            deployment=deployment,
            job="retraining",
            words=("rollback",),
            arguments=("--if-needed",),
            **_tells(deployment, "deployment"),
        )


def _tells(deployment: Deployment, *things: str) -> dict[str, Any]:
    """Options of a task that announces ``things`` when its outcome says that there are new ones."""
    return {
        "outlets": [alias(deployment, thing) for thing in things],
        "on_outcome": announce(deployment, *things),
    }


def _is_redeploying(context: Context) -> bool:
    return bool(context["params"].get("only") == "redeploy")


def _unless_redeploying(context: Context) -> None:
    """Skips the task where the run is for the endpoint alone."""
    if _is_redeploying(context):
        from airflow.providers.common.compat.sdk import AirflowSkipException

        raise AirflowSkipException("the champion is deployed again, so nothing is trained")


def _promotion(context: Context) -> list[str]:
    return ["--redeploy" if _is_redeploying(context) else "--if-allowed"]


def _window(context: Context) -> list[str]:
    window = context["params"].get("window")
    return [f"--window={window}"] if window else []


def _because(context: Context) -> list[str]:
    because = context["params"].get("because")
    return [f"--manual={because}"] if because else []


def _planning(operator: type) -> type:
    """``operator`` whose XCom is the parts alone: what a mapped task is expanded over."""

    class Planning(operator):  # type: ignore[misc]  # Airflow's classes have no types here
        """Names the parts of a batch."""

        def execute(self, context: Any) -> Any:
            return list(super().execute(context)["parts"])

    return Planning


_TASKS: dict[str, Callable[[Deployment, Any], None]] = {
    "training": _training,
    "inference": _inference,
    "monitoring": _monitoring,
    "retraining": _retraining,
}
_PARAMS: dict[str, Callable[[], Mapping[str, Param]]] = {
    "training": lambda: {
        "only": Param(
            None,
            enum=[None, "redeploy"],
            # Airflow's form would offer "null".
            values_display={"null": "train and promote", "redeploy": "redeploy the champion"},
            description="Redeploying trains nothing: the champion is deployed as the configuration now says.",
        )
    },
    "monitoring": lambda: {
        "window": Param(
            None,
            type=["null", "string"],
            pattern=f"^{_INSTANT}/{_INSTANT}$",
            description="Judge this window, START/END in ISO 8601 with time zone, instead of the one due.",
        )
    },
    "retraining": lambda: {
        "because": Param(
            None,
            type=["null", "string"],
            pattern=r"^[^\x00-\x1f\x7f]{1,500}$",
            description="Why somebody asks for a retraining. The guards hold all the same.",
        )
    },
}
"""What a person may say who starts a run; Airflow refuses what does not fit."""
_WORDS = {
    "training": "Learns a model, judges it, and promotes it where that is allowed without being asked.",
    "inference": "Predicts the rows that came since the last batch.",
    "monitoring": "Judges what was served, and writes the drift report that retraining waits for.",
    "retraining": "Decides by the drift reports whether to retrain, and lets the better model serve.",
}

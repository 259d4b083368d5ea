"""One run for a whole environment: a DAG that starts a job of every deployment there, and waits."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, task

from mlops_config.airflow.deployments import folder_of, read

_POKE_SECONDS = 30


def fleet(
    environment: str, dag_file: str, *, job: str = "monitoring", schedule: Any = None, at_a_time: int = 16
) -> DAG:
    """A DAG that maps over the environment's deployments as they are when it runs.

    Each deployment's job runs in its own DAG, with its own pin, pool, retries and assets; what runs here only
    starts it and lets the triggerer wait. A deployment of another environment is never among them.
    ``dag_file`` is the caller's ``__file__``.
    """
    with DAG(
        dag_id=f"fleet.{environment}.{job}",
        description=f"{job.capitalize()} of every deployment in {environment}",
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        tags=["mlops", "fleet", environment],
    ) as dag:

        @task  # type: ignore[untyped-decorator]  # Airflow has no types here
        def deployments() -> list[str]:
            """The DAGs to start."""
            return members(environment, dag_file, job)

        TriggerDagRunOperator.partial(
            task_id=job,
            # By itself, the id of a scheduled run is one that Airflow 3.1 lets only its scheduler use.
            trigger_run_id="fleet__{{ run_id }}",
            wait_for_completion=True,
            deferrable=True,
            poke_interval=_POKE_SECONDS,
            # Another try runs the member's whole run again, also one that still goes: only so does it wait
            # for an end.
            reset_dag_run=True,
            max_active_tis_per_dagrun=at_a_time,
            execution_timeout=timedelta(days=1),
        ).expand(trigger_dag_id=deployments())
    return dag


def members(environment: str, dag_file: str, job: str) -> list[str]:
    """Ids of the DAGs of a job in an environment, in order."""
    return [
        deployment.dag_id(job)
        for deployment in read(folder_of(dag_file)).deployments
        if deployment.environment == environment and job in deployment.jobs
    ]

"""Operators that run a deployment's jobs where its files say: on the worker, in a container, in a pod."""

from typing import Any

from mlops_config.orchestration.deployment import Deployment


def operator_class(deployment: Deployment, job: str) -> Any:
    """The operator for a job's ``execution``; only that kind's provider is imported."""
    return _classes(deployment, job)[0]


def verify_operator(deployment: Deployment, job: str, **options: Any) -> Any:
    """The task that a DAG begins with: it proves the configuration, and its XCom is the run's pin."""
    operator = _classes(deployment, job)[1]
    return operator(task_id="verify", deployment=deployment, job=job, words=("verify",), **options)


def _classes(deployment: Deployment, job: str) -> tuple[Any, Any]:
    kind = deployment.jobs[job].execution["type"]
    if kind == "docker":
        from mlops_config.airflow.operators.docker import DockerJob, DockerVerification

        return DockerJob, DockerVerification
    if kind == "kubernetes":
        from mlops_config.airflow.operators.kubernetes import KubernetesJob, KubernetesVerification

        return KubernetesJob, KubernetesVerification
    from mlops_config.airflow.operators.bash import BashJob, BashVerification

    return BashJob, BashVerification

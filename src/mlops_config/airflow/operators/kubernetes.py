"""A job in the environment's image in a pod: by digest, read-only, and no secret in the pod's description."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.pod_generator import make_safe_label_value
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException
from kubernetes.client import models as k8s  # type: ignore[import-not-found]  # in Airflow only

from mlops_config.airflow.operators.contained import (
    SCRATCH,
    STOP_SECONDS,
    ContainedTask,
    ContainedVerification,
    threads,
)
from mlops_config.airflow.operators.work import (
    Arguments,
    Pin,
    image_of,
    sentence_in,
    task_options,
)
from mlops_config.airflow.surroundings import Surroundings, secrets_in
from mlops_config.orchestration.deployment import Deployment

OUTCOME_FILE = "/airflow/xcom/return.json"
"""What Airflow's sidecar hands over as the task's XCom."""
_NOBODY = 65534
_START_SECONDS = 900
"""For a node to be found and the image to be pulled."""


class KubernetesJob(ContainedTask, KubernetesPodOperator):  # type: ignore[misc]  # Airflow has no types here
    """A job in a pod that is deleted when it ends; a try after a worker's death takes the running pod over.

    With ``deferrable=True``, or Airflow's ``[operators] default_deferrable``, the task takes no worker's slot
    while the pod runs.
    """

    template_fields: Sequence[str] = ("image", "arguments")
    # No field is a file's name, whatever it ends with.
    template_ext: Sequence[str] = ()
    template_fields_renderers: Mapping[str, str] = {}

    def __init__(
        self,
        *,
        deployment: Deployment,
        job: str,
        words: Sequence[str],
        arguments: Arguments = (),
        part: Any = None,
        on_outcome: Callable[[Mapping[str, Any], Any], None] | None = None,
        **options: Any,
    ) -> None:
        self.describe(deployment, job, words, arguments, part, on_outcome)
        asked = deployment.jobs[job]
        place, seconds = asked.execution, asked.timeout_seconds
        given: dict[str, Any] = {
            "image": "{{ task.image_name() }}",
            "arguments": self.shown_command(),
            "namespace": place.get("namespace", "default"),
            "service_account_name": place.get("service_account"),
            "node_selector": dict(place.get("node_selector") or {}),
            "container_resources": _resources(place),
            "labels": self._labels(),
            "volumes": [
                k8s.V1Volume(name=f"scratch-{number}", empty_dir=k8s.V1EmptyDirVolumeSource())
                for number in range(len(SCRATCH))
            ],
            "volume_mounts": [
                k8s.V1VolumeMount(name=f"scratch-{number}", mount_path=folder)
                for number, folder in enumerate(SCRATCH)
            ],
            "container_security_context": _restricted(),
            # Airflow's sidecar has no user of its own.
            "xcom_sidecar_container_security_context": _restricted(run_as_user=_NOBODY),
            # The end of a failed job's log is where its sentence is read from.
            "termination_message_policy": "FallbackToLogsOnError",
            "termination_grace_period": STOP_SECONDS,
            # Ends the pod also when Airflow is gone.
            "active_deadline_seconds": int(seconds) if seconds else None,
            "startup_timeout_seconds": _START_SECONDS,
            "on_finish_action": "delete_pod",
            "do_xcom_push": True,
            "log_pod_spec_on_failure": False,
            **task_options(deployment, job),
        }
        super().__init__(**{**given, **options})

    def execute(self, context: Any) -> Any:
        """Runs the job; its outcome is the task's XCom."""
        pin = self.prepare(context)
        return self.concluded(super().execute(context), pin, context)

    def trigger_reentry(self, context: Any, event: dict[str, Any]) -> Any:
        """The same for a pod that was waited for without a worker."""
        pin = self.prepare(context)
        return self.concluded(super().trigger_reentry(context, event), pin, context)

    def prepare(self, context: Any) -> Pin:
        """Fills in what only a task may read: the pin, and what the surroundings say.

        Raises:
            AirflowFailException: there is no pin or no image, or a secret would stand in the pod itself.
        """
        surroundings, pin = self.surroundings(), self.pin(context)
        self.kubernetes_conn_id = surroundings.kubernetes_conn_id
        self.image = image_of(pin, self.deployment)
        self.arguments = [literally(word) for word in self.argv(pin, context)]
        self.image_pull_secrets = [
            k8s.V1LocalObjectReference(name=name) for name in surroundings.image_pull_secrets
        ]
        self.env_from = [
            k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=name))
            for name in surroundings.kubernetes_secrets
        ]
        cpus = self.deployment.jobs[self.job].execution.get("cpus", 1.0)
        variables = {
            "OMP_NUM_THREADS": threads(cpus),
            **self.variables(pin, context, _without_secrets(surroundings, self.deployment)),
            "MLOPS_OUTCOME_FILE": OUTCOME_FILE,
        }
        self.env_vars = [k8s.V1EnvVar(name=name, value=literally(value)) for name, value in variables.items()]
        return pin

    def cleanup(
        self,
        pod: Any,
        remote_pod: Any,
        xcom_result: dict[str, Any] | None = None,
        context: Any = None,
    ) -> None:
        """As Airflow's, and a failed job ends the task as its exit code says."""
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowSkipException:
            raise
        except AirflowException:
            ended = _ended(remote_pod, self.base_container_name)
            if ended is None:
                raise
            if ended.reason == "OOMKilled":
                raise AirflowException(
                    f"{self.task_id} was ended: it needed more memory than execution.memory_gib allows"
                ) from None
            self.failed(int(ended.exit_code), sentence_in((ended.message or "").splitlines()))

    def _labels(self) -> dict[str, str]:
        """What the pod is found by. The contract's names and labels may be longer than Kubernetes takes."""
        deployment = self.deployment
        own = {
            "mlops-project": deployment.project,
            "mlops-model": deployment.model_name,
            "mlops-environment": deployment.environment,
            "mlops-job": self.job,
        }
        labels = {**{name.strip("-_"): value for name, value in deployment.labels.items()}, **own}
        return {name: make_safe_label_value(value) for name, value in labels.items()}


class KubernetesVerification(ContainedVerification, KubernetesJob):
    """Proves the configuration in the image."""


def manifest(task: KubernetesJob, context: Any) -> dict[str, Any]:
    """The pod that the task would start now, as the Kubernetes API takes it; nothing is started."""
    task.prepare(context)
    pod = task.build_pod_request_obj(context, dry_run=True)
    from kubernetes.client import ApiClient

    document: dict[str, Any] = ApiClient().sanitize_for_serialization(pod)
    plain: dict[str, Any] = json.loads(json.dumps(document))
    return plain


def _restricted(**more: Any) -> k8s.V1SecurityContext:
    """What the Pod Security Standard "restricted" asks for, and no writable file but on volumes."""
    return k8s.V1SecurityContext(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        run_as_non_root=True,
        capabilities=k8s.V1Capabilities(drop=["ALL"]),
        seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        **more,
    )


def literally(text: str) -> str:
    """The text as Kubernetes is to pass it on: it replaces ``$(NAME)`` in arguments and variables.

    Source: the Container's fields ``args`` and ``env`` in the Kubernetes API reference.
    """
    return text.replace("$", "$$")


def _resources(place: Mapping[str, Any]) -> k8s.V1ResourceRequirements:
    """Requested is what it gets at most, so that the pod is not the first to be evicted."""
    amounts = {
        "cpu": f"{max(1, round(place.get('cpus', 1.0) * 1000))}m",
        "memory": f"{max(1, round(place.get('memory_gib', 2.0) * 1024))}Mi",
    }
    if place.get("gpus"):
        amounts["nvidia.com/gpu"] = str(place["gpus"])
    return k8s.V1ResourceRequirements(requests=amounts, limits=amounts)


def _without_secrets(surroundings: Surroundings, deployment: Deployment) -> Surroundings:
    """The surroundings, if none of their variables is a secret.

    Raises:
        AirflowFailException: one is: whoever may read pods would read it.
    """
    hidden = [name for name, value in surroundings.variables.items() if secrets_in({name: value})]
    if hidden:
        raise AirflowFailException(
            f"{', '.join(hidden)} would stand in the pod's description, for all to read who may see pods of"
            f" {deployment.environment}: put them into a Secret of the namespace, and name it in the"
            ' Connection\'s extra, {"kubernetes_secrets": ["NAME"]}'
        )
    return surroundings


def _ended(pod: Any, container: str) -> Any:
    """How the job's container ended, as the cluster says; ``None``: it does not say."""
    statuses = (pod.status.container_statuses if pod is not None and pod.status else None) or []
    states = [status.state for status in statuses if status.name == container]
    return states[0].terminated if states and states[0] is not None else None

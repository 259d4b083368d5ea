"""How Airflow runs a file's job: where, how often it tries, and how long it may take."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.models.field_types import Iso8601Duration, text
from mlops_config.contract.models.model_base import ConfigModel

_Gib = Annotated[float, Field(gt=0, le=24_576)]
_Cpus = Annotated[float, Field(gt=0, le=1024)]
_DNS_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*"
_NODE_WORD = "[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_DnsLabel = Annotated[str, text("DNS label", f"^{_DNS_LABEL}$", "fares-jobs")]
_DnsName = Annotated[str, text("DNS name", f"^{_DNS_NAME}$", "fares-trainer", max_length=253)]
_NodeLabel = Annotated[
    str, text("node label", f"^(?:{_DNS_NAME}/)?{_NODE_WORD}$", "kubernetes.io/arch", max_length=317)
]
_NodeLabelValue = Annotated[str, text("value of a node label", f"^(?:{_NODE_WORD})?$", "arm64")]
_PoolName = Annotated[str, text("pool", r"^[A-Za-z0-9_.-]{1,256}$", "gpu_pool")]
_RetryDelay = Annotated[timedelta, Iso8601Duration(ge=timedelta(0), le=timedelta(days=1))]
_Timeout = Annotated[timedelta, Iso8601Duration(ge=timedelta(seconds=1), le=timedelta(days=28))]


class BashExecution(ConfigModel):
    """On Airflow's worker itself."""

    type: Literal["bash"] = Field(description="On Airflow's worker itself, which needs the package's jobs.")


class DockerExecution(ConfigModel):
    """In the environment's image, on the worker's Docker engine."""

    type: Literal["docker"] = Field(
        description="In the environment's image, by digest, on the worker's Docker engine."
    )
    network_mode: Annotated[str, text("network", r"^[A-Za-z0-9_.:-]{1,128}$", "bridge")] = Field(
        default="bridge", description="The container's network. Source: docker run --network."
    )
    memory_gib: _Gib | None = Field(default=None, description="Most memory; null is no limit.")
    cpus: _Cpus | None = Field(default=None, description="Most processors; null is no limit.")


class KubernetesExecution(ConfigModel):
    """In the environment's image, in a pod."""

    type: Literal["kubernetes"] = Field(
        description="In the environment's image, by digest, in a pod of its own."
    )
    namespace: _DnsLabel = Field(
        default="default", description="The pod's namespace. Source: Kubernetes, DNS label."
    )
    service_account: _DnsName | None = Field(
        default=None, description="The pod's service account; null is the namespace's own."
    )
    cpus: _Cpus = Field(default=1.0, description="Processors requested, and the most it gets.")
    memory_gib: _Gib = Field(default=2.0, description="Memory requested, and the most it gets.")
    gpus: Annotated[int, Field(ge=0, le=64)] = Field(default=0, description="GPUs (nvidia.com/gpu).")
    node_selector: Annotated[dict[_NodeLabel, _NodeLabelValue], Field(max_length=20)] = Field(
        default_factory=dict,
        description="Labels of the nodes it may run on. Source: Kubernetes label syntax.",
    )


Execution = Annotated[BashExecution | DockerExecution | KubernetesExecution, Field(discriminator="type")]


def _bash() -> BashExecution:
    return BashExecution(type="bash")


class Orchestration(ConfigModel):
    """How Airflow runs the file's job."""

    execution: Execution = Field(default_factory=_bash, description="Where the job runs.")
    retries: Annotated[int, Field(ge=0, le=20)] = Field(
        default=2, description="Tries after the first, of what may pass: a service that stays away."
    )
    retry_delay: _RetryDelay = Field(
        default=timedelta(minutes=5), description="Between two tries; doubled each time, at most a day."
    )
    timeout: _Timeout | None = Field(
        default=None,
        description="A task is ended after it; null is twice compute.max_runtime, and at least max_wait.",
    )
    pool: _PoolName = Field(
        default="default_pool",
        description="Airflow pool the tasks take a slot of; it has to exist. Source: Airflow pool names.",
    )
    queue: _PoolName | None = Field(
        default=None, description="Queue of the CeleryExecutor; null is Airflow's default."
    )

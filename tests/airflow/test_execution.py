"""Jobs in containers on this machine's engine, and the pods that they would be, under each Airflow."""

import io
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from tools.environments import AIRFLOW_VERSIONS

from tests.services import unavailable
from tests.services.airflow import python_with
from tests.services.engine import PREFIX, busybox_tar, remove_images
from tests.services.registry import running_registry

ROOT = Path(__file__).resolve().parents[2]
OPERATORS = ROOT / "tests" / "airflow" / "inside" / "operators"
PYTHON = """\
#!/bin/sh
base64_of() { /bin/busybox base64 | /bin/busybox tr -d '\\n'; }
if [ "$3" = verify ]; then
  case "$*" in *abababab*) echo "ok  the bundle"; exit 0;; esac
  echo "error: another digest" >&2; exit 4
fi
for word; do
  case "$word" in
    --exit=*) echo "error: it said so" >&2; echo " hint: do this" >&2; exit "${word#--exit=}";;
    --eat) exec dd if=/dev/zero of=/dev/null bs=256M count=4;;
    --wait) trap 'echo wrote its end; exit 130' TERM; echo started; while :; do sleep 0.1; done;;
  esac
done
if (: > /bin/written) 2>/dev/null; then read_only=false; else read_only=true; fi
if (: > /app/.mlops-config/written && : > /app/build/written); then scratch=true; else scratch=false; fi
status() { /bin/busybox sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
control() { cat "/sys/fs/cgroup/$1" 2>/dev/null || cat "/sys/fs/cgroup/memory/$2" 2>/dev/null; }
memory=$(control memory.max memory.limit_in_bytes)
case "$memory" in *[!0-9]*|'') memory=0;; esac
cpu=$(cat /sys/fs/cgroup/cpu.max 2>/dev/null || echo \\
  "$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us) $(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us)")
echo "something on the way" >&2
printf '{"argv": "%s", "environment": "%s", "read_only": %s, "scratch": %s, "capabilities": "%s", ' \\
  "$(printf '%s\\0' "$@" | base64_of)" "$(/bin/busybox env -0 | base64_of)" \\
  "$read_only" "$scratch" "$(status CapEff)"
printf '"no_new_privileges": %s, "memory": %s, "cpu": "%s"}\\n' "$(status NoNewPrivs)" "$memory" "$cpu"
"""
"""Stands for the image's Python: says what it was given and may do, as a job says its outcome."""


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image by digest, in a registry of its own and in the engine."""
    buffer = io.BytesIO(busybox_tar())
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        entry = tarfile.TarInfo("bin/python")
        entry.size, entry.mode = len(PYTHON.encode()), 0o755
        archive.addfile(entry, io.BytesIO(PYTHON.encode()))
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        name = f"{registry.host}/{PREFIX}-{uuid.uuid4().hex[:12]}"
        engine.api.import_image_from_data(buffer.getvalue(), repository=name, tag="1")
        try:
            engine.images.push(name, tag="1")
            (digest,) = engine.images.get(f"{name}:1").attrs["RepoDigests"]
            yield digest
        finally:
            remove_images(engine, name)


def inside(version: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs Airflow's Python."""
    return subprocess.run(
        [str(python_with(version)), *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.parametrize("version", AIRFLOW_VERSIONS)
def test_jobs_run_in_containers(version: str, image: str) -> None:
    config = str(OPERATORS.parent / "pytest.ini")
    file = str(OPERATORS / "in_containers.py")
    done = inside(version, "-m", "pytest", "-c", config, file, "-v", "--tb=short", TEST_IMAGE=image)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module", params=AIRFLOW_VERSIONS)
def pods(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Pods as the operators describe them, by name."""
    done = inside(request.param, "-W", "ignore", "-m", "tests.airflow.inside.operators.pods")
    assert done.returncode == 0, done.stdout + done.stderr
    described: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return described


def test_every_pod_is_what_the_kubernetes_api_takes(pods: dict[str, Any]) -> None:
    try:
        import kubernetes_validate
    except ImportError:
        unavailable("no Kubernetes schemas: pip install kubernetes-validate")
    for pod in pods.values():
        kubernetes_validate.validate(pod, "1.37", strict=True)


def test_a_pod_that_kubernetes_would_refuse_is_found(pods: dict[str, Any]) -> None:
    try:
        import kubernetes_validate
    except ImportError:
        unavailable("no Kubernetes schemas: pip install kubernetes-validate")
    (pod, *_) = pods.values()
    for broken in ({"imagePullSecrets": "registry"}, {"serviceAcountName": "jobs"}):
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**pod, "spec": {**pod["spec"], **broken}}, "1.37", strict=True)


def test_no_word_of_a_run_is_replaced_on_its_way_into_a_pod(pods: dict[str, Any]) -> None:
    """Kubernetes makes ``$(NAME)`` of ``$$(NAME)``, and puts a variable in for the first."""
    arguments = pods["most"]["spec"]["containers"][0]["args"]
    assert arguments[-3:] == ["--manual", "$$(HOME) 'x'", "--part=a/b"]


def test_a_pod_is_the_very_image_and_asks_for_what_the_file_says(pods: dict[str, Any]) -> None:
    spec, metadata = pods["most"]["spec"], pods["most"]["metadata"]
    container = spec["containers"][0]
    amounts = {"cpu": "1500m", "memory": "512Mi", "nvidia.com/gpu": "1"}
    assert container["image"] == f"registry.example/fares@sha256:{'cd' * 32}"
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    assert (metadata["namespace"], spec["serviceAccountName"]) == ("fares", "fares-jobs")
    assert spec["nodeSelector"] == {"accelerator": "t4"}
    assert spec["activeDeadlineSeconds"] == 3600
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    labels = {name: metadata["labels"][name] for name in ("mlops-project", "mlops-environment", "team")}
    assert labels["mlops-project"] == "fares"
    assert labels["mlops-environment"] == "dev"
    assert labels["team"].startswith("odd")


def test_a_pods_secrets_are_named_and_its_outcome_is_a_file(pods: dict[str, Any]) -> None:
    container = pods["least"]["spec"]["containers"][0]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert container["envFrom"] == [{"secretRef": {"name": "fares-secrets"}}]
    assert variables["MLOPS_OUTCOME_FILE"] == "/airflow/xcom/return.json"
    assert variables["MLOPS_STORE"] == "s3://mlops"


def test_every_container_of_a_pod_keeps_to_the_restricted_standard(pods: dict[str, Any]) -> None:
    for pod in pods.values():
        for container in pod["spec"]["containers"]:
            given = dict(container["securityContext"])
            assert given.pop("runAsUser", 10001) > 0
            assert given == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            }


@pytest.mark.parametrize("version", AIRFLOW_VERSIONS)
def test_the_triggerer_asks_sagemaker_with_the_environments_own_credentials(
    version: str, sagemaker_server: str
) -> None:
    import boto3

    client = boto3.client(
        "sagemaker",
        region_name="eu-central-1",
        endpoint_url=sagemaker_server,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    variant = {"VariantName": "all", "ModelName": "m", "InstanceType": "ml.m5.large"}
    container = {"Image": "i", "ModelDataUrl": "s3://bucket/1-good/model.tar.gz"}
    client.create_model(
        ModelName="m", PrimaryContainer=container, ExecutionRoleArn="arn:aws:iam::123456789012:role/x"
    )
    client.create_endpoint_config(
        EndpointConfigName="c", ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )
    client.create_endpoint(EndpointName="fares-dev", EndpointConfigName="c")
    variables = {
        "AWS_ENDPOINT_URL": sagemaker_server,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    extra = {"environment": "dev", "variables": variables}
    try:
        done = inside(
            version,
            *("-W", "ignore", "-m", "tests.airflow.inside.operators.waits"),
            AIRFLOW_CONN_MLOPS_DEV=json.dumps({"conn_type": "generic", "extra": extra}),
        )
    finally:
        client.delete_endpoint(EndpointName="fares-dev")
        client.describe_endpoint(EndpointName="fares-dev")
        client.delete_endpoint_config(EndpointConfigName="c")
        client.delete_model(ModelName="m")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["states"] == [["creating", ""], ["in_service", ""]]
    assert said["events"] == [{"endpoint": "fares-dev", "state": "in_service"}]

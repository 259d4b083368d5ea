"""Jobs in containers on a real engine: ``tests/airflow/test_execution.py`` makes the image and runs this."""

import base64
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import DAG

from mlops_config.airflow.operators import verify_operator
from mlops_config.orchestration.deployment import Deployment
from tests.airflow.inside.deployed import DIGEST, deployment, job
from tests.airflow.inside.operators.running import RUN_ID, connection, context_of, pin, run, task_of

IMAGE = os.environ.get("TEST_IMAGE", "")
CONFIG = "/app/configs/dev_monitoring_config.yaml"
LABEL, DAG_RUN = "io.mlops-config.dag-run", f"fares.trip-fare.dev.monitoring/{RUN_ID}"


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env(timeout=60)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, tmp_path, variables={"MLOPS_SECRET_X": "hunter22", "MLOPS_STORE": "s3://mlops"})


@pytest.fixture(autouse=True)
def nothing_left(engine: docker.DockerClient) -> Iterator[None]:
    """No test leaves a container, running or not, or a volume of one. Other tests' engine is the same."""
    began = time.time()
    yield
    assert ours(engine) == []
    events = list(engine.events(since=f"{began:.9f}", until=f"{time.time():.9f}", decode=True))
    containers = {
        event["Actor"]["ID"]
        for event in events
        if event["Type"] == "container" and event["Actor"]["Attributes"].get(LABEL) == DAG_RUN
    }
    mounted = {
        event["Actor"]["ID"]
        for event in events
        if event["Type"] == "volume" and event["Actor"]["Attributes"].get("container") in containers
    }
    assert mounted & {volume.name for volume in engine.volumes.list()} == set()


def ours(engine: docker.DockerClient) -> list[Any]:
    found: list[Any] = engine.containers.list(all=True, filters={"label": f"{LABEL}={DAG_RUN}"})
    return found


def deployed(**execution: Any) -> Deployment:
    """A deployment whose monitoring runs in containers."""
    where = {"type": "docker", "network_mode": "none", **execution}
    return deployment(image=IMAGE, jobs={"monitoring": job("dev", "monitoring", execution=where)})


def the_pin() -> dict[str, Any]:
    return pin("/app/configs", image=IMAGE)


def listed(text: str) -> list[str]:
    """Words that the image's stub gives as base64, each with a NUL at its end."""
    return base64.b64decode(text).decode().split("\0")[:-1]


def test_the_job_runs_in_the_very_image_of_the_pin_and_without_a_shell(engine: docker.DockerClient) -> None:
    engine.images.remove(IMAGE, force=True)
    hostile = ["$(touch owned)", "a\nb", "'", "", "[1]"]
    outcome = run(task_of(deployed(), arguments=hostile), the_pin())
    words = ["monitoring_main.py", "--config", CONFIG, "--format", "jsonl", *hostile]
    assert listed(outcome["argv"]) == words


def test_the_container_may_do_no_more_than_the_job_needs() -> None:
    outcome = run(task_of(deployed(cpus=1.5, memory_gib=0.0625)), the_pin())
    assert outcome["read_only"] is True
    assert outcome["scratch"] is True
    assert int(outcome["capabilities"], 16) == 0
    assert outcome["no_new_privileges"] == 1
    assert outcome["memory"] == 2**26
    assert outcome["cpu"] == "150000 100000"


def test_the_job_is_told_what_it_belongs_to() -> None:
    outcome = run(task_of(deployed(cpus=2)), the_pin())
    told = dict(word.split("=", 1) for word in listed(outcome["environment"]))
    for name in ("PATH", "HOME", "HOSTNAME", "PWD", "SHLVL"):
        told.pop(name)
    assert told == {
        "MLOPS_SECRET_X": "hunter22",
        "MLOPS_STORE": "s3://mlops",
        "MLOPS_ENVIRONMENT": "dev",
        "MLOPS_CONFIG_DIR": "/app/configs",
        "MLOPS_CONFIG_DIGEST": DIGEST,
        "MLOPS_RELEASE": "1.1.0",
        "MLOPS_COMMIT": "e" * 40,
        "MLOPS_IMAGE": IMAGE,
        "MLOPS_IMAGE_DIGEST": IMAGE.partition("@")[2],
        "MLOPS_DAG_RUN": DAG_RUN,
        "OMP_NUM_THREADS": "2",
    }


def test_airflows_pages_show_the_image_and_the_command_and_no_variable() -> None:
    task = task_of(deployed())
    assert set(task.template_fields) == {"image", "command"}
    task.render_template_fields(context_of(task, the_pin()), task.dag.get_template_env())
    assert task.image == IMAGE
    assert task.command == ["python", "monitoring_main.py", "--config", CONFIG, "--format", "jsonl"]


def test_what_the_surroundings_mount_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    kept.chmod(0o777)
    mount = {"source": str(kept), "target": "/app/.mlops-config", "type": "bind"}
    connection(monkeypatch, tmp_path, mounts=[mount])
    run(task_of(deployed()), the_pin())
    assert [path.name for path in kept.iterdir()] == ["written"]


@pytest.mark.parametrize("code", [1, 4])
def test_what_another_try_does_not_change_fails_at_once_with_the_jobs_own_sentence(code: int) -> None:
    with pytest.raises(AirflowFailException, match=f"exit code {code}: it said so; hint: do this"):
        run(task_of(deployed(), arguments=[f"--exit={code}"]), the_pin())


def test_what_may_pass_is_left_to_airflows_retries() -> None:
    with pytest.raises(AirflowException, match="exit code 3: it said so") as caught:
        run(task_of(deployed(), arguments=["--exit=3"]), the_pin())
    assert not isinstance(caught.value, AirflowFailException)


def test_a_job_without_memory_says_what_it_ran_out_of() -> None:
    with pytest.raises(AirflowException, match="it needed more memory than"):
        run(task_of(deployed(memory_gib=0.0625), arguments=["--eat"]), the_pin())


def test_a_killed_task_ends_its_container_after_that_wrote_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    task, lines, started = task_of(deployed(), arguments=["--wait"]), [], threading.Event()

    class Log:
        """Keeps lines, and tells when the job has started."""

        def info(self, text: str, *values: object) -> None:
            lines.append(text % values)
            if lines[-1] == "started":
                started.set()

        warning = info

    def send() -> None:
        if started.wait(30):
            os.kill(os.getpid(), signal.SIGUSR1)

    monkeypatch.setattr(type(task), "log", Log())
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())
    sender = threading.Thread(target=send)
    sender.start()
    try:
        with pytest.raises(AirflowException) as caught:
            run(task, the_pin())
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
    assert not isinstance(caught.value, AirflowFailException)
    assert "wrote its end" in lines


def test_a_stream_that_the_engine_leaves_open_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_config.airflow.operators.docker._LOOK_SECONDS", 0.01)
    task, over = task_of(deployed()), threading.Event()
    monkeypatch.setattr(task, "_is_running", lambda: False)

    def stream() -> Iterator[tuple[bytes, None]]:
        yield b"a line", None
        over.wait(30)

    try:
        assert list(task._chunks(stream())) == [(b"a line", None)]
    finally:
        over.set()


def test_what_an_earlier_try_left_running_ends_first(engine: docker.DockerClient) -> None:
    task = task_of(deployed())
    context = context_of(task, the_pin())
    orphan = engine.containers.run(
        IMAGE, ["sleep", "600"], detach=True, labels=task._labels(context), stop_signal="SIGKILL"
    )
    other = engine.containers.run(
        IMAGE, ["sleep", "600"], detach=True, labels={**task._labels(context), "io.mlops-config.task": "b/-1"}
    )
    try:
        run(task, None, context)
        assert [container.id for container in ours(engine)] == [other.id]
    finally:
        other.remove(force=True)
    assert orphan.id


def test_the_image_is_proven_before_anything_else() -> None:
    with DAG("fares.trip-fare.dev.monitoring", schedule=None):
        task = verify_operator(deployed(), "monitoring")
    assert run(task, None) == {
        "release": "1.2.0",
        "config_digest": DIGEST,
        "config_dir": "/app/configs",
        "image": IMAGE,
        "commit": "f" * 40,
    }


def test_a_digest_that_the_image_does_not_have_ends_the_run_at_once() -> None:
    other = deployed()._replace(config_digest=f"sha256:{'0' * 64}")
    with DAG("fares.trip-fare.dev.monitoring", schedule=None):
        task = verify_operator(other, "monitoring")
    with pytest.raises(AirflowFailException, match="exit code 4: another digest"):
        run(task, None)


@pytest.mark.parametrize("image", [None, "fares:latest"])
def test_without_an_image_by_digest_nothing_runs(image: str | None) -> None:
    with pytest.raises(AirflowFailException, match="no image by digest"):
        run(task_of(deployed()), pin("/app/configs", image=image))

"""The jobs in the runtime image as a cluster runs them: read-only, not root, without a network, stopped."""

import io
import json
import re
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import Mount

from tests.repositories import Repository
from tests.runtime.projects import write_trips

USER = 10001
STATE = "/app/.mlops-config"
BUILD = "/app/build"
JOBS = ("training", "inference", "monitoring", "retraining")
LIMIT_SECONDS = 240.0
NOBODYS_DIGEST = "sha256:" + "0" * 64
TRIP = {
    "distance_km": 3.2,
    "expected_minutes": 9.5,
    "pickup_hour": 8,
    "weekday": 2,
    "passengers": 1,
    "pickup_zone": "north",
    "raining": False,
}


@dataclass(frozen=True)
class Done:
    """A container that has ended."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        """Standard output of a job that succeeded, as JSON."""
        assert self.code == 0, self.err
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass
class Cluster:
    """Runs containers as strictly as a cluster may: nothing writable but the two volumes."""

    engine: docker.DockerClient
    image: str
    data: Path
    state: str
    build: str
    commit: str
    config_digest: str

    @contextmanager
    def container(
        self, *command: str, image: str = "", kept: bool = True, **more: Any
    ) -> Iterator[Container]:
        """A container of the image; without ``kept`` its two places are new and go with it."""
        binds = [Mount("/app/data", str(self.data), type="bind", read_only=True), *more.pop("mounts", ())]
        volumes = [
            Mount(place, name if kept else None, type="volume")
            for place, name in ((STATE, self.state), (BUILD, self.build))
        ]
        environment = {"OMP_NUM_THREADS": "1", **more.pop("environment", {})}
        more.setdefault("network_mode", "none")
        created = self.engine.containers.create(
            image or self.image,
            list(command),
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mounts=[*volumes, *binds],
            environment=environment,
            **more,
        )
        try:
            yield created
        finally:
            created.remove(force=True, v=True)

    def run(self, *command: str, **more: Any) -> Done:
        """Runs a command to its end."""
        with self.container(*command, **more) as container:
            container.start()
            return ended(container)

    def main(self, job: str, *arguments: str, **more: Any) -> Done:
        """One of the seed's entry points."""
        kind = "retrain" if job == "retraining" else job
        config = f"/app/configs/dev_{kind}_config.yaml"
        return self.run("python", f"{job}_main.py", "--config", config, *arguments, **more)


def ended(container: Container) -> Done:
    """Waits until the container has ended."""
    code = container.wait(timeout=LIMIT_SECONDS)["StatusCode"]
    out, err = (
        container.logs(stdout=stdout, stderr=not stdout).decode("utf-8", "replace")
        for stdout in (True, False)
    )
    return Done(code, out, err)


def until(container: Container, condition: Callable[[], bool]) -> None:
    """Waits for something about a running container."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        container.reload()
        if condition():
            return
        assert container.status == "running", container.logs().decode("utf-8", "replace")
        assert time.monotonic() < deadline, container.logs().decode("utf-8", "replace")
        time.sleep(0.1)


def files_of(container: Container, folder: str) -> dict[str, bytes]:
    """Every file below the folder of a container, running or not."""
    chunks, _ = container.get_archive(folder)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        found = {}
        for entry in archive.getmembers():
            if entry.isfile():
                opened = archive.extractfile(entry)
                assert opened is not None
                found[entry.name.partition("/")[2]] = opened.read()
        return found


def packed(folder: Path, name: str) -> bytes:
    """The folder as a tar archive whose files belong to the image's user."""

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = USER
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, name, filter=owned)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The example; its endpoint would end with the container that promotes, so that only names the model."""
    repository = Repository(tmp_path_factory.mktemp("project"))
    retrain = repository.config("dev", "retrain")
    retrain.write_text(f"{retrain.read_text('utf-8')}\nredeploy: {{enabled: false}}\n", "utf-8")
    repository.commit("Deploy by hand")
    return repository


@pytest.fixture(scope="module")
def cluster(
    engine: docker.DockerClient,
    runtime_image: str,
    project: Repository,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """The project released as an image on the runtime image; its store lies in a volume."""
    trips = write_trips(tmp_path_factory.mktemp("trips") / "data" / "trips.csv", rows=1500)
    command = [sys.executable, "-m", "mlops_config", "release", "--environment", "dev", "--format", "json"]
    name = runtime_image.partition(":")[0]
    command += ["--root", str(project.folder), "--base-image", runtime_image, "--image", f"{name}-dev"]
    record = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=600).stdout)
    image = f"{name}-dev:{record['image']['tags'][0]}"
    volumes = [engine.volumes.create() for _ in range(2)]
    state, build = (volume.name for volume in volumes)
    commit, digest = record["source"]["commit"], record["config_digest"]
    try:
        made = Cluster(engine, image, trips.parent, state, build, commit, digest)
        with made.container("true") as container:
            container.put_archive(STATE, packed(project.folder / ".mlops-config" / "store", "store"))
        yield made
    finally:
        for volume in volumes:
            volume.remove(force=True)
        with suppress(NotFound):
            engine.images.remove(image, force=True)


@pytest.fixture(scope="module")
def trained(cluster: Cluster) -> dict[str, Any]:
    """A model, which is the champion from now on."""
    outcome = cluster.main("training", "--format", "json").document()
    promoted = cluster.run(
        "mlops-config", "promote", "--config", "/app/configs/dev_retrain_config.yaml", "--format", "json"
    )
    assert promoted.document()["version"] == outcome["version"]
    return outcome


@pytest.fixture(scope="module")
def scored(cluster: Cluster, trained: dict[str, Any]) -> dict[str, Any]:
    """A batch that this model has predicted."""
    outcome = cluster.main("inference", "--format", "json").document()
    assert outcome["model_version"] == trained["version"]
    return outcome


def test_a_model_trained_in_the_image_says_which_configuration_and_commit_it_came_from(
    cluster: Cluster, trained: dict[str, Any]
) -> None:
    with cluster.container("true") as container:
        database = files_of(container, STATE)["mlflow.db"]
    with sqlite3.connect(":memory:") as connection:
        connection.deserialize(database)
        query = "SELECT key, value FROM model_version_tags WHERE name = 'trip-fare-dev' AND version = ?"
        tags = dict(connection.execute(query, [trained["version"]]))
    assert tags["mlops.config_digest"] == cluster.config_digest
    assert tags["mlops.commit"] == cluster.commit
    assert tags["mlops.environment"] == "dev"


def test_a_prediction_made_in_the_image_leads_back_to_the_commit(
    cluster: Cluster, scored: dict[str, Any]
) -> None:
    assert (scored["rows"], scored["predicted"]) == (1500, 1500)
    ledger = ["--environment", "dev", "--project", "city-taxi", "--model", "trip-fare"]
    prediction = f"{scored['job_id']}-7"
    trace = cluster.run("mlops-config", "trace", prediction, *ledger, "--format", "json").document()
    assert f"commit:{cluster.commit}" in trace["upstream"]
    assert f"bundle:{cluster.config_digest}" in trace["upstream"]
    assert f"model:trip-fare-dev:{scored['model_version']}" in trace["upstream"]


def test_what_was_predicted_is_monitored_and_retraining_decides(
    cluster: Cluster, scored: dict[str, Any]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    window = f"{(now - timedelta(hours=12)).isoformat()}/{now.isoformat()}"
    [judged] = cluster.main("monitoring", "--window", window, "--format", "json").document()["windows"]
    assert judged["state"] == "judged"
    assert judged["rows"] >= scored["rows"]
    assert {each["signal"]: each["violated"] for each in judged["signals"]}["drift"] is False
    decision = cluster.main("retraining", "--dry-run", "--format", "json").document()
    assert decision["retrain"] is False
    assert decision["challenger"] is None


@pytest.mark.parametrize("job", JOBS)
def test_no_job_obeys_a_configuration_that_was_not_deployed(cluster: Cluster, job: str) -> None:
    done = written(cluster, job, environment={"MLOPS_CONFIG_DIGEST": NOBODYS_DIGEST})
    assert f"expected {NOBODYS_DIGEST}, found {cluster.config_digest}" in done.err


def test_a_file_that_was_replaced_is_noticed(cluster: Cluster, project: Repository, tmp_path: Path) -> None:
    name = "dev_training_config.yaml"
    other = tmp_path / name
    other.write_text(project.config("dev", "training").read_text("utf-8") + "# as it suits me\n", "utf-8")
    mount = Mount(f"/app/configs/{name}", str(other), type="bind", read_only=True)
    assert (
        f"{name} in /app/configs is not what the manifest says"
        in written(cluster, "training", mounts=[mount]).err
    )


def written(cluster: Cluster, job: str, **more: Any) -> Done:
    """Runs a job that must refuse with exit code 4, and write nothing but the metric that says so."""
    kind = "retrain" if job == "retraining" else job
    command = ["python", f"{job}_main.py", "--config", f"/app/configs/dev_{kind}_config.yaml"]
    with cluster.container(*command, kept=False, **more) as container:
        container.start()
        done = ended(container)
        assert done.code == 4, done.err
        kept = files_of(container, STATE)
        assert files_of(container, BUILD) == {}
    metrics = {name: text for name, text in kept.items() if name.startswith("metrics/")}
    assert kept == metrics
    said = b"".join(metrics.values()).decode()
    assert re.search(rf'^\w*integrity\w*{{.*"{job}".*}} 1', said, re.MULTILINE), said
    return done


def test_the_process_is_not_root_and_writes_in_its_own_places_alone(cluster: Cluster) -> None:
    script = """
import json, os, tempfile
def writes(folder):
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
folders = ["/", "/app", "/app/bin", "/app/configs", "/app/data", "/opt/mlops", "/opt/mlops-config", "/tmp",
           "/app/.mlops-config", "/app/build", tempfile.gettempdir(), os.path.expanduser("~")]
owned = [os.path.join(folder, name) for top in ("/app", "/opt") for folder, _, names in os.walk(top)
         for name in names if os.access(os.path.join(folder, name), os.W_OK)]
writable = [each for each in folders if writes(each)]
print(json.dumps({"user": os.getuid(), "writable": writable, "owned": owned}))
"""
    found = cluster.run("python", "-c", script, kept=False).document()
    assert found == {"user": USER, "writable": [STATE, BUILD, STATE, STATE], "owned": []}
    # What keeps it out is not only the read-only root: it owns nothing that it runs.
    with cluster.container("sh", "-c", "touch /app/x /opt/mlops/x", kept=False) as container:
        container.start()
        assert container.attrs["HostConfig"]["ReadonlyRootfs"] is True
        assert ended(container).code == 1


def test_the_server_is_healthy_answers_and_ends_when_it_is_told_to(
    cluster: Cluster, trained: dict[str, Any]
) -> None:
    often = {"interval": 1_000_000_000}  # the image's own check, which it makes every 10 seconds
    ports = {"8080/tcp": ("127.0.0.1", None)}
    with cluster.container("serve", network_mode="bridge", ports=ports, healthcheck=often) as container:
        container.start()
        until(container, lambda: container.attrs["State"]["Health"]["Status"] == "healthy")
        [binding] = container.attrs["NetworkSettings"]["Ports"]["8080/tcp"]
        url = f"http://127.0.0.1:{binding['HostPort']}"
        assert requests.get(f"{url}/healthz", timeout=30).status_code == 200
        predicted = requests.post(f"{url}/invocations", json={"instances": [TRIP]}, timeout=30).json()
        assert predicted["model_version"] == trained["version"]
        assert 5 < predicted["predictions"][0] < 40
        container.stop(timeout=60)
        done = ended(container)
        assert done.code == 0, done.err
        job = predicted["prediction_ids"][0].partition("-")[0]
        captured = [name for name in files_of(container, BUILD) if f"/{job}-" in name]
        assert len(captured) == 1, "what was answered before the end is captured"


def test_a_training_that_is_stopped_registers_nothing(
    cluster: Cluster, runtime_image: str, project: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "configs" / "dev"
    folder.mkdir(parents=True)
    for source in (project.folder / "configs" / "dev").iterdir():
        text = source.read_text("utf-8")
        folder.joinpath(source.name).write_text(text.replace("max_iter: 100 ", "max_iter: 100000 "), "utf-8")
    mount = Mount("/app/configs", str(tmp_path / "configs"), type="bind", read_only=True)
    config = "/app/configs/dev/dev_training_config.yaml"
    command = ["python", "training_main.py", "--config", config]
    with cluster.container(*command, image=runtime_image, mounts=[mount], kept=False) as container:
        container.start()
        until(container, lambda: b" read " in container.logs())
        container.stop(timeout=60)
        done = ended(container)
        kept = files_of(container, STATE)
    assert done.code == 130, done.err
    assert re.search(r"^✗ fit +failed", done.err, re.MULTILINE)
    assert not [name for name in kept if name.startswith(("mlartifacts/", "store/"))]
    assert "mlflow.db" not in kept or b"trip-fare-dev" not in kept["mlflow.db"]

"""The story's beginning: data, a release, the servers, the first model, and traffic that never stops."""

import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from mlops_config.ledger.entries import Event
from tools.loop.alerts import AlertWatcher, settings
from tools.loop.project import ENDPOINT, ENVIRONMENT, ROOT
from tools.loop.scene import Scene, StoryError, known
from tools.loop.servers import start_prometheus
from tools.loop.traffic import REQUESTS_PER_SECOND, ROWS_PER_REQUEST, Traffic

FIRST_RELEASE = "0.1.0"
_ANSWERED = 40
"""Requests that are answered before the story goes on."""


def release(scene: Scene) -> None:
    """Version 0.1.0 of the configuration, released for dev."""
    with scene.progress.step("release", "the configuration, validated, bundled and written once") as step:
        scene.run("release", "--environment", ENVIRONMENT, "--version", FIRST_RELEASE, step=step)
        (released,) = scene.ledger(Event.RELEASED)
        scene.commit, scene.config_digest = released.commit or "", released.config_digest or ""
        commit = scene.project.git(scene.variables, "rev-parse", "HEAD")
        scene.require(scene.commit == commit, f"the release is of {scene.commit}, the commit is {commit}")
        step.found(
            f"{FIRST_RELEASE} for {ENVIRONMENT} is commit {commit[:8]} and {scene.config_digest[:19]}…",
            release=FIRST_RELEASE,
            commit=commit,
            config_digest=scene.config_digest,
        )


def servers(scene: Scene) -> None:
    """Airflow, MLflow and Prometheus answer, and Airflow knows where the jobs of dev run."""
    with scene.progress.step("servers", "Airflow, MLflow and Prometheus come up") as step:
        rules = scene.folder / "prometheus"
        scene.run("rules", "--environment", ENVIRONMENT, "--output", str(rules))
        file = rules / "prometheus.yml"
        alerting = sorted(rules.glob("*.rules.yaml"))
        file.write_text(settings(alerting, scene.project.port), encoding="utf-8")
        scene.prometheus = start_prometheus(scene.servers, file)
        prometheus = scene.prometheus.until_healthy()
        step.progress("Prometheus is there; MLflow and Airflow are starting")
        mlflow = scene.mlflow.until_healthy()
        step.progress("Prometheus and MLflow are there; Airflow is starting")
        airflow = scene.airflow.until_healthy()
        scene.runs.connect(
            {
                "MLFLOW_TRACKING_URI": mlflow,
                "MLOPS_STORE": (scene.project.folder / ".mlops-config" / "store").as_uri(),
                "MLOPS_PROMETHEUS_URL": prometheus,
            },
            python=sys.executable,
            entrypoints=str(ROOT / "docker"),
            root=str(scene.project.folder),
        )
        recording = scene.recording
        scene.alerts = AlertWatcher(
            prometheus,
            lambda name, state: recording.add("alerts", at=recording.now(), name=name, state=state),
        )
        scene.alerts.start()
        found = {"Airflow": airflow, "MLflow": mlflow, "Prometheus": prometheus}
        recording.put("services", [{"name": name, "url": url} for name, url in found.items()])
        recording.put("versions", versions())
        step.found(", ".join(f"{name} {versions()[name]}" for name in found), **found)
        for name, url in found.items():
            step.note(f"{name:<10} {url}")


def deploy(scene: Scene) -> None:
    """One command: Airflow trains the first model, promotes it and deploys it."""
    with scene.progress.step("deploy", "mlops-config deploy: Airflow trains, promotes, deploys") as step:
        scene.run("deploy", "--environment", ENVIRONMENT, "--with-dags", step=step)
        (trained,) = scene.ledger(Event.TRAINED)
        scene.require(trained.dag_run, "the training was no task of a DAG run")
        (promoted,) = scene.ledger(Event.PROMOTED)
        activated = scene.ledger(Event.ACTIVATED)
        scene.require(activated, "the ledger does not know of the deployment")
        scene.require(activated[-1].release == FIRST_RELEASE, f"{activated[-1].release} was activated")
        scene.require(promoted.model and promoted.model.version == 1, "another version than 1 was promoted")
        address = f"http://127.0.0.1:{scene.project.port}"
        recording = scene.recording
        recording.add("services", name="Endpoint", url=f"{address}/docs")
        recording.put("first_model", {"version": 1, "metrics": trained.metrics})
        step.found(
            f"version 1 serves at {address}: rmse {trained.metrics['rmse']:.2f} € on the newest trips",
            metrics=trained.metrics,
            endpoint=ENDPOINT,
        )


def traffic(scene: Scene) -> None:
    """Clients begin to ask, and go on until the end."""
    with scene.progress.step("traffic", "clients begin to ask") as step:
        scene.traffic = Traffic(scene.project.port, scene.recording.since, start=scene.project.today)
        scene.traffic.start()
        scene.until("answers", lambda: scene.clients.total >= _ANSWERED, step=step, limit=300.0)
        scene.require_no_failed_request()
        last = scene.clients.last
        scene.require(last and last.config_digest == scene.config_digest, "another configuration answers")
        scene.window_start = next_second()
        step.found(
            f"{REQUESTS_PER_SECOND:.0f} requests a second, {ROWS_PER_REQUEST} trips each, from now to the end"
        )


def next_second() -> datetime:
    """The first whole second that is not over yet."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)


def versions() -> dict[str, str]:
    """Of what runs."""
    return {
        "mlops-config-action": version("mlops-config-action"),
        "Python": platform.python_version(),
        "MLflow": version("mlflow"),
        "Airflow": _airflow_version(),
        "Prometheus": _prometheus_version(),
    }


def _airflow_version() -> str:
    lock = (ROOT / "requirements" / "airflow-3.3.txt").read_text(encoding="utf-8")
    found = next((line for line in lock.splitlines() if line.startswith("apache-airflow-core==")), None)
    if found is None:
        raise StoryError("requirements/airflow-3.3.txt names no apache-airflow-core")
    return found.split("==")[1].split()[0]


def _prometheus_version() -> str:
    program = known(shutil.which("prometheus"), "prometheus")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return (said.stdout or said.stderr).split()[2]

"""The local deployer with our own model server: the whole way, from a package on disk to an answer."""

import http.client
import json
import subprocess
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_config.bundle.bundle import Bundle
from mlops_config.contract.models.retrain import SmokeTest
from mlops_config.deploy import open_deployer
from mlops_config.deploy.interface import Deployment, Revision
from mlops_config.deploy.local.router import REVISION_HEADER
from mlops_config.kinds import Kind
from tests.deploy.examples import quiet
from tests.runtime.projects import Project, write_trips
from tests.services.processes import free_port

ENDPOINT = "trip-fare-dev"


def test_our_own_server_takes_over_and_no_request_fails(tmp_path: Path) -> None:
    from mlops_config.runtime.model.storage import write_package
    from tests.runtime.serving.scenes import ROW, inference, package

    folder = tmp_path / "project"
    folder.mkdir()
    project = Project(folder, write_trips(tmp_path / "trips.csv", rows=20))
    project.edit(Kind.INFERENCE, "extra_columns: [trip_id]", "extra_columns: []")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    write_package(package(), tmp_path / "model")
    files = {kind: project.file(kind).read_bytes() for kind in Kind}
    digest = Bundle.of("city-taxi", "trip-fare", "dev", files).digest
    config = inference(
        (("deployer", "port"), free_port()),
        (("endpoint", "rollout"), {"type": "canary", "canary_percent": 20, "wait": "PT0S"}),
    )
    first = Deployment(
        project="city-taxi",
        environment="dev",
        endpoint=ENDPOINT,
        revision=Revision("trip-fare-dev", 1, digest, None, str(tmp_path / "model")),
        inference=config,
        smoke_test=SmokeTest(rows=2, max_latency_ms=60_000.0),
        smoke_rows=[ROW, ROW],
    )
    second = replace(first, revision=replace(first.revision, model_version=2))
    deployer = open_deployer(config, root=folder)
    try:
        url = deployer.deploy(first, quiet).url
        assert url is not None
        assert _rows_predicted(url) == 0.0, "the smoke test's rows are not traffic"
        answers: Counter[str] = Counter()
        stop = threading.Event()

        def ask() -> None:
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
            while not stop.is_set():
                connection.request("POST", "/predict", json.dumps({"rows": [ROW]}))
                answer = connection.getresponse()
                version = json.loads(answer.read()).get("model_version")
                answers[f"{answer.status} {answer.headers[REVISION_HEADER]} {version}"] += 1
            connection.close()

        client = threading.Thread(target=ask)
        client.start()
        try:
            deployer.deploy(second, quiet)
            status = deployer.rollback(ENDPOINT, quiet)
        finally:
            stop.set()
            client.join()
        assert status.traffic == {first.revision.name: 100}
        assert set(answers) == {
            f"200 {first.revision.name} 1",
            f"200 {second.revision.name} 2",
        }
        [fare] = deployer.predict(ENDPOINT, [ROW])
        assert fare == pytest.approx(float(package().pipeline.predict(_frame(ROW))[0]))
    finally:
        deployer.delete(ENDPOINT, quiet)


def _rows_predicted(url: str) -> float:
    """As the serving revision's own metrics say."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    [line] = [line for line in lines if "rows_predicted_total{" in line]
    return float(line.rpartition(" ")[2])


def _frame(row: object) -> object:
    import pandas as pd

    return pd.DataFrame([row])

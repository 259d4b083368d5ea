"""Latency and throughput of the model server against `mlflow models serve`: same model, bytes and client.

The goal: at least three times the throughput, at a lower p95.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sys.executable).parent
CLIENTS = (1, 8, 32)
WARM_SECONDS = 1.0
ESTIMATORS = ("hist_gradient_boosting_regressor", "ridge")
START_SECONDS = 180.0
OURS, MLFLOW = "**`mlops-config run serving`**", "`mlflow models serve`"


@dataclass(frozen=True, slots=True)
class Load:
    """What clients measured: latencies in milliseconds, requests a second, over all rounds."""

    p50: float
    p95: float
    p99: float
    rate: float
    rate_low: float
    rate_high: float
    failed: int


def measure(seconds: float = 4.0, rounds: int = 3) -> str:
    """The Markdown section: a table for each estimator."""
    tables = []
    for estimator in ESTIMATORS:
        with tempfile.TemporaryDirectory(prefix="mlops-config-bench-") as folder, ExitStack() as stack:
            body = _models(Path(folder), estimator)
            servers = {
                OURS: stack.enter_context(_ours(Path(folder))),
                MLFLOW: stack.enter_context(_mlflow(Path(folder))),
            }
            loads = _loads(servers, body, seconds, rounds)
        tables.append(f"### {estimator.replace('_', ' ').capitalize()}\n\n{_table(loads)}")
    return (
        "## Online predictions\n\n"
        "One row in a request, the same bytes (`dataframe_records`) for both servers, each one process, both"
        " running at the same time and asked in turns; the client is on the same machine and shares its"
        " cores. Each client waits for its answer before it asks again. Ours checks every row against the"
        " schema and captures it; MLflow's checks the signature's types. The goal is three times the"
        f" throughput at a lower p95.\n\n{chr(10).join(tables)}\n"
        f"{rounds} rounds of {seconds:g} s; percentiles over all of their requests, requests a second as"
        " median.\n"
    )


def _models(folder: Path, estimator: str) -> bytes:
    """Trains on the example's rows, stores the model both ways, and returns the request."""
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature

    from mlops_config.contract.models.by_kind import TrainingConfig
    from mlops_config.contract.reading.yaml_reader import read_document
    from mlops_config.runtime.data.checking import check
    from mlops_config.runtime.model.estimators import build_pipeline
    from mlops_config.runtime.model.package import ModelPackage
    from mlops_config.runtime.model.storage import write_package
    from mlops_config.runtime.profile.profile import Profile

    path = ROOT / "configs" / "dev" / "dev_training_config.yaml"
    data: Any = read_document(path.read_bytes(), path.name).data
    if data["estimator"]["name"] != estimator:
        data["estimator"] = {"name": estimator}
    training = TrainingConfig.model_validate(data)
    trips = folder / "trips.csv"
    make = [
        sys.executable,
        str(ROOT / "tools" / "make_dataset.py"),
        "--rows",
        "20000",
        "--output",
        str(trips),
    ]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    rows = check(pd.read_csv(trips), training.schema_, with_target=True).rows
    names = [feature.name for feature in training.schema_.features]
    pipeline = build_pipeline(training).fit(rows[names], rows[training.schema_.target.name])
    example = rows[names].head(5)
    columns = {name: example[name].tolist() for name in names}
    write_package(
        ModelPackage(pipeline, training.schema_, Profile(rows=len(rows)), {}, columns), folder / "ours"
    )
    signature = infer_signature(example, pipeline.predict(example))
    mlflow.sklearn.save_model(
        pipeline, folder / "mlflow", signature=signature, serialization_format="cloudpickle"
    )
    row = {name: values[0] for name, values in columns.items()}
    return json.dumps({"dataframe_records": [row]}).encode()


@contextmanager
def _ours(folder: Path) -> Iterator[int]:
    project = folder / "project"
    project.mkdir()
    subprocess.run(["cp", "-r", str(ROOT / "configs"), str(project)], check=True)
    (project / "data").mkdir()
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    port = _free_port()
    command = [str(SCRIPTS / "mlops-config"), "run", "serving", "-e", "dev", "-C", str(project)]
    command += ["--package", str(folder / "ours"), "--port", str(port)]
    with _running(command, {"MLOPS_MODEL_VERSION": "1"}, port, "/readyz", folder / "ours.log"):
        yield port


@contextmanager
def _mlflow(folder: Path) -> Iterator[int]:
    port = _free_port()
    command = [str(SCRIPTS / "mlflow"), "models", "serve", "--model-uri", str(folder / "mlflow")]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with _running(command, {"MLFLOW_DISABLE_TELEMETRY": "true"}, port, "/ping", folder / "mlflow.log"):
        yield port


@contextmanager
def _running(
    command: Sequence[str], variables: Mapping[str, str], port: int, path: str, log: Path
) -> Iterator[None]:
    path_variable = os.pathsep.join([str(SCRIPTS), os.environ.get("PATH", "")])
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables, "PATH": path_variable},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(port, path):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command} does not answer:\n{log.read_text()}")
                time.sleep(0.1)
            yield
        finally:
            os.killpg(process.pid, 15)
            process.wait(timeout=60)


def _answers(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _loads(
    servers: Mapping[str, int], body: bytes, seconds: float, rounds: int
) -> dict[tuple[int, str], Load]:
    taken: dict[tuple[int, str], list[float]] = {}
    rates: dict[tuple[int, str], list[float]] = {}
    failures: dict[tuple[int, str], int] = {}
    for _ in range(rounds):
        for clients in CLIENTS:
            for label, port in servers.items():
                key = (clients, label)
                asyncio.run(_ask(port, body, clients, WARM_SECONDS))
                latencies, failed, took = asyncio.run(_ask(port, body, clients, seconds))
                taken.setdefault(key, []).extend(latencies)
                rates.setdefault(key, []).append(len(latencies) / took)
                failures[key] = failures.get(key, 0) + failed
    return {key: _summary(taken[key], rates[key], failures[key]) for key in taken}


def _summary(latencies: list[float], rates: list[float], failed: int) -> Load:
    cuts = statistics.quantiles((each * 1000 for each in latencies), n=100)
    return Load(
        p50=cuts[49],
        p95=cuts[94],
        p99=cuts[98],
        rate=statistics.median(rates),
        rate_low=min(rates),
        rate_high=max(rates),
        failed=failed,
    )


async def _ask(port: int, body: bytes, clients: int, seconds: float) -> tuple[list[float], int, float]:
    """Latencies in seconds of the requests that were answered 200, failures, and the seconds it took."""
    head = (
        f"POST /invocations HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    started = time.perf_counter()
    until = started + seconds
    answers = await asyncio.gather(*(_client(port, request, until) for _ in range(clients)))
    latencies = [each for found, _ in answers for each in found]
    return latencies, sum(failed for _, failed in answers), time.perf_counter() - started


async def _client(port: int, request: bytes, until: float) -> tuple[list[float], int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies, failed = [], 0
    try:
        while (sent := time.perf_counter()) < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].partition(b":")[2]))
            if head.startswith(b"HTTP/1.1 200"):
                latencies.append(time.perf_counter() - sent)
            else:
                failed += 1
    finally:
        writer.close()
        await writer.wait_closed()
    return latencies, failed


def _table(loads: Mapping[tuple[int, str], Load]) -> str:
    lines = [
        "| clients | server | p50 (ms) | p95 (ms) | p99 (ms) | requests/s | lowest to highest | failed |"
        " throughput to MLflow | p95 to MLflow |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (clients, label), load in loads.items():
        peer = loads[clients, MLFLOW]
        ratios = "1 (baseline) | 1 (baseline)"
        if label != MLFLOW:
            ratios = f"{load.rate / peer.rate:.1f} | {load.p95 / peer.p95:.3f}"
        lines.append(
            f"| {clients} | {label} | {load.p50:.2f} | {load.p95:.2f} | {load.p99:.2f} | {load.rate:,.0f} |"
            f" {load.rate_low:,.0f} to {load.rate_high:,.0f} | {load.failed} | {ratios} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(measure())

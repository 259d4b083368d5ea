"""The server as a process: started by the command, asked over a socket, ended by a signal."""

import errno
import html
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlops_config.alerting.labels import identity_labels
from mlops_config.alerting.series import DRIFT_SHARE
from mlops_config.console import TerminalConsole
from mlops_config.deploy import packages
from mlops_config.errors import INTERRUPTED_EXIT_CODE, IntegrityError, UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event, ModelReference
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.metrics.export import Sample, destination, export
from mlops_config.runtime.model.storage import write_package
from mlops_config.runtime.opening import Request, open_context
from mlops_config.runtime.serving import loading
from mlops_config.runtime.serving.limits import Limits
from mlops_config.runtime.serving.loading import Loaded, load
from mlops_config.runtime.serving.server import _app, run
from mlops_config.runtime.tracking.interface import Run
from tests.runtime.projects import Project, write_trips
from tests.runtime.serving.scenes import ROW, asked, monitoring, package
from tests.runtime.training.registries import MemoryRegistry
from tests.services.processes import free_port, until_listening

BODY = json.dumps({"rows": [ROW]}).encode()
JSON = {"content-type": "application/json"}
_PATIENCE = 6
"""Times half a minute: importing what reads a model takes long on a busy machine."""


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the ridge regression, as files."""
    folder = tmp_path_factory.mktemp("package")
    write_package(package(), folder)
    return folder


@pytest.fixture(scope="session")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trips(tmp_path_factory.mktemp("serving") / "trips.csv", rows=20)


@pytest.fixture
def project(tmp_path: Path, trips: Path) -> Project:
    return made_in(tmp_path / "project", trips)


def made_in(folder: Path, trips: Path) -> Project:
    folder.mkdir()
    made = Project(folder, trips)
    # The example's extra column comes with few requests; here all of them are looked at.
    made.edit(Kind.INFERENCE, "retention: P7D", "retention: P7D\n  sampling_percent: 100")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return made


@dataclass
class Running:
    """A server process."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path
    root: Path
    host: str = "127.0.0.1"

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body, JSON if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def say(self, data: bytes) -> bytes:
        """Everything the server answers to these bytes until it closes."""
        with socket.create_connection((self.host, self.port), timeout=30) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(65_536):
                parts.append(part)
        return b"".join(parts)


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, trips: Path, model_folder: Path
) -> Iterator[tuple[Running, Running]]:
    """Two servers, each with a project of its own: they start side by side, and each test ends one.

    The second listens on IPv6 where the machine has it.
    """
    running = [
        started(tmp_path_factory.mktemp("server") / "project", trips, model_folder, host)
        for host in ("127.0.0.1", "::1" if has_ipv6() else "127.0.0.1")
    ]
    try:
        for each in running:
            until_ready(each)
        yield running[0], running[1]
    finally:
        for each in running:
            each.process.kill()
            each.process.wait(timeout=30)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def started(folder: Path, trips: Path, model: Path, host: str) -> Running:
    project, port, log = made_in(folder, trips), free_port(), folder.parent / "server.log"
    command = [sys.executable, "-m", "mlops_config", "run", "serving", "--environment", "dev"]
    command += ["--root", str(project.folder), "--package", str(model), "--host", host, "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | {"MLOPS_MODEL_VERSION": "7"}, stdout=output, stderr=output
        )
    return Running(process, port, log, project.folder, host)


def until_ready(server: Running) -> None:
    """Returns once the server accepts connections; its socket is bound earlier, but does not listen."""
    for _ in range(_PATIENCE):
        try:
            until_listening(server.port, server.process, server.log, host=server.host)
        except RuntimeError:
            if server.process.poll() is not None:
                raise
        else:
            return
    raise RuntimeError(server.log.read_text())


@dataclass
class Caller(threading.Thread):
    """Asks on one connection until the server says that it ends; remembers what went wrong."""

    port: int
    under_way: threading.Semaphore
    ids: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            while True:
                connection.request("POST", "/predict", BODY, JSON)
                answer = connection.getresponse()
                data = answer.read()
                if answer.status != 200:
                    self.wrong.append(f"{answer.status}: {data!r}")
                    return
                self.ids += [one["prediction_id"] for one in json.loads(data)["predictions"]]
                self.under_way.release()
                if answer.getheader("connection") == "close":
                    return
        except OSError as error:
            self.wrong.append(repr(error))
        finally:
            connection.close()


def test_a_server_speaks_http_and_ends_without_failing_a_request(servers: tuple[Running, Running]) -> None:
    server, _ = servers
    assert server.ask("GET", "/readyz")[0] == 200
    chunked = (
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n"
        b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    )
    assert server.say(chunked).startswith(b"HTTP/1.1 200 OK")
    assert server.say(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    promised = head + b"content-length: 99999999\r\n\r\n"
    assert server.say(promised).startswith(b"HTTP/1.1 413 ")

    under_way = threading.Semaphore(0)
    callers = [Caller(server.port, under_way) for _ in range(6)]
    for caller in callers:
        caller.start()
    for _ in range(60):
        assert under_way.acquire(timeout=60)
    server.process.send_signal(signal.SIGTERM)
    for caller in callers:
        caller.join(timeout=60)
    assert server.process.wait(timeout=60) == 0, server.log.read_text()

    assert [caller.wrong for caller in callers] == [[]] * 6
    answered = [one for caller in callers for one in caller.ids]
    assert len(set(answered)) == len(answered) >= 60
    captured = [
        one
        for path in (server.root / "build" / "dev" / "capture").rglob("*.parquet")
        for one in pq.read_table(path, partitioning=None).column("prediction_id").to_pylist()
    ]
    assert set(answered) <= set(captured)
    assert len(captured) == len(answered) + 1, "each answer is captured once"

    [entry] = context_of(server.root).ledger.entries()
    assert entry.event is Event.SERVED
    assert entry.job_id == answered[0].partition("-")[0]
    assert entry.model is not None
    assert entry.model.version == 7
    assert entry.config_digest == context_of(server.root).config_digest


def context_of(root: Path) -> JobContext:
    return open_context(Request(environment="dev", root=root), TerminalConsole(quiet=True))


def test_an_address_of_ipv6_stands_in_brackets(servers: tuple[Running, Running]) -> None:
    _, server = servers
    if server.host != "::1":
        pytest.skip("this machine has no IPv6")
    url = f"http://[::1]:{server.port}"
    assert server.ask("GET", "/readyz")[0] == 200
    assert f"at {url}\n" in server.log.read_text()
    page = html.unescape(server.ask("GET", "/docs")[1].decode())
    assert f"curl '{url}/predict'" in page, "brackets are a pattern to a shell"
    [entry] = context_of(server.root).ledger.entries()
    assert entry.uri == url


def test_a_second_signal_ends_the_server_at_once(servers: tuple[Running, Running]) -> None:
    _, server = servers
    # A request whose body never comes would hold a server that only ends politely.
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
        server.process.send_signal(signal.SIGTERM)
        while server.ask("GET", "/readyz")[0] != 503:
            pass
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == INTERRUPTED_EXIT_CODE


def test_a_port_that_is_taken_is_told_before_the_model_is_loaded(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            run(context_of(project.folder), port=port, package="/nowhere")
    assert caught.value.hint == "another server may be there: say --port with a free one, or end the other"


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "nowhere.invalid"])
def test_an_address_that_is_another_machines_is_told(project: Project, host: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    with pytest.raises(UsageError, match=re.escape(f"cannot listen on {shown}:8081: ")) as caught:
        run(context_of(project.folder), host=host, port=8081, package="/nowhere")
    assert caught.value.hint == "say --host with an address of this machine; 0.0.0.0 is all of them"


def test_a_family_of_addresses_that_the_kernel_lacks_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_ipv6(family: int, *_: Any) -> socket.socket:
        assert family == socket.AF_INET6
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    context = context_of(project.folder)
    monkeypatch.setattr(socket, "socket", without_ipv6)
    with pytest.raises(UsageError, match=re.escape("cannot listen on [::1]:8081: Address family")) as caught:
        run(context, host="::1", port=8081, package="/nowhere")
    assert caught.value.hint == "say --host with an address of this machine; 0.0.0.0 is all of them"


def test_a_port_that_is_none_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIP_HTTP_PORT", "http")
    with pytest.raises(UsageError, match="AIP_HTTP_PORT='http' is no port"):
        run(context_of(project.folder), package="/nowhere")


def test_a_damaged_model_is_an_integrity_failure(
    project: Project, model_folder: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in model_folder.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    model = bytearray((damaged / "model.skops").read_bytes())
    model[len(model) // 2] ^= 1
    (damaged / "model.skops").write_bytes(model)
    with pytest.raises(IntegrityError) as caught:
        run(context_of(project.folder), port=free_port(), package=damaged, model_version=7)
    assert caught.value.exit_code == 4


def archived(model_folder: Path, folder: Path) -> Path:
    """The package as the SageMaker deployer publishes it."""
    path = folder / packages.ARCHIVE_NAME
    path.write_bytes(packages.archive({file.name: file for file in model_folder.iterdir()}))
    return path


def test_a_package_comes_from_an_archive_or_a_cloud_folder(
    project: Project, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(project.folder)
    archive = archived(model_folder, tmp_path)
    assert load(context, str(archive), 4).model.version == 4
    assert load(context, archive.as_uri(), 4).package.tags == package().tags
    relative = os.path.relpath(archive, project.folder)
    assert load(context, f"file://./{relative}", 4).package.tags == package().tags
    monkeypatch.setattr(loading, "SAGEMAKER_MODEL", model_folder)
    monkeypatch.setenv("MLOPS_MODEL_VERSION", "5")
    assert load(context).model.version == 5
    monkeypatch.setenv("AIP_STORAGE_URI", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="there is no model package at"):
        load(context)
    monkeypatch.setenv("MLOPS_PACKAGE", str(model_folder))
    assert load(context).origin == str(model_folder)


def test_a_package_of_no_known_version_is_not_served(project: Project, model_folder: Path) -> None:
    with pytest.raises(UsageError, match="does not say which version"):
        load(context_of(project.folder), str(model_folder))


def test_an_archive_is_unpacked_into_its_folder_and_nowhere_else(project: Project, tmp_path: Path) -> None:
    archive, outside = tmp_path / "model.tar.gz", tmp_path / "project" / "configs" / "evil"
    with tarfile.open(archive, "w:gz") as file:
        for name in ("../../../configs/evil", str(outside), "model.skops"):
            member = tarfile.TarInfo(name)
            if name == "model.skops":
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(member)
    with pytest.raises(IntegrityError, match=r"model.skops in .* is no file of a model package"):
        load(context_of(project.folder), str(archive), 1)
    assert not outside.exists()


def test_an_archive_that_was_cut_short_is_an_integrity_failure(
    project: Project, model_folder: Path, tmp_path: Path
) -> None:
    archive = archived(model_folder, tmp_path)
    archive.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(IntegrityError, match="is no archive that can be read"):
        load(context_of(project.folder), str(archive), 1)


def test_an_alias_nobody_has_is_a_sentence(project: Project) -> None:
    class Empty:
        uri = "sqlite:///models.db"

        def by_alias(self, _name: str, _alias: str) -> None:
            return None

    context = replace(context_of(project.folder), registry=Empty())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"trip-fare-dev has no alias champion in sqlite:///models.db"):
        load(context)


def test_a_model_that_another_environment_trained_is_not_served(project: Project, tmp_path: Path) -> None:
    registry = MemoryRegistry(tmp_path / "registry")
    for environment in ("dev", "prod"):
        tags = {"mlops.environment": environment}
        trained = Run(experiment="e", name="r", parameters={}, metrics={}, tags=tags)
        registry.record(trained, package(), registered_model_name="trip-fare-dev")
    context = replace(context_of(project.folder), registry=registry)
    registry.set_alias("trip-fare-dev", "champion", 1)
    assert load(context).model.version == 1
    registry.set_alias("trip-fare-dev", "champion", 2)
    with pytest.raises(IntegrityError, match="version 2 was trained in prod; dev does not serve it"):
        load(context)


def test_a_package_that_another_environment_made_is_not_served(project: Project, tmp_path: Path) -> None:
    foreign = replace(package(), tags={**package().tags, "mlops.environment": "prod"})
    write_package(foreign, tmp_path / "foreign")
    with pytest.raises(IntegrityError, match="was trained in prod; dev does not serve it"):
        load(context_of(project.folder), str(tmp_path / "foreign"), 1)


@pytest.mark.parametrize("transport", ["scrape", "textfile"])
def test_the_jobs_series_are_scraped_here_where_the_configuration_says_so(
    project: Project, transport: str
) -> None:
    settings = {"transport": transport, "labels": {"team": "fares", "group": "rides"}}
    context, watched = context_of(project.folder), monitoring((("metrics",), settings))
    context = replace(context, configs=replace(context.configs, monitoring=watched))
    folder = destination(context.root).directory
    application = _app(context, Loaded(package(), ModelReference(name="m", version=1), "here"), "", Limits())
    # Written after the server has started, as a job does.
    export([Sample(DRIFT_SHARE, 0.25)], watched, directory=folder, pushgateway_url=None, job="monitoring")
    with asked(application) as found:
        text = found.get("/metrics").body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["mlops_serving_info"].samples[0].labels.items() >= identity_labels(watched).items()
    if transport == "textfile":
        assert "mlops_drift_share_fraction" not in families
        return
    [sample] = families["mlops_drift_share_fraction"].samples
    assert (sample.value, sample.labels) == (0.25, identity_labels(watched))

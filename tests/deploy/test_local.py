"""What only the deployer of this machine does: processes, their identity, and traffic that never breaks."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops_config.deploy.interface import DeployFailedError, State
from mlops_config.deploy.local import loopback
from mlops_config.deploy.local.processes import Process, Processes
from mlops_config.deploy.local.router import REVISION_HEADER
from mlops_config.deploy.local.state import EndpointFolder, Routes
from mlops_config.errors import ServiceError, UsageError
from mlops_config.store.locks import exclusive
from tests.deploy.examples import CANARY, ENDPOINT, LINEAR, ROWS, TestClock, quiet
from tests.deploy.providers import DIES, LocalProvider

ROOT = Path(__file__).resolve().parents[2]
BODY = json.dumps({"instances": list(ROWS)})


def folder_of(local: LocalProvider) -> EndpointFolder:
    return EndpointFolder(local.root / ".mlops-config" / "endpoints" / ENDPOINT)


def server_of(local: LocalProvider, version: int) -> Process:
    """The running server of a version."""
    state = folder_of(local).load()
    assert state is not None
    program = state.revisions[local.deployment(version).revision.id].program
    assert program is not None
    assert program.process is not None
    return program.process


class Hammer:
    """Clients that send requests without a pause and count the answers; half of them keep connections."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self._port = port
        self._stop = threading.Event()
        self.answers: Counter[str] = Counter()
        self.seen = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number % 2 == 0,)) for number in range(clients)
        ]

    def _run(self, keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/invocations", body=BODY)
                answer = connection.getresponse()
                answer.read()
                self.answers[f"{answer.status} {answer.headers.get(REVISION_HEADER)}"] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[repr(error)] += 1
            self.seen.set()
            if not keep:
                connection.close()
        connection.close()

    def __enter__(self) -> "Hammer":
        for thread in self._threads:
            thread.start()
        assert self.seen.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_no_request_fails_while_revisions_change(local: LocalProvider) -> None:
    local.open().deploy(local.deployment(1), quiet)
    names = {local.deployment(version).revision.name for version in range(1, 5)}
    with Hammer(local.port) as hammer:
        local.open().deploy(local.deployment(2, rollout=CANARY), quiet)
        local.open().deploy(local.deployment(3, rollout=LINEAR), quiet)
        local.open().rollback(ENDPOINT, quiet)
        local.open().deploy(local.deployment(4), quiet)
    assert set(hammer.answers) <= {f"200 {name}" for name in names}, hammer.answers
    assert sum(hammer.answers.values()) > 100


def test_the_old_server_is_ended_only_when_its_last_request_is_answered(
    local: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = local.deployment(1), local.deployment(2)
    local.open().deploy(first, quiet)
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=60)
    connection.request("POST", "/invocations", body=b'{"instances": [{"hold": true}]}')
    get = loopback.get

    def let_go_when_waited_for(port: int, path: str, **more: float) -> tuple[int, bytes] | None:
        answer = get(port, path, **more)
        status = loopback.document_of(answer) or {}
        # Made by the first deploy, the move of the traffic, and the beginning of the drain.
        if status.get("generation") == 3 and first.revision.id in status["in_flight"]:
            Path(first.revision.package_uri, "go").touch()
        return answer

    monkeypatch.setattr(loopback, "get", let_go_when_waited_for)
    local.open().deploy(second, quiet)
    answer = connection.getresponse()
    assert answer.headers[REVISION_HEADER] == first.revision.name
    assert json.loads(answer.read()) == {"predictions": [1]}
    connection.close()


def test_no_request_fails_while_a_bad_revision_is_taken_back(local: LocalProvider) -> None:
    first, second = local.deployment(1), local.deployment(2, rollout=CANARY)
    local.open().deploy(first, quiet)
    with Hammer(local.port) as hammer:
        local.fire("fare-errors")
        with pytest.raises(DeployFailedError):
            local.open().deploy(second, quiet)
    assert set(hammer.answers) <= {f"200 {each.revision.name}" for each in (first, second)}, hammer.answers


@pytest.mark.parametrize(
    ("rollout", "percents"), [(CANARY, [10, 100]), (LINEAR, [40, 80, 100])], ids=["canary", "linear"]
)
def test_traffic_moves_in_the_rollouts_steps(
    local: LocalProvider, rollout: dict[str, object], percents: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    local.open().deploy(local.deployment(1), quiet)
    second = local.deployment(2, rollout=rollout)
    written: list[Routes] = []
    route = EndpointFolder.route

    def recorded(self: EndpointFolder, *given: object) -> Routes:
        written.append(route(self, *given))  # type: ignore[arg-type]
        return written[-1]

    monkeypatch.setattr(EndpointFolder, "route", recorded)
    local.open().deploy(second, quiet)
    shares = [{each.name: each.percent for each in routes.routes} for routes in written]
    assert [share[second.revision.name] for share in shares[: len(percents)]] == percents
    assert all(sum(share.values()) == 100 for share in shares)


def test_each_step_is_watched_and_the_old_server_kept_as_long_as_the_rollout_says(
    local: LocalProvider,
) -> None:
    local.open().deploy(local.deployment(1), quiet)
    second = local.deployment(2, rollout=CANARY | {"wait": "PT10M", "termination_wait": "PT20M"})
    start = local.clock.now
    local.open().deploy(second, quiet)
    assert 40 * 60 <= local.clock.now - start < 42 * 60
    assert max(local.clock.slept) <= 15


def test_an_alarm_during_the_termination_wait_still_brings_the_old_one_back(local: LocalProvider) -> None:
    first = local.deployment(1)
    local.open().deploy(first, quiet)
    second = local.deployment(2, rollout=CANARY | {"termination_wait": "PT20M"})

    def fire_when_all_moved(line: str) -> None:
        if "has 100 %" in line:
            local.fire("fare-errors")

    with pytest.raises(DeployFailedError, match="fare-errors fired"):
        local.open().deploy(second, fire_when_all_moved)
    status = local.open().status(ENDPOINT)
    assert status is not None
    assert status.traffic == {first.revision.name: 100}


def test_it_is_found_again_after_the_process_that_deployed_it_has_ended(local: LocalProvider) -> None:
    another = (
        "from pathlib import Path; from tests.deploy.providers import LocalProvider;"
        f" local = LocalProvider(Path({str(local.root)!r})); local.port = {local.port};"
        " local.open().deploy(local.deployment(1), print)"
    )
    subprocess.run([sys.executable, "-c", another], cwd=ROOT, check=True, timeout=120, capture_output=True)
    assert os.getsid(server_of(local, 1).pid) == server_of(local, 1).pid
    assert local.open().predict(ENDPOINT, ROWS) == [1, 1]


def test_after_a_restart_of_the_machine_it_says_so_and_a_deploy_starts_it_again(
    local: LocalProvider,
) -> None:
    deployment = local.deployment(1)
    local.open().deploy(deployment, quiet)
    local.go_down()
    Processes().stop(server_of(local, 1), limit=10)
    status = local.open().status(ENDPOINT)
    assert status is not None
    assert status.state is State.FAILED
    assert status.reason is not None
    assert "is not running and its router is not running; deploy again" in status.reason
    assert local.open().deploy(deployment, quiet).state is State.IN_SERVICE
    assert local.open().predict(ENDPOINT, ROWS) == [1, 1]


def test_a_new_revision_replaces_one_whose_server_died(local: LocalProvider) -> None:
    local.open().deploy(local.deployment(1), quiet)
    Processes().stop(server_of(local, 1), limit=10)
    with pytest.raises(ServiceError, match="503"):
        local.open().predict(ENDPOINT, ROWS)
    local.open().deploy(local.deployment(2, rollout=CANARY), quiet)
    assert local.open().predict(ENDPOINT, ROWS) == [2, 2]


@contextmanager
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else's."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.communicate(b"\n")


def test_a_process_that_got_the_number_of_ours_is_left_alone(local: LocalProvider) -> None:
    local.open().deploy(local.deployment(1), quiet)
    ours = server_of(local, 1)
    Processes().stop(ours, limit=10)
    with stranger() as other:
        file = folder_of(local).path / "state.json"
        file.write_text(file.read_text().replace(f'"pid": {ours.pid}', f'"pid": {other.pid}'))
        status = local.open().status(ENDPOINT)
        assert status is not None
        assert status.state is State.FAILED
        local.open().delete(ENDPOINT, quiet)
        assert other.poll() is None


def test_a_server_that_was_started_but_not_written_down_is_found_and_not_started_twice(
    tmp_path: Path,
) -> None:
    processes = Processes(TestClock().pace())
    token = processes.new_token()
    assert processes.find(token) is None
    process = processes.start(
        [sys.executable, "-S", "-c", "import time; time.sleep(600)"],
        variables={},
        token=token,
        log=tmp_path / "log",
    )
    try:
        # For an instant after its start a process has no environment that others can read.
        found = TestClock().pace().until(lambda: Processes().find(token), limit=60, every=0.01)
        assert found == process
    finally:
        processes.stop(process, limit=10)
    assert not processes.alive(process)


def test_a_process_that_will_not_end_is_ended(tmp_path: Path) -> None:
    processes = Processes(TestClock().pace())
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
    log = tmp_path / "log"
    process = processes.start([sys.executable, "-S", "-c", deaf], variables={}, token="t", log=log)
    TestClock().pace().until(lambda: log.read_text() or None, limit=60, every=0.01)
    processes.stop(process, limit=0.05)
    assert not processes.alive(process)


def test_a_port_in_use_is_a_sentence(local: LocalProvider) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", local.port))
        other.listen()
        with pytest.raises(UsageError, match=f"port {local.port} of 127.0.0.1 is in use"):
            local.open().deploy(local.deployment(1), quiet)
    assert local.open().status(ENDPOINT) is None


def test_another_port_moves_the_router(local: LocalProvider) -> None:
    local.open().deploy(local.deployment(1), quiet)
    before = local.port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        local.port = probe.getsockname()[1]
    status = local.open().deploy(local.deployment(2), quiet)
    assert status.url == f"http://127.0.0.1:{local.port}"
    assert local.open().predict(ENDPOINT, ROWS) == [2, 2]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", before))


def test_two_deploys_at_once_do_not_mix(local: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    local.open().deploy(local.deployment(1), quiet)
    monkeypatch.setattr("mlops_config.deploy.local.deployer._LOCK_SECONDS", 0.0)
    with (
        exclusive(local.root / ".mlops-config" / "endpoints" / f"{ENDPOINT}.lock"),
        pytest.raises(ServiceError, match="another process has held the lock"),
    ):
        local.open().deploy(local.deployment(2), quiet)


def test_the_servers_last_words_are_in_the_message(local: LocalProvider) -> None:
    with pytest.raises(DeployFailedError, match="ended before it was ready: the model file is damaged") as e:
        local.open().deploy(local.deployment(1, DIES), quiet)
    assert e.value.hint is not None
    assert e.value.hint.endswith(f"server-{local.deployment(1, DIES).revision.id}.log")


def test_a_state_file_that_is_not_ours_is_a_sentence(local: LocalProvider) -> None:
    folder = folder_of(local)
    folder.path.mkdir(parents=True)
    (folder.path / "state.json").write_text('{"schema_version": 7}')
    with pytest.raises(Exception, match="is not what this version writes"):
        local.open().status(ENDPOINT)
    (folder.path / "state.json").unlink()

"""Servers of a block end with it, with whatever they started, and however the block ends."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tools.loop.servers import MARK, ServerError, Servers, free_port

ROOT = Path(__file__).resolve().parent.parent
SERVER = """
import socket, subprocess, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
place = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
# Airflow's tasks run their jobs like this: in a session, and so a process group, of their own.
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""
DRIVER = """
import sys
from pathlib import Path
from tools.loop.servers import MARK, Servers
with Servers(Path(sys.argv[1])) as servers:
    servers.start("server", [sys.executable, "-c", sys.argv[2], "127.0.0.1", sys.argv[3]])
    server = servers.start("waits", [sys.executable, "-c", "import time; time.sleep(600)"])
    server.until(lambda: "ready" in Path(sys.argv[1], "server.log").read_text())
    environment = Path(f"/proc/{server.process.pid}/environ").read_text()
    print(next(each for each in environment.split(chr(0)) if each.startswith(MARK)), flush=True)
    server.until(lambda: False)
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found through /proc")


def test_what_a_server_started_in_a_session_of_its_own_ends_with_the_block(tmp_path: Path) -> None:
    with Servers(tmp_path) as servers:
        start(servers, "127.0.0.1", free_port())
        assert len(servers.processes()) == 2
    assert servers.processes() == []


def test_a_block_leaves_the_processes_of_another_alone(tmp_path: Path) -> None:
    with Servers(tmp_path / "one") as one:
        start(one, "127.0.0.1", free_port())
        with Servers(tmp_path / "two") as two:
            start(two, "127.0.0.1", free_port())
        assert len(one.processes()) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_it_tells_where_its_processes_listen_and_nobody_elses(tmp_path: Path, host: str) -> None:
    port = free_port()
    with Servers(tmp_path) as servers, socket.create_server(("127.0.0.1", 0)):
        start(servers, host, port)
        assert servers.listeners() == [(host, port)]


def test_a_server_that_ends_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    with Servers(tmp_path) as servers:
        ends = "import sys; print('no such luck'); sys.exit(3)"
        server = servers.start("ends", [sys.executable, "-c", ends], address="http://127.0.0.1:9")
        with pytest.raises(ServerError, match=r"(?s)ends ended with 3.*no such luck"):
            server.until_healthy()


def test_an_interrupted_driver_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVER, str(tmp_path), SERVER, str(free_port())]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as driver:
        assert driver.stdout is not None
        mark = driver.stdout.readline().strip()
        assert len(marked(mark)) == 3
        driver.send_signal(signal.SIGINT)
    assert marked(mark) == []


def start(servers: Servers, host: str, port: int) -> None:
    server = servers.start("server", [sys.executable, "-c", SERVER, host, str(port)])
    server.until(lambda: "ready" in server.tail())


def marked(mark: str) -> list[str]:
    """Ids of the processes that have this variable."""
    assert mark.startswith(f"{MARK}=")
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = path.joinpath("environ").read_text(errors="replace")
        except OSError:
            continue
        if mark in environment.split("\0"):
            found.append(path.name)
    return found

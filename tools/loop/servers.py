"""Real servers on free ports of 127.0.0.1, for the loop and for the tests; none of them outlives its block.

    with Servers(folder) as servers:
        mlflow = start_mlflow(servers, folder / "mlflow.db")
        airflow = Airflow(servers, folder / "airflow")     # servers_airflow.py
        airflow.start()
        mlflow.until_healthy()
        airflow.until_healthy()

Whatever ends the block ends every process that was started in it, with all that they started. Standard
library only.
"""

import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = "MLOPS_SERVERS"
"""Variable that every process of a block inherits."""
_LIMIT_SECONDS = 240.0
_GRACE_SECONDS = 2.0
_END_SECONDS = 20.0
_POLL_SECONDS = 0.05
_LOG_LETTERS = 4000
_LISTENING = "0A"


class ServerError(RuntimeError):
    """A server did not come up; the message ends with what it said."""


class Server:
    """A process that was started, and where it answers."""

    def __init__(
        self, name: str, process: "subprocess.Popen[bytes]", log: Path, address: str, health: str
    ) -> None:
        self.name = name
        self.process = process
        self.log = log
        self.address = address
        self._health = health

    def until_healthy(self) -> str:
        """The address, once the server answers there.

        Raises:
            ServerError: it ended, or does not answer within minutes.
        """
        self.until(lambda: answers(self.address + self._health))
        return self.address

    def until(self, reached: Callable[[], bool], limit: float = _LIMIT_SECONDS) -> None:
        """Returns once ``reached()`` is true; ``limit`` is in seconds.

        Raises:
            ServerError: the server ended before, or it took too long.
        """
        deadline = time.monotonic() + limit
        while not reached():
            if self.process.poll() is not None:
                raise ServerError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} is not ready after {limit:.0f} s:\n{self.tail()}")
            time.sleep(_POLL_SECONDS)

    def tail(self) -> str:
        """The end of what it said."""
        return self.log.read_text(errors="replace")[-_LOG_LETTERS:]

    def signal(self, number: int) -> None:
        """Sends a signal to it and what it started, but for those that went into a session of their own."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Ends it at once, with no chance to tidy up, and what is in its process group."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def kill_alone(self) -> None:
        """Ends it at once and leaves orphans of what it started, as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait()


class Servers:
    """A block's processes: started in it, and ended when it ends, however it ends.

    Each inherits :data:`MARK` with a value of this block's own, and is found by it even when it left the
    process group of what started it, as the jobs of Airflow's tasks do. Where there is no ``/proc`` (macOS)
    the process groups have to do.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        """Logs go to ``folder``; ``variables`` are for every process, beside those of this one."""
        self.folder = folder
        self._mark = secrets.token_hex(8)
        # A process that shows its state as its title writes it over its variables, if it is let.
        self._variables = {**(variables or {}), "SPT_NOENV": "1", MARK: self._mark}
        self._started: list[Server] = []

    @property
    def variables(self) -> Mapping[str, str]:
        """What a process inherits that is started elsewhere and is to end with this block all the same."""
        return dict(self._variables)

    def __enter__(self) -> "Servers":
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        with _undisturbed():
            self._end()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        address: str = "",
        health: str = "",
        variables: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> Server:
        """Starts a process; its output goes to ``<folder>/<name>.log``.

        ``variables`` are its own; ``without`` are beginnings of those it does not inherit. ``address`` with
        ``health`` is where a healthy one answers with 200.
        """
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(tuple(without))}
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                env=inherited | self._variables | dict(variables or {}),
                cwd=cwd or self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        server = Server(name, process, log, address, health)
        self._started.append(server)
        return server

    def processes(self) -> list[int]:
        """Ids of every process of this block that runs now."""
        wanted = f"{MARK}={self._mark}".encode()
        return [pid for pid in _all_processes() if wanted in _environment(pid)]

    def listeners(self) -> list[tuple[str, int]]:
        """Addresses and TCP ports that processes of this block listen on."""
        sockets = {inode for pid in self.processes() for inode in _sockets(pid)}
        return sorted({place for inode, place in _listening() if inode in sockets})

    def _end(self) -> None:
        self._until_gone(signal.SIGTERM, _GRACE_SECONDS)
        left = self._until_gone(signal.SIGKILL, _END_SECONDS)
        for server in self._started:
            server.process.wait()
        if left:
            raise ServerError(f"processes {left} do not end")

    def _until_gone(self, number: int, limit: float) -> list[int]:
        """Sends a signal to every process there is, and to those that come; those left after ``limit``."""
        deadline = time.monotonic() + limit
        told: set[int] = set()
        while True:
            left = self.processes()
            left += [each.process.pid for each in self._started if each.process.poll() is None]
            if not left or time.monotonic() > deadline:
                return left
            for server in self._started:
                if server.process.pid in left and server.process.pid not in told:
                    server.signal(number)
            for pid in set(left) - told:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            told.update(left)
            time.sleep(_POLL_SECONDS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(url: str, timeout: float = 5.0) -> bool:
    """Whether a GET of ``url`` is answered with 200 now, or within ``timeout`` seconds."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 http, ours
            return bool(answer.status == http.HTTPStatus.OK)
    except (OSError, http.client.HTTPException):
        return False


def start_mlflow(
    servers: Servers, database: Path, *, artifacts: Path | None = None, port: int | None = None
) -> Server:
    """An MLflow of this interpreter that keeps runs in the SQLite file ``database``.

    Artifacts go through the server to ``artifacts``, by default a folder beside the database.
    """
    port = port or free_port()
    database.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--artifacts-destination", str(artifacts or database.parent / "artifacts")]
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Neither runs here, and each takes processes and seconds.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "TMPDIR": str(database.parent),
    }
    address = f"http://127.0.0.1:{port}"
    return servers.start(
        "mlflow", command, address=address, health="/health", variables=quiet, cwd=database.parent
    )


def start_prometheus(servers: Servers, settings: Path, *, port: int | None = None) -> Server:
    """A Prometheus with a settings file; its data goes beside that.

    Raises:
        FileNotFoundError: the program is not there.
    """
    port = port or free_port()
    command = [
        _program("prometheus"),
        f"--config.file={settings}",
        f"--storage.tsdb.path={settings.parent / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-lifecycle",
    ]
    return servers.start("prometheus", command, address=f"http://127.0.0.1:{port}", health="/-/ready")


def start_pushgateway(servers: Servers, *, port: int | None = None) -> Server:
    """A push gateway that forgets everything when it ends.

    Raises:
        FileNotFoundError: the program is not there.
    """
    port = port or free_port()
    command = [_program("prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}"]
    return servers.start("pushgateway", command, address=f"http://127.0.0.1:{port}", health="/-/ready")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no {name} on PATH (Debian: apt-get install {name})")
    return found


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C waits until the block has ended."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _all_processes() -> list[int]:
    with suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 names only
    return []


def _environment(pid: int) -> frozenset[bytes]:
    """The variables it was started with; none for one that has ended, or is somebody else's."""
    with suppress(OSError):
        return frozenset(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    return frozenset()


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                target = os.readlink(descriptor.path)  # noqa: PTH115 no path: socket:[inode]
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]


def _listening() -> Iterator[tuple[str, tuple[str, int]]]:
    """Inode, and address with port, of each socket of the machine that listens (proc(5), /proc/net/tcp)."""
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with suppress(FileNotFoundError):
            for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING:
                    address, _, port = fields[1].partition(":")
                    yield fields[9], (_readable(address, family), int(port, 16))


def _readable(address: str, family: socket.AddressFamily) -> str:
    """An address as the kernel prints it: 32-bit words in hex, each in the machine's byte order."""
    words = [address[start : start + 8] for start in range(0, len(address), 8)]
    order = -1 if sys.byteorder == "little" else 1
    packed = b"".join(bytes.fromhex(word)[::order] for word in words)
    return socket.inet_ntop(family, packed)

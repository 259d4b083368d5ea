"""A real Airflow for the loop and the tests: its parts as processes, a database, and the DAG folder.

It listens on 127.0.0.1 alone: of ``airflow standalone``'s parts the log servers, which have no such option,
are left out, and the API server reads the tasks' logs from the folder they share.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tools.environments import AIRFLOW, ROOT, airflow
from tools.loop.servers import Server, ServerError, Servers, answers, free_port

PARTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server", "--workers", "1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""The parts by name, each with its command."""
HEALTH = "/api/v2/monitor/health"
TASK_HEALTH = "/execution/health"
_FOREIGN = ("AIRFLOW", "COVERAGE", "COV_CORE", "PYTHON", "VIRTUAL_ENV")
_HEALTHY_SECONDS = 120.0
_POLL_SECONDS = 0.1


class Airflow:
    """One Airflow: where it answers, its folders, and its parts to start, kill and restart."""

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        *,
        version: str = "3.3",
        port: int | None = None,
        users: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Everything it keeps lies below ``folder``.

        ``users`` are names with passwords, all of them admins; ``None``: anybody is one, without a login.
        ``settings`` are further variables, such as ``AIRFLOW__CORE__PARALLELISM``.
        """
        self._servers = servers
        self._python = airflow(version).python
        self.version = version
        """``3.3``: with the environment's name, not the patch."""
        self.folder = folder
        self.dags = folder / "dags"
        """The folder of DAG files."""
        self.deployments = self.dags / "mlops"
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._has_task_api = False
        self.parts: dict[str, Server] = {}
        """The parts that were started, by name."""
        self.variables = self._variables(users) | dict(settings or {})
        for each in (self.deployments, folder / "home"):
            each.mkdir(parents=True, exist_ok=True)
        # Airflow writes one with secrets where there is none, and its parts would do so at the same time.
        (folder / "home" / "airflow.cfg").touch()
        (folder / "passwords.json").write_text(json.dumps(dict(users or {})))

    def start(self, parts: Iterable[str] = tuple(PARTS)) -> None:
        """Starts the parts that are named, with a database that has its tables; waits for none of them."""
        database = self.folder / "home" / "airflow.db"
        if not database.exists():
            shutil.copyfile(_tables(self._servers, self.version), database)
        for name in parts:
            self._has_task_api &= name != "api-server"
            self.parts[name] = self._servers.start(
                f"airflow-{name}",
                [self._python, "-m", "airflow", *PARTS[name]],
                address=self.address,
                health=HEALTH,
                variables=self.variables,
                without=_FOREIGN,
                cwd=self.folder,
            )

    def until_healthy(self) -> str:
        """The address, once every part that was started says that it is well.

        Raises:
            ServerError: one ended, or they are not well within two minutes.
        """
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while not self._is_healthy():
            for part in self.parts.values():
                if part.process.poll() is not None:
                    raise ServerError(f"{part.name} ended with {part.process.returncode}:\n{part.tail()}")
            if time.monotonic() > deadline:
                said = "\n".join(f"{part.name}:\n{part.tail()}" for part in self.parts.values())
                raise ServerError(f"Airflow is not healthy after {_HEALTHY_SECONDS:.0f} s\n{said}")
            time.sleep(_POLL_SECONDS)
        return self.address

    def kill(self, name: str) -> None:
        """Ends a part at once, with its process group: of a scheduler, its workers too."""
        self.parts[name].kill()

    def kill_alone(self, name: str) -> None:
        """Ends a part's own process at once; what it started goes on, as its orphans."""
        self.parts[name].kill_alone()

    def stop(self, name: str) -> None:
        """Ends a part as an operator does; kills it when it takes longer than some seconds."""
        part = self.parts[name]
        part.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            part.process.wait(timeout=10)
        part.kill()

    def restart(self, name: str) -> None:
        """Starts a part again that was ended; does not wait for it."""
        self.start([name])

    def add_dags(self, files: Iterable[Path] | None = None) -> None:
        """Copies DAG files into the folder of DAGs, by default those of this repository."""
        for path in files if files is not None else sorted((ROOT / "dags").glob("*.py")):
            shutil.copyfile(path, self.dags / path.name)

    def command(self, *arguments: str) -> str:
        """What ``airflow`` with ``arguments`` prints; takes seconds.

        Raises:
            ServerError: it ended with another exit code than 0.
        """
        server = self._servers.start(
            f"airflow-{arguments[0]}-{secrets.token_hex(4)}",
            [self._python, "-m", "airflow", *arguments],
            variables=self.variables,
            without=_FOREIGN,
            cwd=self.folder,
        )
        return _finished(server)

    def _is_healthy(self) -> bool:
        if not answers(self.address + HEALTH):
            return False
        # The API of the tasks is built when it is asked first, for seconds in which nothing else is answered:
        # long enough for a task to give up.
        if "scheduler" in self.parts and not self._has_task_api:
            self._has_task_api = answers(self.address + TASK_HEALTH, timeout=_HEALTHY_SECONDS)
            if not self._has_task_api:
                return False
        with urllib.request.urlopen(self.address + HEALTH, timeout=5) as answer:  # noqa: S310 http, ours
            states = json.load(answer)
        wanted = [name.replace("-", "_") for name in self.parts if name != "api-server"]
        return all(states[name]["status"] == "healthy" for name in wanted)

    def _variables(self, users: Mapping[str, str] | None) -> dict[str, str]:
        home = self.folder / "home"
        settings = {
            "core__dags_folder": self.dags,
            "core__load_examples": False,
            "core__parallelism": 4,
            "core__execution_api_server_url": f"{self.address}/execution/",
            "core__fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "core__simple_auth_manager_all_admins": users is None,
            "core__simple_auth_manager_users": ",".join(f"{name}:admin" for name in users or ("admin",)),
            "core__simple_auth_manager_passwords_file": self.folder / "passwords.json",
            # A deployment that was changed is there within seconds, not minutes.
            "core__min_serialized_dag_update_interval": 0,
            "dag_processor__min_file_process_interval": 4,
            "dag_processor__refresh_interval": 1,
            "dag_processor__bundle_refresh_check_interval": 1,
            "dag_processor__parsing_processes": 1,
            "api__host": "127.0.0.1",
            "api__port": self.port,
            "api__base_url": self.address,
            "api__secret_key": secrets.token_hex(16),
            "api_auth__jwt_secret": secrets.token_hex(32),
            # So are a scheduler that is gone, and a task whose process is.
            "scheduler__job_heartbeat_sec": 1,
            "scheduler__scheduler_heartbeat_sec": 1,
            "scheduler__scheduler_idle_sleep_time": 0.5,
            "scheduler__scheduler_health_check_threshold": 10,
            "scheduler__orphaned_tasks_check_interval": 3,
            "scheduler__task_instance_heartbeat_timeout": 15,
            "scheduler__task_instance_heartbeat_timeout_detection_interval": 2,
            "workers__min_heartbeat_interval": 1,
            # A busy machine is no reason to give up.
            "workers__execution_api_timeout": 30,
            "triggerer__job_heartbeat_sec": 1,
            "logging__colored_console_log": False,
            "usage_data_collection__enabled": False,
        }
        named = {f"AIRFLOW__{key.upper()}": str(value) for key, value in settings.items()}
        path = os.pathsep.join([str(self._python.parent), os.environ.get("PATH", os.defpath)])
        return named | {
            "AIRFLOW_HOME": str(home),
            "MLOPS_DEPLOYMENTS": str(self.deployments),
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            "SCARF_ANALYTICS": "false",
        }


def _tables(servers: Servers, version: str) -> Path:
    """A database with Airflow's tables and nothing in them: making them takes seconds, a copy does not."""
    lock = hashlib.sha256(airflow(version).lock.read_bytes()).hexdigest()
    made = AIRFLOW / f"tables-{version}-{lock[:12]}.db"
    with (AIRFLOW / "tables.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not made.exists():
            _make_tables(servers, version, made)
    return made


def _make_tables(servers: Servers, version: str, made: Path) -> None:
    home = made.with_name(f"{made.name}.{secrets.token_hex(4)}")
    home.mkdir()
    try:
        (home / "airflow.cfg").touch()
        server = servers.start(
            "airflow-tables",
            [airflow(version).python, "-m", "airflow", "db", "migrate"],
            variables={"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            without=_FOREIGN,
        )
        _finished(server)
        (home / "airflow.db").replace(made)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _finished(server: Server) -> str:
    if server.process.wait():
        raise ServerError(f"{server.name} ended with {server.process.returncode}:\n{server.tail()}")
    return server.log.read_text(errors="replace")

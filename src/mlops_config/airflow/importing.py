"""Imports DAG files the way Airflow's DAG processor does, and writes down what they did meanwhile.

For :mod:`mlops_config.airflow.lint`, which starts this in a process of its own: an audit hook stays for good.
Each file is imported in a child, so none sees what another loaded.
"""

import json
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_EMPTY = 'from airflow.sdk import DAG\n\nempty = DAG("empty")\n'
_OUTSIDE = {
    "os.system": "runs a command in a shell",
    "os.exec": "becomes another program",
    "os.fork": "starts a process",
    "os.forkpty": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.remove": "removes a file",
    "os.rename": "renames a file",
    "os.mkdir": "makes a folder",
    "socket.bind": "listens on the network",
    "socket.getaddrinfo": "looks up a host's address",
    "socket.gethostbyname": "looks up a host's address",
    "subprocess.Popen": "starts a process",
}
"""By audit event: what a DAG file that raises it does."""
_SYSTEM_FILES = (
    *("/dev/null", "/dev/urandom", "/proc/"),
    *("/etc/localtime", "/usr/share/zoneinfo", "/usr/lib/locale"),
)


class Ear:
    """Hears what a DAG file does while it is imported."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """``allowed``: folders it may read files of."""
        self.heard: list[str] = []
        self.asked: list[str] = []
        self._allowed = (*allowed, *_SYSTEM_FILES)
        self._listens = False
        sys.addaudithook(self._hook)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hears what happens in the block."""
        self._listens = True
        try:
            yield
        finally:
            self._listens = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._listens:
            return
        self._listens = False  # what is asked below raises events of its own
        try:
            said = self._said(event, arguments)
            if said and said not in self.heard:
                self.heard.append(said)
        finally:
            self._listens = True

    def _said(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        if event == "open":
            return self._opened(*arguments)
        if event == "socket.connect":
            return f"connects to {arguments[1]}"
        if event == "sqlite3.connect":
            return f"opens the database {os.fsdecode(arguments[0])}"
        return _OUTSIDE.get(event)

    def _opened(self, path: Any, mode: Any, flags: Any) -> str | None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return None
        name = os.path.realpath(os.fsdecode(path))
        writes = bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
            return None if name == "/dev/null" else f"writes {name}"
        return None if name.startswith(self._allowed) else f"reads {name}"


def _allowed(files: Sequence[Path]) -> list[str]:
    """The standard library, installed packages, the DAG files' folders and the deployments."""
    from mlops_config.airflow.deployments import folder_of

    folders = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, *filter(None, sys.path)}
    folders |= {str(file.resolve().parent) for file in files}
    folders |= {str(folder_of(str(file))) for file in files}
    folders |= {os.environ.get("AIRFLOW_HOME", str(Path.home() / "airflow"))}
    return sorted(os.path.join(os.path.realpath(folder), "") for folder in folders)  # noqa: PTH118 ends with /


def _tell_of_lookups(ear: Ear) -> None:
    """Notes Variables and Connections that are asked for, wherever they are kept."""
    from airflow.models.connection import Connection as ConnectionModel
    from airflow.models.variable import Variable as VariableModel
    from airflow.sdk import BaseHook, Connection, Variable

    for owner, name, what in (
        (Variable, "get", "the Variable"),
        (VariableModel, "get", "the Variable"),
        (Connection, "get", "the Connection"),
        (ConnectionModel, "get_connection_from_secrets", "the Connection"),
        (BaseHook, "get_connection", "the Connection"),
    ):
        setattr(owner, name, classmethod(_noted(ear, what)))


def _noted(ear: Ear, what: str) -> Any:
    def get(_owner: Any, *arguments: Any, **named: Any) -> Any:
        asked = arguments[0] if arguments else next(iter(named.values()), "")
        ear.asked.append(f"{what} {asked}")
        raise LookupError(f"{what} {asked} is not to be had while a DAG file is imported")

    return get


def imported(file: Path, ear: Ear) -> dict[str, Any]:
    """What comes of importing a file as Airflow does: seconds, errors, what was heard, and the DAGs."""
    dag_bag, serialize, order = _airflow()
    started, worked = time.perf_counter(), time.process_time()
    with ear.listening():
        bag = dag_bag(str(file))
    dags = {dag_id: serialize(dag) for dag_id, dag in bag.dags.items()}
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "errors": [] if ear.asked else [_last_line(error) for error in bag.import_errors.values()],
        "io": ear.heard,
        "asked": ear.asked,
        "dags": {dag_id: order(data) for dag_id, data in dags.items()},
    }


def _airflow() -> tuple[Any, Any, Any]:
    """Airflow's own: what loads a file, what serialises a DAG, and the order it compares two in."""
    from airflow.models.serialized_dag import SerializedDagModel

    try:
        from airflow.dag_processing.dagbag import DagBag
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    return (
        lambda file: DagBag(dag_folder=file, safe_mode=False),
        Serialization.to_dict,
        SerializedDagModel._sort_serialized_dag_dict,
    )


def _last_line(error: str) -> str:
    return error.strip().splitlines()[-1] if error.strip() else "does not load, and does not say why"


def _in_child(file: Path, ear: Ear) -> dict[str, Any]:
    """The same in a process that ends with it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            told = json.dumps(imported(file, ear), default=str)
        except BaseException as error:  # noqa: BLE001 told to the parent, which goes on
            told = json.dumps({"seconds": 0.0, "errors": [f"{type(error).__name__}: {error}"]})
        with os.fdopen(writing, "w") as pipe:
            pipe.write(told)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    document: dict[str, Any] = json.loads(told) if told else {"seconds": 0.0, "errors": ["ends the process"]}
    return document


def main(paths: Sequence[str]) -> int:
    """Prints a line of JSON for each file, the first for an empty DAG."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a DAG file prints is none of the answer
    # Python's own cache of what it compiled is nothing that a DAG file does.
    sys.dont_write_bytecode = True
    files = [Path(path) for path in paths]
    with tempfile.TemporaryDirectory() as scratch:
        empty = Path(scratch) / "empty.py"
        empty.write_text(_EMPTY)
        ear = Ear(_allowed([*files, empty]))
        _tell_of_lookups(ear)
        # The first import in a process loads much of Airflow, which every later one finds loaded.
        imported(empty, ear)
        ear.heard.clear()
        for name, file in [("", empty), *zip(paths, files, strict=True)]:
            output.write(json.dumps({"file": name, **_in_child(file, ear)}) + "\n")
    output.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

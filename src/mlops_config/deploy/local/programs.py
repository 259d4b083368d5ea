"""The programs of a local endpoint, its router and its servers: start, wait until ready, drain, stop."""

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_config.deploy.interface import DeployFailedError
from mlops_config.deploy.local import loopback
from mlops_config.deploy.local.processes import Process, Processes
from mlops_config.deploy.local.router import STATUS_PATH
from mlops_config.deploy.local.state import EndpointFolder, EndpointState, Program, Routes, StoredRevision
from mlops_config.deploy.rollout import Pace
from mlops_config.errors import ServiceError, UsageError

Command = Callable[[StoredRevision, int], Sequence[str]]
"""The command that serves a revision on a port."""

CONFIG_VARIABLE = "MLOPS_CONFIG_DIR"
READY_PATH = "/readyz"
ROUTER_LOG = "router"

_START_SECONDS = 300.0
_ROUTER_START_SECONDS = 30.0
_DRAIN_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
_OK = 200


def serving_command(root: Path) -> Command:
    """Our model server in the running Python. In an image it finds its configuration by ``MLOPS_CONFIG_DIR``,
    in a checkout by the environment's name."""

    def command(revision: StoredRevision, port: int) -> Sequence[str]:
        run = [sys.executable, "-m", "mlops_config", "run", "serving", "--root", str(root)]
        if not (revision.variables.get(CONFIG_VARIABLE) or os.environ.get(CONFIG_VARIABLE)):
            run += ["--environment", revision.environment]
        return [*run, "--package", revision.package_uri, "--port", str(port)]

    return command


class Programs:
    """Starts and stops the programs of one endpoint; every step is written down before and after."""

    def __init__(self, folder: EndpointFolder, processes: Processes, command: Command, pace: Pace) -> None:
        self._folder = folder
        self._processes = processes
        self._command = command
        self._pace = pace

    def running(self, program: Program | None) -> Process | None:
        """The program's process if it runs; one that was started but not written down is found again."""
        if program is None:
            return None
        process = program.process or self._processes.find(program.token)
        return process if process is not None and self._processes.alive(process) else None

    def start_server(self, state: EndpointState, key: str) -> EndpointState:
        """Starts the revision's server unless it runs, and returns once it is ready.

        Raises:
            DeployFailedError: it ended, or was not ready in time.
        """
        revision = state.revisions[key]
        if self.running(revision.program) is None:
            program = Program(token=self._processes.new_token(), port=_free_port())
            state = self._folder.save(state.with_program(key, program))
            process = self._start(
                self._command(revision, program.port), revision.variables, program.token, f"server-{key}"
            )
            state = self._folder.save(
                state.with_program(key, program.model_copy(update={"process": process}))
            )
        started = state.revisions[key].program
        assert started is not None  # noqa: S101 it was started above
        self._until_ready(key, revision.revision.name, started)
        return state

    def stop_server(self, state: EndpointState, key: str) -> EndpointState:
        """Ends the revision's server, when it has one, after the requests it is answering."""
        revision = state.revisions.get(key)
        if revision is None or revision.program is None:
            return state
        self.stop(revision.program)
        return self._folder.save(state.with_program(key, None))

    def start_router(self, state: EndpointState, port: int) -> EndpointState:
        """Starts the router on ``port`` unless it runs there.

        Raises:
            UsageError: another program has the port.
        """
        if state.router is not None and (state.router.port != port or self.running(state.router) is None):
            self.stop(state.router)
            state = self._folder.save(state.changed(router=None))
        if state.router is None:
            if not _is_free(port):
                raise UsageError(
                    f"port {port} of 127.0.0.1 is in use by another program",
                    hint="end it, or give deployer.port of the inference file another value",
                )
            program = Program(token=self._processes.new_token(), port=port)
            state = self._folder.save(state.changed(router=program))
            module = [sys.executable, "-m", "mlops_config.deploy.local.router"]
            process = self._start([*module, str(self._folder.path), str(port)], {}, program.token, ROUTER_LOG)
            state = self._folder.save(state.changed(router=program.model_copy(update={"process": process})))
        return self._until_routing(state)

    def stop(self, program: Program) -> None:
        """Ends the program when it runs."""
        process = self.running(program)
        if process is not None:
            self._processes.stop(process, limit=_STOP_SECONDS)

    def settle(self, state: EndpointState, routes: Routes, leaving: str | None = None) -> None:
        """Waits until the router has the routes and ``leaving`` answers no request any more.

        Raises:
            ServiceError: the router is not there.
        """

        def look() -> bool | None:
            status = self._router_status(state)
            if status is None:
                raise ServiceError(
                    f"the router of {state.endpoint} does not answer",
                    hint="deploy again: that starts it",
                )
            arrived = status["generation"] >= routes.generation
            return True if arrived and not status["in_flight"].get(leaving) else None

        self._pace.until(look, limit=_DRAIN_SECONDS, every=_POLL_SECONDS)

    def _router_status(self, state: EndpointState) -> Mapping[str, Any] | None:
        if state.router is None:
            return None
        status = loopback.document_of(loopback.get(state.router.port, STATUS_PATH))
        return status if status is not None and status.get("token") == state.router.token else None

    def _start(self, command: Sequence[str], variables: Mapping[str, str], token: str, log: str) -> Process:
        return self._processes.start(command, variables=variables, token=token, log=self._folder.log(log))

    def _until_ready(self, key: str, name: str, program: Program) -> None:
        def look() -> bool | None:
            if self.running(program) is None:
                return False
            answer = loopback.get(program.port, READY_PATH)
            return True if answer is not None and answer[0] == _OK else None

        ready = self._pace.until(look, limit=_START_SECONDS, every=_POLL_SECONDS)
        if not ready:
            what = (
                "ended before it was ready" if ready is False else f"not ready within {_START_SECONDS:.0f} s"
            )
            said = self._folder.log_end(f"server-{key}")
            raise DeployFailedError(
                f"the server of {name} {what}{f': {said}' if said else ''}",
                hint=f"its output is in {self._folder.log(f'server-{key}')}",
            )

    def _until_routing(self, state: EndpointState) -> EndpointState:
        def look() -> bool | None:
            if self.running(state.router) is None:
                return False
            return True if self._router_status(state) is not None else None

        if not self._pace.until(look, limit=_ROUTER_START_SECONDS, every=_POLL_SECONDS):
            raise ServiceError(
                f"the router of {state.endpoint} did not start: {self._folder.log_end(ROUTER_LOG)}",
                hint=f"its output is in {self._folder.log(ROUTER_LOG)}",
            )
        return state


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

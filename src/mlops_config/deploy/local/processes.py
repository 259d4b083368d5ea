"""Starts processes that outlive us, finds them again, and ends them, never somebody else's."""

import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mlops_config.deploy.rollout import Pace
from mlops_config.errors import ServiceError, UsageError

LAUNCH_VARIABLE = "MLOPS_LAUNCH"
"""In the environment of what we start: a token that no other process has."""

_PROC = Path("/proc")
_POLL_SECONDS = 0.02
_KILL_SECONDS = 5.0
_ZOMBIE = "Z"


class Process(BaseModel):
    """A process of ours. ``started`` tells it from a later one that got the same id."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: str
    """When, in the system's own words; on Linux with the id of the boot."""


class Processes:
    """The processes of this machine, as far as we started them."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()

    def new_token(self) -> str:
        """A token to start a process with, written down before: so it is found should we die in between."""
        return secrets.token_hex(16)

    def start(
        self, command: Sequence[str], *, variables: Mapping[str, str], token: str, log: Path
    ) -> Process:
        """Starts ``command`` in a session of its own, so that it survives us and our terminal.

        Its output is appended to ``log``.

        Raises:
            ServiceError: the system refuses.
            UsageError: this system cannot start such processes (Windows).
        """
        if not hasattr(os, "posix_spawn"):
            raise UsageError("the local deployer needs Linux or macOS", hint="use WSL, or another target")
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            pid = os.posix_spawn(
                command[0],
                list(command),
                {**os.environ, **variables, LAUNCH_VARIABLE: token},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setsid=True,
                setsigmask=(),
            )
        except OSError as error:
            raise ServiceError(f"{command[0]} cannot be started: {error.strerror}") from error
        finally:
            os.close(output)
        return Process(pid=pid, started=_started(pid) or "")

    def find(self, token: str) -> Process | None:
        """The running process that was started with ``token``; found on Linux only."""
        wanted = f"{LAUNCH_VARIABLE}={token}".encode()
        if not _PROC.joinpath("self").exists():
            return None
        for folder in _PROC.iterdir():
            if folder.name.isdecimal():
                with contextlib.suppress(OSError):
                    if wanted in folder.joinpath("environ").read_bytes().split(b"\0"):
                        pid = int(folder.name)
                        return Process(pid=pid, started=_started(pid) or "")
        return None

    def alive(self, process: Process) -> bool:
        """Whether it still runs, and is no other that got its id."""
        _reap(process.pid)
        return bool(process.started) and _started(process.pid) == process.started

    def stop(self, process: Process, *, limit: float) -> None:
        """Asks it to end, and ends it with its children when it takes longer than ``limit`` seconds."""
        if not self.alive(process):
            return
        _signal(process.pid, signal.SIGTERM)
        if not self._gone(process, limit):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            self._gone(process, _KILL_SECONDS)

    def _gone(self, process: Process, limit: float) -> bool:
        gone = self._pace.until(
            lambda: None if self.alive(process) else True, limit=limit, every=_POLL_SECONDS
        )
        return gone is not None


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap(pid: int) -> None:
    """Takes the dead child's exit code, so that it is gone for good; what is no child of ours stays."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _started(pid: int) -> str | None:
    """When the process started; ``None`` when there is none, or only what a dead one leaves."""
    if not _PROC.joinpath("self").exists():
        return _started_by_ps(pid)
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # proc_pid_stat(5): the name in brackets may hold anything; field 3 is the state, field 22 the start.
    fields = stat.rpartition(")")[2].split()
    if fields[0] == _ZOMBIE:
        return None
    boot = _PROC.joinpath("sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}:{fields[19]}"


def _started_by_ps(pid: int) -> str | None:
    found = subprocess.run(  # noqa: S603 a number is all that varies
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    ).stdout.split(maxsplit=1)
    return found[1].strip() if len(found) == 2 and not found[0].startswith(_ZOMBIE) else None

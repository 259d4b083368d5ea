"""A job's process: its output line by line, its end, and the end of all it started when its task is."""

import logging
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, NamedTuple

GRACE_SECONDS = 30
"""Between SIGTERM, upon which a job writes its end, and SIGKILL."""

# Lives outside the job's group and Airflow's: it ends the job also when nobody else is left to do so.
_WATCHDOG = """\
read -r _
kill -TERM -- "-$1" 2>/dev/null
for ((passed = 0; passed < $2; passed++)); do
  kill -0 -- "-$1" 2>/dev/null || exit 0
  sleep 1
done
kill -KILL -- "-$1" 2>/dev/null
"""
_LOOK_SECONDS = 0.5


def bash() -> str:
    """The shell's path, as Airflow's own operator finds it."""
    return shutil.which("bash") or "bash"


class Ended(NamedTuple):
    """What a job's process left."""

    exit_code: int
    """Negative: the signal that ended it."""
    last_line: str
    """Of standard output."""
    sentence: str
    """What it said was wrong; without that the last line of standard error."""


class JobProcess:
    """One process group, which ends when the task ends, however that happens."""

    def __init__(
        self,
        log: logging.Logger | Any,
        *,
        masked: Callable[[str], str] = str,
        orphaned: Callable[[], bool] = lambda: False,
        grace_seconds: int = GRACE_SECONDS,
    ) -> None:
        """``masked`` takes secrets out of a line; ``orphaned``: whether nobody waits for the task now."""
        self._log = log
        self._masked = masked
        self._orphaned = orphaned
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._selector = selectors.DefaultSelector()

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: str) -> Ended:
        """Runs the command to its end, each line of its output in the log."""
        self._process = process = subprocess.Popen(  # noqa: S603 made of quoted words
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._watchdog = subprocess.Popen(  # noqa: S603 fixed words and two numbers
            [bash(), "-c", _WATCHDOG, "watchdog", str(process.pid), str(self._grace_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        output, errors = Lines(self._log, self._masked), Lines(self._log, self._masked)
        self._open(process.stdout, output)
        self._open(process.stderr, errors)
        self._follow(None)
        exit_code = process.wait()
        self._selector.close()
        self._dismiss()
        output.finish()
        errors.finish()
        return Ended(exit_code, output.last_line, errors.sentence or output.sentence)

    def stop(self) -> None:
        """Ends the whole group: SIGTERM, and SIGKILL for what is still there after the grace."""
        process, watchdog = self._process, self._watchdog
        if process is None or watchdog is None or watchdog.stdin is None or watchdog.poll() is not None:
            return
        self._log.info("Ending the job: it gets SIGTERM, and %d s to write its end", self._grace_seconds)
        # From here on the watchdog ends the job, even if this process is killed while it waits.
        watchdog.stdin.close()
        self._follow(time.monotonic() + self._grace_seconds + _LOOK_SECONDS)
        while watchdog.poll() is None:
            process.poll()
            if not _group_is_there(process.pid):
                watchdog.kill()
                watchdog.wait()
            time.sleep(0.02)

    def _open(self, pipe: "IO[bytes] | None", lines: "Lines") -> None:
        if pipe is None:
            raise RuntimeError("a pipe was asked for")
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, selectors.EVENT_READ, lines)

    def _follow(self, deadline: float | None) -> None:
        """Logs output until there is no more. A signal's handler may come in between and do the same."""
        while self._selector.get_map():
            ready = self._selector.select(_LOOK_SECONDS)
            for key, _events in ready:
                self._read(key)
            if ready:
                continue
            # Something that the job left running may hold its output open: nobody waits for that.
            if self._process is not None and self._process.poll() is not None:
                for key in list(self._selector.get_map().values()):
                    self._forget(key.fileobj)
            if deadline is not None and time.monotonic() > deadline:
                return
            if deadline is None and self._orphaned():
                self._log.error("Airflow's supervisor of this task has ended, so the job ends too")
                self.stop()

    def _read(self, key: selectors.SelectorKey) -> None:
        try:
            data = os.read(key.fd, 65_536)
        except (BlockingIOError, OSError):  # read, or closed, by a signal's handler in the meantime
            return
        key.data.feed(data)
        if not data:
            self._forget(key.fileobj)

    def _forget(self, pipe: Any) -> None:
        if pipe in {key.fileobj for key in self._selector.get_map().values()}:
            self._selector.unregister(pipe)
            pipe.close()

    def _dismiss(self) -> None:
        if (
            self._watchdog is not None
            and self._watchdog.stdin is not None
            and not self._watchdog.stdin.closed
        ):
            self._watchdog.kill()
            self._watchdog.wait()
            self._watchdog.stdin.close()


def _group_is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class Lines:
    """What a job writes, line by line into the log."""

    def __init__(self, log: Any, masked: Callable[[str], str]) -> None:
        self._log = log
        self._masked = masked
        self._rest = b""
        self.last_line = ""
        self.said = ""

    def feed(self, data: bytes) -> None:
        """Logs the lines that are whole now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)

    def finish(self) -> None:
        """Logs what is left without an end of line."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""

    @property
    def sentence(self) -> str:
        """What the job said was wrong; without that its last line."""
        return self.said or self._masked(self.last_line)

    def _line(self, data: bytes) -> None:
        line = data.decode("utf-8", errors="backslashreplace").rstrip()
        shown = self._masked(line)
        self._log.info("%s", shown)
        if line:
            self.last_line = line
        self.said = after_line(self.said, shown)


def after_line(sentence: str, line: str) -> str:
    """What a job says is wrong, after one more line of what it writes: ``error: …`` and its ``hint: …``."""
    if line.startswith("error: "):
        return line.removeprefix("error: ")
    if sentence and line.startswith(" hint: "):
        return f"{sentence};{line}"
    return sentence


def name_of(exit_code: int) -> str:
    """How a process ended, for people."""
    number = -exit_code if exit_code < 0 else exit_code - 128
    if exit_code < 0 or (exit_code > 128 and exit_code != 130):
        try:
            return f"was ended by {signal.Signals(number).name}"
        except ValueError:
            pass
    return f"ended with exit code {exit_code}"

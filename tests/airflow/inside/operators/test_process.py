"""A job's process ends with its task: by the task, and by nobody left to wait for it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_config.airflow.operators.process import Ended, JobProcess, name_of

ROOT = Path(__file__).resolve().parents[4]
NEATLY = """\
import signal, subprocess, sys, time
from pathlib import Path
def end(number, frame):
    Path("wrote its end").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, end)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
Path("child").write_text(str(child.pid))
print("started", flush=True)
time.sleep(600)
"""
STUBBORN = """\
import signal, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(600)
"""


class Log:
    """Keeps lines, and tells when one comes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.started = threading.Event()

    def info(self, text: str, *values: object) -> None:
        self.lines.append(text % values)
        if self.lines[-1] == "started":
            self.started.set()

    error = info


def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, half a minute at most."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(process_id: int) -> bool:
    """Whether it is there and no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process_id}/status").read_text()
    except FileNotFoundError:
        return False


def stopped_when_started(source: str, folder: Path, **options: Any) -> Ended:
    """How a job ended whose task got a signal, as Airflow sends one, once the job had written a line."""
    log = Log()
    process = JobProcess(log, **options)
    before = signal.signal(signal.SIGUSR1, lambda *_: process.stop())

    def send() -> None:
        if log.started.wait(30):
            os.kill(os.getpid(), signal.SIGUSR1)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return process.run([sys.executable, "-c", source], os.environ, str(folder))
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_killed_task_lets_its_job_write_its_end_and_ends_what_that_started(tmp_path: Path) -> None:
    ended = stopped_when_started(NEATLY, tmp_path)
    assert (tmp_path / "wrote its end").exists()
    assert ended.exit_code == 130
    child = int((tmp_path / "child").read_text())
    until(lambda: not is_running(child))


def test_a_job_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    ended = stopped_when_started(STUBBORN, tmp_path, grace_seconds=1)
    assert ended.exit_code == -signal.SIGKILL


def test_a_job_out_of_time_ends_after_its_task_has(tmp_path: Path) -> None:
    """Airflow's timeout is an exception in the midst of everything; only then is the task told to end."""
    log = Log()
    process = JobProcess(log)

    class OutOfTimeError(BaseException):
        """As Airflow's: no Exception."""

    def refuse(*_line: object) -> None:
        raise OutOfTimeError

    log.info = refuse  # type: ignore[method-assign]  # of this logger alone
    with pytest.raises(OutOfTimeError):
        process.run([sys.executable, "-c", NEATLY], os.environ, str(tmp_path))
    del log.info
    process.stop()
    assert (tmp_path / "wrote its end").exists()


def test_a_job_whose_task_nobody_waits_for_ends(tmp_path: Path) -> None:
    log = Log()
    process = JobProcess(log, orphaned=log.started.is_set)
    ended = process.run([sys.executable, "-c", NEATLY], os.environ, str(tmp_path))
    assert ended.exit_code == 130
    assert "Airflow's supervisor of this task has ended, so the job ends too" in log.lines


def test_a_job_ends_when_its_tasks_process_is_killed_outright(tmp_path: Path) -> None:
    runner = f"""\
import os
from mlops_config.airflow.operators.process import JobProcess
class Log:
    def info(self, text, *values): print(text % values, flush=True)
    error = info
JobProcess(Log()).run([{sys.executable!r}, "-c", {NEATLY!r}], os.environ, {str(tmp_path)!r})
"""
    with subprocess.Popen([sys.executable, "-c", runner], stdout=subprocess.PIPE, cwd=ROOT) as task:
        assert task.stdout is not None
        assert task.stdout.readline() == b"started\n"
        child = int((tmp_path / "child").read_text())
        task.kill()
    until((tmp_path / "wrote its end").exists)
    until(lambda: not is_running(child))


def test_what_a_job_leaves_running_on_purpose_is_not_waited_for(tmp_path: Path) -> None:
    source = """\
import subprocess, sys
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(left.pid)
"""
    ended = JobProcess(Log()).run([sys.executable, "-c", source], os.environ, str(tmp_path))
    left = int(ended.last_line)
    try:
        assert ended.exit_code == 0
        assert is_running(left)
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_long_line_and_one_without_an_end_are_whole(tmp_path: Path) -> None:
    source = "import sys; sys.stdout.write('x' * 300_000 + '\\n' + 'y' * 300_000)"
    log = Log()
    ended = JobProcess(log).run([sys.executable, "-c", source], os.environ, str(tmp_path))
    assert ended.last_line == "y" * 300_000
    assert log.lines == ["x" * 300_000, "y" * 300_000]


def test_nothing_is_left_of_a_job_that_ended(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    process = JobProcess(Log())
    process.run([sys.executable, "-c", "print(1)"], os.environ, str(tmp_path))
    process.stop()
    watchdog = process._watchdog
    assert watchdog is not None
    assert watchdog.returncode == -signal.SIGKILL
    del process
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


@pytest.mark.parametrize(
    ("exit_code", "said"),
    [
        (1, "ended with exit code 1"),
        (130, "ended with exit code 130"),
        (143, "was ended by SIGTERM"),
        (-9, "was ended by SIGKILL"),
        (255, "ended with exit code 255"),
    ],
)
def test_an_end_is_said_as_people_say_it(exit_code: int, said: str) -> None:
    assert name_of(exit_code) == said

"""Terraform as a process: its lines as they come, a graceful end when we are interrupted, never a shell."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from mlops_config.errors import ServiceError, UsageError

_POLL_SECONDS = 0.05
_TAIL_BYTES = 4000
_LAST_INTERRUPT = 3
_OURS = ("MLOPS_PLAN_KEY",)
"""Variables that Terraform, its providers and what they start have no business with."""
_ALTERING = "TF_CLI_ARGS"
"""Arguments from the environment, also ``TF_CLI_ARGS_plan`` and such: they would change what we ask for."""

STOPPING = (
    "interrupted: Terraform finishes what it is at and saves its state; two more interrupts give up at once,"
    " and lose what is not saved"
)


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    complaint: str
    """The end of its standard error."""
    interrupted: bool = False


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """What Terraform is started with: ours without what would alter the command, and never a question."""
    given = os.environ if variables is None else variables
    kept = {
        name: value
        for name, value in given.items()
        if name not in _OURS and name != _ALTERING and not name.startswith(f"{_ALTERING}_")
    }
    return kept | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}


def follow(
    command: Sequence[str], cwd: Path, heard: Callable[[str], None], said: Callable[[str], None]
) -> Ended:
    """Runs ``command``; ``heard`` is given each line of its standard output, ``said`` what we have to say.

    The output goes through a file: a slow reader never holds Terraform up, and should we be killed, it goes
    on to its end instead of dying of a broken pipe with its state unsaved. The first interrupt is passed on.

    Raises:
        ServiceError: the system does not start it.
    """
    folder = Path(tempfile.mkdtemp(prefix="mlops-config-"))
    output, complaints = folder / "output", folder / "complaints"
    try:
        with output.open("wb") as out, complaints.open("wb") as err, _counted() as interrupts:
            process = _start(command, cwd, out.fileno(), err.fileno())
            try:
                interrupted = _listen(process, output, interrupts, heard, said)
            except BaseException:
                _interrupt(process)
                process.wait()
                raise
        return Ended(process.returncode, _tail(complaints), interrupted)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def answer(command: Sequence[str], cwd: Path, *, seconds: float | None = None) -> tuple[Ended, bytes]:
    """Runs ``command``; how it ended, and its whole standard output.

    Raises:
        ServiceError: the system does not start it, or it took longer than ``seconds``.
    """
    try:
        done = subprocess.run(  # noqa: S603 Terraform, whose arguments are paths and fixed words
            command,
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{' '.join(command)} gave no answer in {seconds:.0f} s") from error
    except OSError as error:
        raise _not_started(command, cwd, error) from error
    return Ended(done.returncode, done.stderr[-_TAIL_BYTES:].decode(errors="replace")), done.stdout


def _start(command: Sequence[str], cwd: Path, out: int, err: int) -> "subprocess.Popen[bytes]":
    # A group of its own: a terminal sends Ctrl-C to the whole group, and Terraform takes a second one for
    # "give up at once". It gets ours.
    group = None if os.name == "nt" else 0
    try:
        return subprocess.Popen(  # noqa: S603 Terraform, whose arguments are paths and fixed words
            command,
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            process_group=group,
        )
    except OSError as error:
        raise _not_started(command, cwd, error) from error


def _not_started(command: Sequence[str], cwd: Path, error: OSError) -> ServiceError | UsageError:
    if not cwd.is_dir():
        return UsageError(f"there is no folder {cwd}", hint="name the root module's folder")
    return ServiceError(f"{command[0]} cannot be started: {error.strerror}")


def _listen(
    process: "subprocess.Popen[bytes]",
    output: Path,
    interrupts: list[int],
    heard: Callable[[str], None],
    said: Callable[[str], None],
) -> bool:
    """Reads the lines until the process has ended; whether we were interrupted."""
    passed_on = False
    lines = _lines(output)
    while True:
        ended = process.poll() is not None
        for line in lines:
            if line is None:
                break
            heard(line)
        if ended:
            return bool(interrupts)
        if interrupts and not passed_on:
            passed_on = True
            said(STOPPING)
            _interrupt(process)
        if len(interrupts) >= _LAST_INTERRUPT:
            interrupts[:] = interrupts[:1]
            _interrupt(process)
        time.sleep(_POLL_SECONDS)


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    if os.name != "nt" and process.poll() is None:  # there, the console told Terraform itself
        process.send_signal(signal.SIGINT)


def _lines(path: Path) -> Iterator[str | None]:
    """The file's whole lines, and ``None`` each time there is no more for now."""
    rest = b""
    with path.open("rb") as stream:
        while True:
            piece = stream.read(1 << 20)
            if not piece:
                yield None
                continue
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Counts SIGINT and SIGTERM while the block runs, in the list, instead of letting them end us."""
    signals: list[int] = []

    def count(number: int, _frame: FrameType | None) -> None:
        signals.append(number)

    before = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tail(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - _TAIL_BYTES))
        return stream.read().decode(errors="replace").strip()

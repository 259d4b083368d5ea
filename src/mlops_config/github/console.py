"""Stages in the log of a GitHub Actions job: each a folded group, and below it a line with how it ended."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mlops_config.github import commands


class ActionConsole:
    """Writes to the step's standard output, which the runner reads for commands.

    What stages tell may come from outside (an engine's build log, a registry's answer): what could be taken
    for a command is written while the runner does not listen.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    @contextmanager
    def stage(self, name: str) -> Iterator["_Group"]:
        """A group of the stage's progress, and below it one line with the summary and the seconds it took."""
        log = _Group(self)
        started = time.monotonic()
        self.command(commands.group(name))
        try:
            yield log
        except BaseException:
            self._end("✗", name, log.summary or "failed", started)
            raise
        self._end("✓", name, log.summary, started)

    def say(self, line: str) -> None:
        """One line, whatever is in it."""
        if "::" in line or "##[" in line or "\n" in line or "\r" in line:
            line = commands.stopped(line)
        self._write(line)

    def command(self, line: str) -> None:
        """One workflow command."""
        self._write(line)

    def _end(self, mark: str, name: str, summary: str, started: float) -> None:
        self.command(commands.endgroup())
        self.say(f"{mark} {name}: {summary} ({time.monotonic() - started:.1f} s)")

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class _Group:
    def __init__(self, console: ActionConsole) -> None:
        self._console = console
        self._last = ""
        self.summary = ""

    def progress(self, line: str) -> None:
        """A line in the group; the same line again is left out."""
        if line != self._last:
            self._console.say(line)
            self._last = line

    def done(self, summary: str) -> None:
        """What the line below the group says."""
        self.summary = summary

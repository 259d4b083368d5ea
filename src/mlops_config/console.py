"""What a person sees while stages run: a line per stage on stderr, live on a terminal."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

NAME_WIDTH = 9
CLEAR_LINE = "\r\x1b[2K"


class StageLog(Protocol):
    """Told by a stage how far it is."""

    def progress(self, line: str) -> None:
        """One more step; shown for as long as nothing newer is."""

    def done(self, summary: str) -> None:
        """What came out of the stage; shown for good when it ends."""


class Console(Protocol):
    """Shows stages, wherever that is: a terminal, a CI log, nowhere."""

    def stage(self, name: str) -> AbstractContextManager[StageLog]:
        """A context around the stage; leaving it with an exception shows it as failed."""

    def say(self, line: str) -> None:
        """One line between stages."""


def wants_color(stream: TextIO) -> bool:
    """Whether to colour what goes to ``stream``: a terminal, no ``NO_COLOR`` (no-color.org), not ``dumb``."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class TerminalConsole:
    """Stages as lines on a stream: rewritten in place on a terminal, one line at the end elsewhere."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._live = not quiet and self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._color = wants_color(self._stream)

    @contextmanager
    def stage(self, name: str) -> Iterator[StageLog]:
        """Shows the stage while it runs and how it ended, with the seconds it took."""
        log = _Line(self, name)
        started = time.monotonic()
        log.progress("…")
        try:
            yield log
        except BaseException:
            self._end(self._painted("✗", "31"), name, log.summary or "failed", started)
            raise
        self._end(self._painted("✓", "32"), name, log.summary, started)

    def say(self, line: str) -> None:
        """Prints the line unless quiet, in place of a progress that is shown."""
        if not self._quiet:
            self._write(f"{CLEAR_LINE if self._live else ''}{line}\n")

    def show_progress(self, name: str, line: str) -> None:
        """Rewrites the stage's line; without a terminal nothing is shown until the stage ends."""
        if self._live:
            import shutil

            width = shutil.get_terminal_size().columns - 1
            text = "".join(char if char.isprintable() else " " for char in f"  {name:<{NAME_WIDTH}} {line}")
            self._write(f"{CLEAR_LINE}{text[:width]}")

    def _end(self, mark: str, name: str, summary: str, started: float) -> None:
        took = time.monotonic() - started
        seconds = self._painted(f"{took:.1f} s", "2")
        if not self._quiet:
            self._write(
                f"{CLEAR_LINE if self._live else ''}{mark} {name:<{NAME_WIDTH}} {summary}  {seconds}\n"
            )

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class _Line:
    def __init__(self, console: TerminalConsole, name: str) -> None:
        self._console = console
        self._name = name
        self.summary = ""

    def progress(self, line: str) -> None:
        self._console.show_progress(self._name, line)

    def done(self, summary: str) -> None:
        self.summary = summary

"""What a person sees of the loop: a line for each step, and below it what came of it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from mlops_config.console import NAME_WIDTH, StageLog, TerminalConsole, wants_color
from tools.loop.recording import Recording


class Step:
    """The step that is going on."""

    def __init__(self, log: StageLog, started: float, entry: dict[str, Any]) -> None:
        self._log = log
        self._started = started
        self._entry = entry
        self.below: list[str] = []

    def progress(self, line: str) -> None:
        """Shown for as long as nothing newer is, on a terminal."""
        self._log.progress(f"{line}  {time.monotonic() - self._started:.0f} s")

    def found(self, sentence: str, **facts: Any) -> None:
        """What came of the step; stays."""
        self._entry["found"] = sentence
        self._entry["facts"] |= facts
        self._log.done(sentence)

    def note(self, line: str) -> None:
        """One more line below the step's own; stays."""
        self._entry["notes"].append(line)
        self.below.append(line)


class Progress:
    """Steps on stderr, and in the recording."""

    def __init__(self, recording: Recording, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._console = TerminalConsole(self._stream)
        self._recording = recording

    @contextmanager
    def step(self, key: str, title: str) -> Iterator[Step]:
        """A step; leaving it with an exception shows it as failed. ``key`` has at most nine letters."""
        entry: dict[str, Any] = {"key": key, "title": title, "start": self._recording.now(), "end": None}
        entry |= {"outcome": "running", "found": "", "facts": {}, "notes": []}
        self._recording.steps.append(entry)
        step: Step | None = None
        try:
            with self._console.stage(key) as log:
                step = Step(log, time.monotonic(), entry)
                step.progress(title)
                yield step
            entry["outcome"] = "succeeded"
        except KeyboardInterrupt:
            entry["outcome"] = "interrupted"
            raise
        except BaseException as error:
            entry["outcome"] = "failed"
            entry["found"] = entry["found"] or str(error)
            raise
        finally:
            entry["end"] = self._recording.now()
            for line in step.below if step else ():
                self.say(f"  {'':<{NAME_WIDTH}} {line}", dim=True)

    def say(self, line: str = "", *, dim: bool = False) -> None:
        """One line between steps."""
        painted = f"\x1b[2m{line}\x1b[0m" if dim and line and wants_color(self._stream) else line
        self._console.say(painted)

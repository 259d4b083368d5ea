"""What a terminal shows while stages run."""

import io

import pytest

from mlops_config.console import TerminalConsole


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> list[str]:
        """The lines as they stand there in the end."""
        return [line.rpartition("\r\x1b[2K")[2] for line in self.getvalue().split("\n")[:-1]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    return Terminal()


def test_a_line_between_takes_the_place_of_the_progress_that_is_shown(terminal: Terminal) -> None:
    console = TerminalConsole(terminal)
    with console.stage("apply") as log:
        log.progress("1 done; creating bucket")
        console.say("+ bucket")
        log.progress("2 done")
        log.done("2 created")
    first, last = terminal.shown()
    assert first == "+ bucket"
    assert last.startswith("✓ apply     2 created  ")


def test_without_a_terminal_there_is_nothing_to_take_back() -> None:
    stream = io.StringIO()
    TerminalConsole(stream).say("+ bucket")
    assert stream.getvalue() == "+ bucket\n"

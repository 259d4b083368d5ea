"""Reads the console examples of a page, so that tests can run them and compare what they print."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Command:
    """One ``$`` line of a page with the output shown below it."""

    page: str
    line: int
    text: str
    output: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A block whose first line names, in a comment, the file that the reader is to write."""

    path: str
    content: str


def steps(page: Path) -> list[Command | File]:
    """What a reader does, from the page's top to its end."""
    found: list[Command | File] = []
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```(console|yaml)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        kind, content = block.groups()
        if kind == "yaml":
            named = re.match(r"# (\S+\.ya?ml)\n", content)
            if named:
                found.append(File(named[1], content))
            continue
        first_line = text.count("\n", 0, block.start()) + 2
        for number, line in enumerate(content.splitlines(), first_line):
            if line.startswith("$ "):
                found.append(Command(page.name, number, line[2:], ()))
            elif found and isinstance(found[-1], Command):
                last = found[-1]
                found[-1] = Command(last.page, last.line, last.text, (*last.output, line))
    return found


def mismatch(command: Command, printed: str) -> str | None:
    """The first line of the page's output that the command did not print, or ``None``.

    ``…`` inside a line stands for any text, a line of ``…`` alone for any lines.
    """
    told = f"{command.page}:{command.line}: {command.text}"
    # Without an engine there is one line more, and the rest is the same: the pages do not show it.
    lines = [
        line.rstrip() for line in printed.splitlines() if not line.startswith("no Docker engine answers")
    ]
    at, may_skip = 0, False
    for expected in command.output:
        if expected.strip() == "…":
            may_skip = True
            continue
        pattern = re.compile(".*".join(map(re.escape, expected.rstrip().split("…"))))
        while may_skip and at < len(lines) and not pattern.fullmatch(lines[at]):
            at += 1
        if at == len(lines) or not pattern.fullmatch(lines[at]):
            got = lines[at] if at < len(lines) else "the end"
            return f"{told}\n  the page shows: {expected}\n  it printed: {got}"
        at, may_skip = at + 1, False
    if not may_skip and command.output and at < len(lines):
        return (
            f"{command.page}:{command.line}: {command.text}\n  printed more than the page shows: {lines[at]}"
        )
    return None

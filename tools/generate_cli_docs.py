"""Writes docs/cli.md from the command's argument parser; with --check it only says whether that is needed."""

import argparse
import sys
from pathlib import Path

from mlops_config.cli import parser

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli.md"
EXIT_CODES = """\
| code | meaning |
| ---: | --- |
| 0 | fine |
| 1 | findings: the configuration breaks the contract |
| 2 | wrong usage or settings |
| 3 | a service or the network failed, after retries |
| 4 | integrity mismatch: something is not what its digest says |
| 130 | interrupted (Ctrl-C) |
"""
INTRODUCTION = """\
# The command

`make docs` writes this page from the command's own help: `mlops-config --help`, `mlops-config VERB --help`.

What a program should read goes to standard output, what a person should read while it runs to standard error.
`NO_COLOR` is honoured, and so is a standard output that is no terminal.
"""


def cell(text: str) -> str:
    """The text inside a table cell."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def names(action: argparse.Action) -> str:
    """How an argument is written: ``-e``, ``--environment NAME``."""
    value = "" if action.nargs == 0 else value_name(action)
    if not action.option_strings:
        return f"`{value}`"
    return ", ".join(f"`{option} {value}`".replace(" `", "`") for option in action.option_strings)


def value_name(action: argparse.Action) -> str:
    """The placeholder for an argument's value, or its choices."""
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def explanation(action: argparse.Action) -> str:
    """The argument's help, with what argparse fills in."""
    text = (action.help or "") % {**vars(action), "prog": "mlops-config"}
    return f"{text} (required)" if action.option_strings and action.required else text


def prose(text: str) -> str:
    """A description as Markdown: its indented lines are code."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if line.startswith("  ") and lines and lines[-1] and not lines[-1].startswith("    "):
            lines.append("")
        lines.append(f"    {line.strip()}" if line.startswith("  ") else line)
    return "\n".join(lines)


def section(name: str, verb: argparse.ArgumentParser) -> str:
    """The page's part on one verb."""
    lines = [f"{'#' * (len(name.split()) + 1)} {name}", "", prose(verb.description or ""), ""]
    shown = [each for each in verb._actions if each.help != argparse.SUPPRESS and each.dest != "help"]
    below = parts_of(verb)
    if not below:
        lines += ["| argument | meaning |", "| --- | --- |"]
        lines += [f"| {cell(names(action))} | {cell(explanation(action))} |" for action in shown]
    heading, _, examples = (verb.epilog or "").partition("\n")
    if heading.strip() == "examples:":
        block = [line.removeprefix("  ") for line in examples.rstrip().splitlines()]
        lines += ["", "```console", *(f"$ {line}" if line else line for line in block), "```"]
    lines += [f"\n{section(f'{name} {part}', sub).rstrip()}" for part, sub in below.items()]
    return "\n".join(lines) + "\n"


def parts_of(verb: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """What the verb is divided into, by name."""
    # argparse has no public way to list them, nor arguments
    divided = [action for action in verb._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(divided[0].choices) if divided else {}


def page() -> str:
    """The whole page."""
    top = parser()
    verbs = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    summaries = {choice.dest: choice.help or "" for choice in verbs._choices_actions}
    index = ["| verb | what it does |", "| --- | --- |"]
    index += [f"| [`{name}`](#{name}) | {cell(summaries[name])} |" for name in verbs.choices]
    parts = [INTRODUCTION, "\n".join(index) + "\n", "Every verb ends with one of these codes:\n", EXIT_CODES]
    parts += [section(name, verb) for name, verb in verbs.choices.items()]
    return "\n".join(parts)


def main() -> int:
    """Exit code 1 when --check finds the page out of date."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--check", action="store_true", help="write nothing; fail when the page is out of date"
    )
    made = page()
    if arguments.parse_args().check:
        current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        if current != made:
            print(f"{PAGE.relative_to(ROOT)} is out of date: run `make docs`", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

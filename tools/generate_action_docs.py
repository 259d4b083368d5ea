"""Writes the tables of inputs and outputs into the pages; with --check it only says whether that is needed.

A table lies between two comments of its page: ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/action.md", "docs/workflows.md")
WORKFLOWS = ("validate", "comment", "release", "deploy", "rollback")


def load(path: str) -> dict[str, Any]:
    """A YAML file of this repository; every value is text."""
    data: dict[str, Any] = yaml.load((ROOT / path).read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 only strings
    return data


def cell(text: str) -> str:
    """The text inside a table cell."""
    return " ".join(text.split()).replace("|", r"\|")


def default(about: Mapping[str, str]) -> str:
    """An input's default as a reader would write it."""
    value = about.get("default", "")
    if value.startswith("${{"):
        return "the job's token"
    return f"`{value}`" if value else "required" if about.get("required") == "true" else ""


def inputs_table(inputs: Mapping[str, Mapping[str, str]]) -> str:
    """Name, meaning and default of each input."""
    rows = [
        f"| `{name}` | {cell(about['description'])} | {default(about)} |" for name, about in inputs.items()
    ]
    return "\n".join(["| input | meaning | default |", "| --- | --- | --- |", *rows])


def meanings_table(what: str, entries: Mapping[str, Mapping[str, str]]) -> str:
    """Name and meaning of each output or secret."""
    rows = [f"| `{name}` | {cell(about['description'])} |" for name, about in entries.items()]
    return "\n".join([f"| {what} | meaning |", "| --- | --- |", *rows])


def tables() -> dict[str, str]:
    """Every table, by the name in its comments."""
    action = load("action.yml")
    found = {
        "action-inputs": inputs_table(action["inputs"]),
        "action-outputs": meanings_table("output", action["outputs"]),
    }
    for name in WORKFLOWS:
        call = load(f".github/workflows/{name}.yml")["on"]["workflow_call"]
        found[f"{name}-inputs"] = inputs_table(call["inputs"])
        for what in ("outputs", "secrets"):
            if what in call:
                found[f"{name}-{what}"] = meanings_table(what.removesuffix("s"), call[what])
    return found


def with_tables(text: str, found: Mapping[str, str]) -> str:
    """``text`` with each table it has a place for."""

    def filled(match: re.Match[str]) -> str:
        name = match[1]
        if name not in found:
            return match[0]
        return f"<!-- {name}:begin -->\n{found[name]}\n<!-- {name}:end -->"

    return re.sub(r"<!-- ([\w-]+):begin -->\n.*?<!-- \1:end -->", filled, text, flags=re.DOTALL)


def main() -> int:
    """Exit code 1 when ``--check`` finds a page that is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    found = tables()
    code = 0
    for name in PAGES:
        path = ROOT / name
        text = path.read_text("utf-8")
        wanted = with_tables(text, found)
        if wanted == text:
            continue
        if check:
            print(f"{name} is out of date: run `make docs`", file=sys.stderr)
            code = 1
        else:
            path.write_text(wanted, "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())

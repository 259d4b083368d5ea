"""Writes docs/rules: a page for each rule, from its docstring and its first case, and the index of all codes.

With --check it writes nothing and fails when a page is not what it would write. Pages of codes that are no
rules are written by hand; the index lists them too.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml

from mlops_config.contract.codes import OWN_CODES
from mlops_config.contract.reading.yaml_reader import read_document
from mlops_config.contract.rules.catalog import RESERVED, RULES
from mlops_config.contract.rules.engine import Role, Rule, Violation, check
from mlops_config.findings import ConfigPath, Finding, Place, Related
from mlops_config.kinds import Kind, canonical_name
from mlops_config.report.interface import ReportContext
from mlops_config.report.text import render

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.contract.rules.cases import BREAKING, TODAY  # noqa: E402 - the cases lie outside the package
from tests.contract.rules.example_configs import configs, raw_configs  # noqa: E402 - as the cases

FOLDER = ROOT / "docs" / "rules"
WIDTH = 116
FAMILIES = {
    "Y": "Reading YAML",
    "F": "Files and folders",
    "S": "Fields of one file",
    "C": "Values of one file that belong together",
    "X": "Files that belong together",
    "E": "What an environment is for",
    "W": "Settings and waivers",
}
IDENTITY = ("name", "type", "signal", "metric", "column")
"""Keys that tell the items of a list apart for a reader."""


def page(rule: Rule) -> str:
    """The page of one rule."""
    demand, *rest = rule.explanation.split("\n\n")
    bullets = [text for text in rest if text.startswith("* ")]
    named = dict(text.split(": ", 1) for text in rest if text not in bullets)
    files, printed = example(rule)
    parts = [
        f"# {rule.code}: {rule.title}",
        f"*{rule.severity.capitalize()}. {_reach(rule)}*",
        _paragraph(demand),
        *bullets,
        "## For example",
        *(f"```yaml\n{text}```" for text in files.values()),
        "prints:",
        f"```text\n{printed}```",
        "## Why",
        _paragraph(named["Why"]),
        "## What to do",
        _paragraph(named["Mend"]),
        _paragraph(
            "The [settings](../settings.md) can give the rule another severity, or waive it at one value"
            " until a day."
        ),
    ]
    if "Source" in named:
        parts += ["## Source", _paragraph(named["Source"])]
    return "\n\n".join(parts) + "\n"


def _paragraph(text: str) -> str:
    joined = " ".join(text.split())
    return fill(joined[0].upper() + joined[1:], WIDTH, break_long_words=False, break_on_hyphens=False)


def _reach(rule: Rule) -> str:
    kinds = [kind for kind in Kind if kind in rule.needs]
    named = "four" if len(kinds) == len(Kind) else _and([kind.value for kind in kinds])
    files = "files" if len(kinds) > 1 else "file"
    seen = {
        "file": f"Looks at the {named} {files} by {'themselves' if len(kinds) > 1 else 'itself'}",
        "environment": f"Compares the {named} files of an environment",
        "project": f"Compares the {named} files of all environments",
    }[rule.scope]
    roles = "" if rule.roles == set(Role) else f", in {_and([r.value for r in Role if r in rule.roles])} only"
    return f"{seen}{roles}."


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def example(rule: Rule) -> tuple[dict[str, str], str]:
    """The parts of files that break the rule in its first case, by name, and what is printed of them."""
    case = next(case for case in BREAKING if case.code == rule.code)
    violations = list(check(configs(case.changes), rules=[rule], today=TODAY))
    wanted: dict[tuple[str, Kind], set[ConfigPath]] = {}
    places = [(each.environment, each.kind, each.path) for each in case.changes]
    for each in violations:
        places += [(each.environment, each.kind, each.path)]
        places += [(other.environment, other.kind, other.path) for other in each.related]
    for environment, kind, path in places:
        wanted.setdefault((environment, kind), set()).add(path)
    raw = raw_configs(case.changes)
    parts = {key: Part(*key, raw[key[0]][key[1]], paths) for key, paths in wanted.items()}
    findings = [_finding(rule, each, parts) for each in violations]
    context = ReportContext({part.name: part.text for part in parts.values()})
    blocks = render(findings, context).rstrip("\n").split("\n\n")[:-1]  # without the line that counts them
    return {part.name: part.text for part in parts.values()}, "\n\n".join(blocks).rstrip("\n") + "\n"


def _finding(rule: Rule, each: Violation, parts: dict[tuple[str, Kind], "Part"]) -> Finding:
    related = tuple(
        Related(parts[other.environment, other.kind].place(other.path), other.message)
        for other in each.related
    )
    place = parts[each.environment, each.kind].place(each.path)
    return Finding(each.code, rule.severity, each.message, place, each.path, each.hint, related)


class Part:
    """As much of a file as an example needs: the values at some paths, and what tells where they are."""

    def __init__(self, environment: str, kind: Kind, document: Any, paths: set[ConfigPath]) -> None:
        self.name = f"configs/{environment}/{canonical_name(environment, kind)}"
        self._moved: dict[ConfigPath, int] = {}
        chosen = self._prune(document, paths, ()) or {"kind": kind.value}
        self.text = "\n".join((f"# {self.name}", *_block(chosen, 0))) + "\n"
        self._positions = read_document(self.text.encode(), self.name).positions

    def place(self, path: ConfigPath) -> Place:
        """Where the value at ``path`` of the whole file stands in this part."""
        steps = (
            self._moved.get(path[: number + 1], step) if isinstance(step, int) else step
            for number, step in enumerate(path)
        )
        return self._positions.nearest(tuple(steps))

    def _prune(self, value: Any, paths: set[ConfigPath], here: ConfigPath) -> Any:
        if here in paths and not any(len(path) > len(here) and path[: len(here)] == here for path in paths):
            return _summary(value)
        steps = {path[len(here)] for path in paths if len(path) > len(here) and path[: len(here)] == here}
        if isinstance(value, dict):
            lacks = steps - value.keys() and here
            return {
                key: self._prune(item, paths, (*here, key)) if key in steps else item
                for key, item in value.items()
                if key in steps
                or (lacks and not isinstance(item, dict | list))
                or (here and key in IDENTITY[:2])
            }
        if not isinstance(value, list) or any(not isinstance(item, dict) for item in value):
            return value
        kept = [index for index in range(len(value)) if index in steps]
        for position, index in enumerate(kept):
            self._moved[(*here, index)] = position
        return [self._prune(value[index], paths, (*here, index)) for index in kept]


def _summary(value: Any) -> Any:
    """A value short enough for an example: of lists of mappings only what tells the items apart."""
    if isinstance(value, dict):
        return {key: _summary(item) for key, item in value.items()}
    if isinstance(value, list):
        return [
            {key: item[key] for key in IDENTITY if key in item} or item if isinstance(item, dict) else item
            for item in value
        ]
    return value


def _block(value: dict[str, Any], indent: int) -> Iterator[str]:
    margin = "  " * indent
    for key, item in value.items():
        name = _flow(key)
        if isinstance(item, dict) and item:
            yield f"{margin}{name}:"
            yield from _block(item, indent + 1)
        elif isinstance(item, list) and any(isinstance(each, dict) for each in item):
            yield f"{margin}{name}:"
            yield from (f"{margin}  - {_flow(each)}" for each in item)
        else:
            yield f"{margin}{name}: {_flow(item)}"


def _flow(value: Any) -> str:
    """A value on one line; a scalar is quoted only where a block needs it."""
    if isinstance(value, dict | list):
        wrapped = yaml.safe_dump([value], default_flow_style=True, width=10_000, sort_keys=False)
        return str(wrapped).strip()[1:-1]
    return str(yaml.safe_dump(value, width=10_000)).removesuffix("...\n").strip()


def index() -> str:
    """The index of all codes."""
    rows = {code: (own.title, own.severity.value, f"[{code}]({code}.md)") for code, own in OWN_CODES.items()}
    rows |= {rule.code: (rule.title, rule.severity.value, f"[{rule.code}]({rule.code}.md)") for rule in RULES}
    rows |= {code: (title, "reserved", code) for code, title in RESERVED.items()}
    parts = [
        "# Codes",
        _paragraph(
            "Every finding has a code. A code keeps its meaning for ever; its page says what it demands, with"
            " an example and what that prints. The [settings](../settings.md) can change the severity of a"
            " code, or waive it at one value until a day; errors of the families Y, F and S leave no valid"
            " file behind, and so cannot be weakened."
        ),
    ]
    for family, title in FAMILIES.items():
        codes = sorted(code for code in rows if code[0] == family)
        table = "\n".join(f"| {rows[code][2]} | {rows[code][0]} | {rows[code][1]} |" for code in codes)
        parts += [f"## {family}: {title}", f"| code | says | severity |\n| --- | --- | --- |\n{table}"]
    parts.append(
        _paragraph(
            "A reserved code stands for what the files alone cannot tell, so `validate` never finds it. E06"
            " needs the ledger of releases: a release checks it once the settings give it a severity"
            " ([how](../ledger.md#rehearsed-before-production-e06)). E07 needs git: a protected environment"
            " is released from a clean commit only, and the release itself refuses another."
        )
    )
    return "\n\n".join(parts) + "\n"


def pages() -> dict[Path, str]:
    """Every page this tool writes, with its text."""
    return {FOLDER / "README.md": index(), **{FOLDER / f"{rule.code}.md": page(rule) for rule in RULES}}


def main() -> int:
    """Writes the pages, or with --check tells which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a page is out of date")
    checking = parser.parse_args().check
    outdated = []
    for path, text in pages().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            outdated.append(path.relative_to(ROOT))
            if not checking:
                path.write_text(text, encoding="utf-8")
    for path in outdated:
        print(f"{path} {'is out of date: run python tools/generate_rule_docs.py' if checking else 'written'}")
    return 1 if checking and outdated else 0


if __name__ == "__main__":
    sys.exit(main())

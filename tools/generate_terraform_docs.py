"""Writes docs/terraform-modules.md from the modules; with --check it only says whether that is needed.

Only formatted files are read (`terraform fmt`): a block begins and ends in the first column.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "terraform" / "modules"
PAGE = ROOT / "docs" / "terraform-modules.md"
CLOUDS = {"aws": "AWS", "gcp": "Google Cloud"}
ORDER = (
    "environment",
    "artifact_store",
    "image_repository",
    "network",
    "airflow",
    "model_endpoint_roles",
    "monitoring",
    "github_oidc",
)
INTRODUCTION = """\
# Terraform modules: inputs and outputs

`make docs` writes this page from the modules. How they go together is in [terraform](terraform.md). Types,
and the rules that values have to keep, stand in each module's `variables.tf`; a wrong value is refused with
the rule.
"""
_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_DESCRIPTION = re.compile(r'^  description\s*= "((?:[^"\\]|\\.)*)"$', re.MULTILINE)
_HEREDOC = re.compile(r"^  description\s*= <<-(\w+)\n(.*?)^\s*\1$", re.MULTILINE | re.DOTALL)
_DEFAULT = re.compile(r"^  default\s*= (.*)$", re.MULTILINE)
_OPENING = re.compile(r"[\[{(]\s*$")


class Item(NamedTuple):
    """An input or output of a module."""

    kind: str
    """``variable`` or ``output``."""
    name: str
    description: str
    default: str | None
    """As the file has it, ``…`` for a long one; ``None``: it has to be given."""


def items(folder: Path) -> Iterator[Item]:
    """The inputs and outputs of the module in ``folder``, in the order of its files.

    Raises:
        ValueError: one of them has no description.
    """
    for path in sorted(folder.glob("*.tf")):
        for kind, name, body in _BLOCK.findall(path.read_text("utf-8")):
            heredoc, plain = _HEREDOC.search(body), _DESCRIPTION.search(body)
            if heredoc is None and plain is None:
                raise ValueError(f"{path.relative_to(ROOT)}: {kind} {name} has no description")
            text = heredoc[2] if heredoc else re.sub(r"\\(.)", r"\1", plain[1] if plain else "")
            default = _DEFAULT.search(body)
            yield Item(kind, name, " ".join(text.split()), _shown(default[1]) if default else None)


def _shown(default: str) -> str:
    return "…" if _OPENING.search(default) else default.strip()


def purpose(folder: Path) -> str:
    """The comment that main.tf begins with."""
    lines = []
    for line in (folder / "main.tf").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def cell(text: str) -> str:
    """The text inside a table cell."""
    return re.sub(r"<(?=\w)", "&lt;", text.replace("|", r"\|"))


def module(name: str) -> Iterator[str]:
    """A module's section."""
    yield f"\n## {name}"
    for cloud, title in CLOUDS.items():
        folder = MODULES / name / cloud
        found = list(items(folder))
        yield f"\n### {name} on {title}\n\n{purpose(folder)}\n"
        yield "| input | meaning | default |\n| --- | --- | --- |"
        for each in found:
            if each.kind == "variable":
                default = "required" if each.default is None else f"`{each.default}`"
                yield f"| `{each.name}` | {cell(each.description)} | {cell(default)} |"
        yield "\n| output | meaning |\n| --- | --- |"
        yield from (
            f"| `{each.name}` | {cell(each.description)} |" for each in found if each.kind == "output"
        )


def page() -> str:
    """The whole page."""
    return INTRODUCTION + "\n".join(line for name in ORDER for line in module(name)) + "\n"


def main() -> int:
    """Writes the page; with ``--check`` exit code 1 if it is not what it should be."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--check", action="store_true", help="change nothing; exit code 1 if it is stale")
    text = page()
    if options.parse_args().check:
        if PAGE.exists() and PAGE.read_text("utf-8") == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not what the modules say: make docs", file=sys.stderr)
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

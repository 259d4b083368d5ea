"""``mlops-config rules``: what Prometheus and Grafana need to watch an environment."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from mlops_config.cli.arguments import add_environment_argument, add_tree_arguments, tree_of
from mlops_config.cli.validating import explained, valid_environment

NAME = "rules"
SUMMARY = "generate Prometheus rules, their tests and a Grafana dashboard"
DESCRIPTION = """\
Generates recording and alerting rules from an environment's configuration, promtool tests that prove each
alert fires beyond its threshold and not otherwise, and a Grafana dashboard. Thresholds come from the
configuration alone. Without --output the rules are printed, for a program to take them from there."""
EXAMPLES = """\
  mlops-config rules --environment prod --output prometheus/
  mlops-config rules --environment prod --output prometheus/ --check    exit 1 when they are out of date
  mlops-config rules --environment prod | promtool check rules /dev/stdin
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_tree_arguments(parser)
    add_environment_argument(parser, required=True)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write rules, tests and dashboard into this folder"
    )
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="default: yaml")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when the files in --output differ"
    )
    parser.add_argument(
        "--watchdog", action="store_true", help="add an alert that always fires, to test that alerts arrive"
    )


def run(arguments: argparse.Namespace) -> int:
    """Writes or prints the files; with ``--check``, 1 where they differ."""
    from mlops_config.alerting.generating import generate
    from mlops_config.errors import UsageError

    if arguments.check and arguments.output is None:
        raise UsageError("--check compares files, and none are named", hint="add --output DIR")
    root, settings = tree_of(arguments)
    with explained():
        configs = valid_environment(root, settings, arguments.environment)
    generated = generate(configs, arguments.format, watchdog=arguments.watchdog)
    for line in generated.unwatched:
        sys.stderr.write(f"warning: {line}: no rule is made of it\n")
    if arguments.output is None:
        sys.stdout.write(generated.rules)
        return 0
    if arguments.check:
        return _check(arguments.output, generated.files)
    _write(arguments.output, generated.files)
    return 0


def _write(folder: Path, files: Mapping[str, str]) -> None:
    from mlops_config.files import write_atomically

    for name, text in files.items():
        write_atomically(folder / name, text.encode())
        sys.stderr.write(f"wrote {folder / name}\n")


def _check(folder: Path, files: Mapping[str, str]) -> int:
    differing = [name for name, text in files.items() if not _is(folder / name, text)]
    for name in differing:
        sys.stderr.write(f"{folder / name} is not what the configuration says\n")
    if differing:
        sys.stderr.write("run the same command without --check to write them anew\n")
    return 1 if differing else 0


def _is(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except FileNotFoundError:
        return False

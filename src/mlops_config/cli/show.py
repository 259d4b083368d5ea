"""``mlops-config show``: every value in force in an environment, with the place it comes from."""

import argparse
import sys

from mlops_config.cli.arguments import add_environment_argument, add_tree_arguments, tree_of
from mlops_config.cli.validating import explained, valid_environment
from mlops_config.kinds import Kind

NAME = "show"
SUMMARY = "print the values in force in an environment, and where each comes from"
DESCRIPTION = """\
Prints every value of an environment's configuration, defaults included, each with its origin:
file and line, or the default of the contract."""
EXAMPLES = """\
  mlops-config show --environment prod
  mlops-config show --environment dev --kind monitoring --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_tree_arguments(parser)
    add_environment_argument(parser, required=True)
    parser.add_argument(
        "--kind", choices=[kind.value for kind in Kind], help="only this file (default: all four)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the resolved values."""
    from mlops_config.contract.show import render_json, render_text, resolve

    root, settings = tree_of(arguments)
    with explained():
        values = resolve(valid_environment(root, settings, arguments.environment))
    if arguments.kind:
        values = [value for value in values if value.kind == arguments.kind]
    sys.stdout.write(render_json(values) if arguments.format == "json" else render_text(values))
    return 0

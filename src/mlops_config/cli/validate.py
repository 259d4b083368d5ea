"""``mlops-config validate``: checks every file and prints what is wrong, on the very line."""

import argparse
import sys
from pathlib import Path

from mlops_config.cli.arguments import add_tree_arguments, tree_of
from mlops_config.errors import UsageError

NAME = "validate"
SUMMARY = "check the configuration files of all environments"
DESCRIPTION = """\
Checks the four files of every environment: YAML, schema, rules across files and across environments.
Findings go to standard output; the exit code is 1 when there are errors."""
EXAMPLES = """\
  mlops-config validate
  mlops-config validate configs --environment prod --fail-on warning
  mlops-config validate --format sarif > findings.sarif
  mlops-config validate --report junit=findings.xml --report json=findings.json
"""

FORMATS = ("text", "json", "sarif", "junit", "github", "markdown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_tree_arguments(parser)
    parser.add_argument(
        "-e",
        "--environment",
        action="append",
        metavar="NAME",
        help="only this environment; may be given several times (default: all)",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="what goes to standard output (default: text)"
    )
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FORMAT=FILE",
        help="also write the findings to FILE; may be given several times",
    )
    parser.add_argument(
        "--fail-on",
        choices=("error", "warning", "note", "never"),
        default="error",
        help="least severity that makes the exit code 1 (default: error)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints the findings; 1 if any is as severe as ``--fail-on``."""
    from mlops_config.console import wants_color
    from mlops_config.contract.validation import validate
    from mlops_config.findings import Severity
    from mlops_config.report import render

    reports = [_report(text) for text in arguments.report]
    root, settings = tree_of(arguments)
    validation = validate(root, settings, arguments.environment, light=True)
    color = arguments.format == "text" and wants_color(sys.stdout)
    sys.stdout.write(render(arguments.format, validation, color=color))
    for name, path in reports:
        from mlops_config.files import write_atomically

        write_atomically(path, render(name, validation, color=False).encode())
    if arguments.fail_on == "never":
        return 0
    limit = Severity(arguments.fail_on).rank
    return int(any(finding.severity.rank <= limit for finding in validation.findings))


def _report(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not separator or not path or name not in FORMATS:
        raise UsageError(
            f"--report {text!r} is not FORMAT=FILE",
            hint=f"such as sarif=findings.sarif; formats: {', '.join(FORMATS)}",
        )
    return name, Path(path)

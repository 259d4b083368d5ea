"""The ``mlops-config`` command: parses arguments, runs a verb, words every failure."""

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from types import FrameType
from typing import Protocol

from mlops_config import __version__
from mlops_config.errors import INTERRUPTED, INTERRUPTED_EXIT_CODE, MlopsConfigError, UsageError, of_os_error

VERBS = {
    "validate": "validate",
    "show": "show",
    "schema": "schema",
    "bundle": "bundle",
    "build": "release:BUILD",
    "publish": "release:PUBLISH",
    "notes": "release:NOTES",
    "release": "release:RELEASE",
    "verify": "verify",
    "log": "log",
    "trace": "trace",
    "rules": "rules",
    "run": "run",
    "deploy": "deploy",
    "promote": "promote",
    "rollback": "rollback",
    "undeploy": "undeploy",
}
"""Where each verb is defined: a module of this package, or something in one."""


_COLUMNS, _MARGIN = 80, 2
"""Where nobody says how wide it is, and what argparse leaves free."""


class Verb(Protocol):
    """What a verb says of itself and does; a module or an object."""

    NAME: str
    SUMMARY: str
    DESCRIPTION: str
    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the verb's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Runs the verb and returns the exit code."""


DESCRIPTION = """\
Takes the four configuration files of an environment (training, inference, monitoring, retrain)
from YAML to a validated, immutable, traceable release."""

EPILOG = """\
examples:
  mlops-config validate                        check every environment under configs/
  mlops-config show --environment prod         every value in force, and where it comes from
  mlops-config release --environment prod      validate, bundle, build, publish, write notes
  mlops-config verify --environment prod       prove that what was released is what the record says

exit codes:
  0 fine   1 findings   2 wrong usage or settings   3 a service failed   4 integrity mismatch
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; see :mod:`mlops_config.errors` for what codes mean."""
    words = sys.argv[1:] if argv is None else argv
    if not words:
        parser().print_help(sys.stderr)
        return UsageError.exit_code
    signal.signal(signal.SIGTERM, _interrupt)
    # Only the verb that runs is loaded: its neighbours' arguments take longer than reading twelve files.
    arguments = parser(words[:1] if words[:1] and words[0] in VERBS else VERBS).parse_args(words)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except MlopsConfigError as error:
        return _fail(error.message, error.hint, error.exit_code)
    except KeyboardInterrupt as stop:
        said, hint = INTERRUPTED
        return _fail(str(stop) or said, hint, INTERRUPTED_EXIT_CODE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        failure = of_os_error(error)
        return _fail(failure.message, failure.hint, failure.exit_code)
    return code


def parser(names: Iterable[str] = VERBS) -> argparse.ArgumentParser:
    """The argument parser with the named verbs, all of them by default; the reference is made from it."""
    raw = partial(argparse.RawDescriptionHelpFormatter, width=_columns() - _MARGIN)
    top = argparse.ArgumentParser(
        "mlops-config", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw, allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"mlops-config {__version__}")
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in map(_verb, names):
        sub = verbs.add_parser(
            verb.NAME,
            help=verb.SUMMARY,
            description=verb.DESCRIPTION,
            epilog=f"examples:\n{verb.EXAMPLES}",
            formatter_class=raw,
            allow_abbrev=False,
        )
        verb.add_arguments(sub)
        sub.set_defaults(run=verb.run)
    return top


def _columns() -> int:
    """How wide the terminal is; argparse would import shutil to ask, before it knows that help is wanted."""
    try:
        return int(os.environ.get("COLUMNS", "")) or _COLUMNS
    except ValueError:
        pass
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


def _verb(name: str) -> Verb:
    module, _, attribute = VERBS[name].partition(":")
    found = import_module(f"mlops_config.cli.{module}")
    verb: Verb = getattr(found, attribute) if attribute else found
    return verb


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(message: str, hint: str | None, code: int) -> int:
    from mlops_config.console import wants_color

    red, plain = ("\x1b[31m", "\x1b[0m") if wants_color(sys.stderr) else ("", "")
    print(f"{red}error:{plain} {message}", file=sys.stderr)  # noqa: T201 the one place a failure is printed
    if hint:
        print(f" hint: {hint}", file=sys.stderr)  # noqa: T201 and what belongs to it
    return code

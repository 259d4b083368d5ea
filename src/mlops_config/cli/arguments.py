"""What several verbs share: arguments, what they mean, and what is said where packages are missing."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_config.settings import Settings

from mlops_config.errors import UsageError


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """An argument's ``type``: a whole number within both bounds, or argparse's own words of refusal."""
    bounds = f"from {least} to {most}" if most is not None else f"of {least} or more"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number {bounds}")
        return number

    return read


def sha256_digest(text: str) -> str:
    """An argument's ``type``: a whole digest, as every verb prints them."""
    from mlops_config.digests import is_digest

    if not is_digest(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no digest, sha256: and 64 hex digits")
    return text


def add_checkout_arguments(parser: argparse.ArgumentParser) -> None:
    """The repository root and the settings file."""
    parser.add_argument(
        "-C", "--root", type=Path, default=Path(), metavar="DIR", help="repository root (default: here)"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="settings file (default: mlops-config.yaml, if there is one)",
    )


def add_tree_arguments(parser: argparse.ArgumentParser) -> None:
    """The configuration folder, and the checkout it is in."""
    parser.add_argument(
        "config_dir",
        nargs="?",
        metavar="CONFIG_DIR",
        help="folder with a folder per environment (default: configs, or what the settings say)",
    )
    add_checkout_arguments(parser)


def add_identity_arguments(parser: argparse.ArgumentParser) -> None:
    """Which project and model, and the checkout whose files say so by default."""
    parser.add_argument("--project", metavar="NAME", help="default: as the configuration files here say")
    parser.add_argument("--model", metavar="NAME", help="model name (default: as the files here say)")
    add_checkout_arguments(parser)


def add_ledger_store_argument(parser: argparse.ArgumentParser) -> None:
    """The store whose ledger is read or written."""
    parser.add_argument(
        "--store",
        metavar="URI",
        help="store with the ledger (default: MLOPS_STORE, the settings' first, or .mlops-config/store)",
    )


def add_environment_argument(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """The environment to act on."""
    parser.add_argument(
        "-e", "--environment", required=required, metavar="NAME", help="such as dev, staging or prod"
    )


@contextmanager
def with_jobs(name: str) -> Iterator[None]:
    """The block imports what jobs need, for the work called ``name``.

    Raises:
        UsageError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("mlops_config"):
            raise
        raise UsageError(
            f"{name} needs {error.name}, and it is not installed",
            hint="run: pip install 'mlops-config-action[jobs]'",
        ) from error


def tree_of(arguments: argparse.Namespace) -> "tuple[Path, Settings]":
    """The repository root and the settings, with the configuration folder of the command line in force.

    Raises:
        UsageError: root or folder is not there, or the settings are not valid.
    """
    from mlops_config.settings import load_settings

    root: Path = arguments.root
    if not root.is_dir():
        raise UsageError(f"there is no folder {root}", hint="name the repository root with --root")
    settings = load_settings(root, arguments.settings)
    if arguments.config_dir is None:
        return root, settings
    folder = Path(arguments.config_dir)
    if folder.is_absolute():
        root, folder = folder.parent, Path(folder.name)
    return root, settings._replace(config_dir=folder.as_posix())

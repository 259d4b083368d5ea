"""What several verbs share: arguments, what they mean, and what is said where packages are missing."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_config.settings import Settings

from mlops_config.errors import UsageError


def add_tree_arguments(parser: argparse.ArgumentParser) -> None:
    """The configuration folder, the repository root and the settings file."""
    parser.add_argument(
        "config_dir",
        nargs="?",
        metavar="CONFIG_DIR",
        help="folder with a folder per environment (default: configs, or what the settings say)",
    )
    parser.add_argument(
        "-C", "--root", type=Path, default=Path(), metavar="DIR", help="repository root (default: here)"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="settings file (default: mlops-config.yaml, if there is one)",
    )


def add_identity_arguments(parser: argparse.ArgumentParser) -> None:
    """Which project and model, and the checkout whose files say so by default."""
    parser.add_argument("--project", metavar="NAME", help="default: as the configuration files here say")
    parser.add_argument("--model", metavar="NAME", help="model name (default: as the files here say)")
    parser.add_argument(
        "-C", "--root", type=Path, default=Path(), metavar="DIR", help="repository root (default: here)"
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="default: mlops-config.yaml")


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

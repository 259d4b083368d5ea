"""Which ledgers a verb is about: those of the configurations here, or those that the command line names."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_config.cli.arguments import add_identity_arguments, add_ledger_store_argument
from mlops_config.errors import UsageError
from mlops_config.ledger.places import ledger_store

if TYPE_CHECKING:
    from mlops_config.settings import Settings
    from mlops_config.store.interface import LedgerName, Store


def add_ledger_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the ledgers are, and whose they are."""
    parser.add_argument(
        "-e",
        "--environment",
        action="append",
        metavar="NAME",
        help="only this environment; may be given several times (default: all)",
    )
    add_ledger_store_argument(parser)
    add_identity_arguments(parser)


def ledgers_of(arguments: argparse.Namespace) -> "tuple[Store, tuple[LedgerName, ...]]":
    """The store, and the name of each environment's ledger in it.

    Raises:
        UsageError: an environment is not known, or nothing says which project and model it is about.
    """
    from mlops_config.settings import load_settings
    from mlops_config.store.interface import LedgerName

    settings = load_settings(arguments.root, arguments.settings)
    environments = arguments.environment or settings.environments
    for environment in environments:
        settings.require_environment(environment)
    headers = {} if arguments.project and arguments.model else _headers(arguments.root, settings)
    names = []
    for environment in environments:
        project = arguments.project or headers.get(environment, {}).get("project")
        model = arguments.model or headers.get(environment, {}).get("model_name")
        if project and model:
            names.append(LedgerName(str(project), str(model), environment))
    if not names:
        raise UsageError(
            f"no configuration of {' or '.join(environments)} says which project and model this is about",
            hint="name them with --project and --model, or the checkout with --root",
        )
    return ledger_store(arguments.store, arguments.root, settings), tuple(names)


def _headers(root: Path, settings: "Settings") -> dict[str, dict[str, Any]]:
    """The ``metadata`` of each environment's training file; files that cannot be read say nothing.

    In an image there is one environment, and its bundle says so.
    """
    from mlops_config.bundle.archive import read_folder
    from mlops_config.bundle.bundle import MANIFEST_NAME

    baked = os.environ.get("MLOPS_CONFIG_DIR")
    if baked and Path(baked, MANIFEST_NAME).is_file():
        bundle = read_folder(Path(baked))
        return {bundle.environment: {"project": bundle.project, "model_name": bundle.model_name}}
    from mlops_config.contract.reading.sources import read_sources
    from mlops_config.contract.reading.yaml_reader import read_document
    from mlops_config.kinds import Kind

    sources = read_sources(root, settings.config_dir, settings.environments, settings.environments)
    headers = {}
    for environment, files in sources.files.items():
        file = files.get(Kind.TRAINING)
        data = read_document(file.data, file.path).data if file else None
        metadata = data.get("metadata") if isinstance(data, dict) else None
        if isinstance(metadata, dict):
            headers[environment] = metadata
    return headers

"""``mlops-config bundle``: the four files under their canonical names, as one archive with one digest."""

import argparse
import json
import sys
from pathlib import Path

from mlops_config.cli.arguments import add_environment_argument, add_tree_arguments, tree_of
from mlops_config.cli.validating import explained

NAME = "bundle"
SUMMARY = "write an environment's four files as one reproducible archive"
DESCRIPTION = """\
Validates the configuration, then writes the environment's four files and their manifest as a tar archive.
Equal files give an equal archive and an equal config digest on any machine."""
EXAMPLES = """\
  mlops-config bundle --environment prod
  mlops-config bundle --environment prod --output prod.tar --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_tree_arguments(parser)
    add_environment_argument(parser, required=True)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="archive to write (default: none)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the config digest and both hashes of each file; writes the archive where one is asked for."""
    from mlops_config.bundle.archive import to_tar
    from mlops_config.console import TerminalConsole
    from mlops_config.files import write_atomically
    from mlops_config.pipeline import Options, bundle_of, files_of, validated

    root, settings = tree_of(arguments)
    settings.require_environment(arguments.environment)
    with explained():
        validation = validated(Options(root), settings, TerminalConsole(quiet=True))
    configs = validation.environment(arguments.environment)
    bundle = bundle_of(configs)
    files = files_of(configs, bundle)
    if arguments.output:
        write_atomically(arguments.output, to_tar(bundle))
    if arguments.format == "json":
        document = {
            "environment": bundle.environment,
            "config_digest": bundle.digest,
            "files": [file.model_dump(mode="json") for file in files],
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return 0
    lines = [f"{bundle.environment}  {bundle.digest}"]
    for file in files:
        lines += [f"  {file.name}", f"    bytes    {file.sha256}", f"    meaning  {file.semantic_sha256}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0

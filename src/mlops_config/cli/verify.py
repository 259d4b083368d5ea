"""``mlops-config verify``: proves that bundles and images are what a record or digest says."""

import argparse
import sys
from pathlib import Path

from mlops_config.cli.arguments import sha256_digest
from mlops_config.errors import UsageError

NAME = "verify"
SUMMARY = "prove that a release, a bundle or an image is what its digest says"
DESCRIPTION = """\
Reads a release record, a bundle (folder or archive) or an image again, byte for byte, and compares every
digest. Exit code 4 says that something is not what it should be, and names it."""
EXAMPLES = """\
  mlops-config verify --environment prod                  what the last release here made
  mlops-config verify --environment staging --to-ledger   and write down that it was
  mlops-config verify --record release.json               a record from anywhere: its stores and its image
  mlops-config verify --bundle /app/configs               a folder, or an archive, with a bundle
  mlops-config verify --image ghcr.io/acme/fares:4f2c1d   an image, in the engine or its registry
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("-e", "--environment", metavar="NAME", help="what the last release to it here made")
    what.add_argument("--record", type=Path, metavar="FILE", help="release record to check")
    what.add_argument("--bundle", type=Path, metavar="PATH", help="bundle folder or tar archive to check")
    what.add_argument(
        "--image", metavar="IMAGE", help="image reference, or the folder of an OCI layout, to check"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(".mlops-config"), metavar="DIR", help="default: .mlops-config"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="settings file (default: mlops-config.yaml, if there is one)",
    )
    parser.add_argument(
        "--digest",
        type=sha256_digest,
        metavar="SHA256",
        help="config digest it must have (default: what it says itself)",
    )
    parser.add_argument(
        "--to-ledger",
        action="store_true",
        help="add to the release's ledger that it was verified, which the rule E06 asks for",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints a line per thing proven; with --to-ledger writes down that all of it was."""
    from mlops_config.release.verification import verify_bundle, verify_image, verify_record
    from mlops_config.settings import load_settings

    if arguments.to_ledger and (arguments.bundle or arguments.image):
        raise UsageError("--to-ledger is about a release: name it with --environment or --record")
    environments = load_settings(Path(), arguments.settings).environments
    if arguments.bundle:
        proven = verify_bundle(arguments.bundle, arguments.digest)
    elif arguments.image:
        proven = verify_image(arguments.image, arguments.digest, environments)
    else:
        record = arguments.record or arguments.output / arguments.environment / "release.json"
        proven = verify_record(record, arguments.digest, environments)
    lines = []
    for line in proven:
        sys.stdout.write(f"ok  {line}\n")
        lines.append(line)
    if arguments.to_ledger:
        _write_down(record, lines)
    return 0


def _write_down(path: Path, proven: list[str]) -> None:
    from mlops_config.release.signoff import stores_of, write_verified
    from mlops_config.release.verification import read_record

    record = read_record(path)
    for store in stores_of(record):
        entry = write_verified(store, record, proven)
        where = f"entry {entry.sequence} of the ledger of {entry.environment}"
        sys.stdout.write(f"ok  {store.uri}: verified, {where}\n")

"""``mlops-config schema``: prints the JSON Schema of a kind, for editors and other tools."""

import argparse
import json
import sys

from mlops_config.kinds import Kind

NAME = "schema"
SUMMARY = "print the JSON Schema of a kind of file"
DESCRIPTION = """\
Prints the JSON Schema (draft 2020-12) of one kind of configuration file. Editors that speak to a YAML
language server complete and check a file whose first line names it:
  # yaml-language-server: $schema=schemas/training.schema.json"""
EXAMPLES = """\
  mlops-config schema training > schemas/training.schema.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.add_argument("kind", choices=[kind.value for kind in Kind], help="which of the four files")


def run(arguments: argparse.Namespace) -> int:
    """Prints the schema."""
    from mlops_config.contract.models.schema import json_schema

    sys.stdout.write(json.dumps(json_schema(Kind(arguments.kind)), indent=2, ensure_ascii=False) + "\n")
    return 0

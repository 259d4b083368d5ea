"""``mlops-config trace``: where something comes from, and what came of it."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_config.cli.ledgers import add_ledger_arguments, ledgers_of

if TYPE_CHECKING:
    from mlops_config.ledger.tracing import Graph, Trace

NAME = "trace"
SUMMARY = "tell where a prediction, model, image or commit comes from, and what came of it"
DESCRIPTION = """\
Follows release records and ledger entries both ways: up to the release, the four files and the commit, down
to images, models, deployments and batches. X is a commit, a tag or release, a config digest, an image digest,
a model version, a prediction id, a job id, a data fingerprint, or one of the YAML files. Of commits and
digests the first 7 hex digits or more will do. Exit code 1: nothing is known of X."""
EXAMPLES = """\
  mlops-config trace 3f9a1c2e4b5d6071-42           a prediction id, from any row of a batch or answer
  mlops-config trace fare-amount-prod:7            a model version; models:/fare-amount-prod/7 is the same
  mlops-config trace v1.2.0
  mlops-config trace configs/prod/prod_training_config.yaml --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.add_argument("what", metavar="X", help="what to trace")
    add_ledger_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    """Prints both trees, or the graph as JSON."""
    from mlops_config.console import wants_color
    from mlops_config.ledger.history import read_history
    from mlops_config.ledger.rendering import Style, render_trace
    from mlops_config.ledger.tracing import Graph, NothingFoundError

    query = _query(arguments.what)
    store, names = ledgers_of(arguments)
    graph = Graph(read_history(store, names))
    try:
        trace = graph.trace(query)
    except NothingFoundError as error:
        if query == arguments.what:
            raise
        raise NothingFoundError(
            f"no release holds {arguments.what} as it is now, with these very bytes: {query}",
            hint="it was changed since, or never released; a commit or a release can be traced as well",
        ) from error
    if arguments.format == "json":
        sys.stdout.write(json.dumps(document(trace, graph), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(render_trace(trace, graph, Style(wants_color(sys.stdout))))
    return 0


def _query(text: str) -> str:
    """The digest of the file, where ``text`` is the path of one."""
    from mlops_config.bundle.bundle import sha256_of

    path = Path(text)
    return sha256_of(path.read_bytes()) if path.is_file() else text


def document(trace: "Trace", graph: "Graph") -> dict[str, Any]:
    """The trace as JSON; docs/ledger.md says what is in it."""
    nodes = dict.fromkeys([*trace.upstream, *trace.downstream])
    edges = dict.fromkeys(
        [(above, node) for node, parents in trace.upstream.items() for above in parents]
        + [(node, below) for node, results in trace.downstream.items() for below in results]
    )
    return {
        "schema_version": 1,
        "query": trace.query,
        "found": [str(node) for node in trace.found],
        "nodes": [
            {"id": str(node), "kind": node.kind, "name": node.name, "details": graph.details(node)}
            for node in nodes
        ],
        "edges": [{"from": str(source), "to": str(result)} for source, result in edges],
        "upstream": [str(node) for node in trace.upstream if node not in trace.found],
        "downstream": [str(node) for node in trace.downstream if node not in trace.found],
    }

"""``mlops-config log``: what ran, where and when, from the ledgers."""

import argparse
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlops_config.cli.arguments import sha256_digest, whole_number
from mlops_config.cli.ledgers import add_ledger_arguments, ledgers_of
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.ledger.entries import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_config.ledger.ledger import Ledger, Placed

NAME = "log"
SUMMARY = "print what ran, where and when, from the ledger"
DESCRIPTION = """\
Prints the ledger's entries, the newest last: releases, training, batches, monitoring, decisions, promotions,
deployments. The chain of what is printed is proven; --verify proves all of it and prints where it ends."""
EXAMPLES = """\
  mlops-config log --environment prod
  mlops-config log --event promoted --event rolled_back --since 30d
  mlops-config log --store s3://acme-ml/configs --limit 0 --format jsonl
  mlops-config log --verify --holds sha256:5d3c…     and this entry, noted earlier, is still in it
"""

_LIMIT = 50
_AGO = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_ledger_arguments(parser)
    moment = "a date, a time in ISO-8601 (UTC unless it says otherwise), or how long ago: 90m, 24h, 30d, 2w"
    parser.add_argument("--since", type=_moment, metavar="WHEN", help=moment)
    parser.add_argument("--until", type=_moment, metavar="WHEN", help="as --since; not included itself")
    parser.add_argument(
        "--event",
        action="append",
        choices=[event.value for event in Event],
        metavar="EVENT",
        help=f"only these: {', '.join(Event)}",
    )
    parser.add_argument(
        "--limit",
        type=whole_number(0),
        default=_LIMIT,
        metavar="N",
        help=f"only the newest N; 0: all (default: {_LIMIT})",
    )
    parser.add_argument("--verify", action="store_true", help="prove every ledger from its first entry on")
    parser.add_argument(
        "--holds",
        type=sha256_digest,
        metavar="SHA256",
        help="with --verify: one of the ledgers must have the entry with this digest",
    )
    parser.add_argument("--format", choices=("text", "json", "jsonl"), default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the entries, or that the chains are whole."""
    from mlops_config.ledger.history import ledger_of

    if arguments.holds and not arguments.verify:
        raise UsageError("--holds proves something, and so needs --verify")
    store, names = ledgers_of(arguments)
    ledgers = [ledger_of(store, name) for name in names]
    if arguments.verify:
        return _verify(arguments, ledgers)
    chosen = [placed for ledger in ledgers for placed in _chosen(arguments, ledger)]
    chosen.sort(key=lambda placed: placed.entry.time)
    if arguments.limit:
        chosen = chosen[-arguments.limit :]
    if arguments.format == "json":
        _print({"schema_version": 1, "store": store.uri, "entries": [_document(each) for each in chosen]}, 2)
    elif arguments.format == "jsonl":
        for each in chosen:
            _print(_document(each))
    elif chosen:
        sys.stdout.write(_table(chosen))
    else:
        sys.stderr.write(f"no entries in {store.uri} for {', '.join(name.environment for name in names)}\n")
    return 0


def _chosen(arguments: argparse.Namespace, ledger: "Ledger") -> "Sequence[Placed]":
    """The ledger's entries that are asked for. Without a filter only its end is read."""
    if not (arguments.since or arguments.until or arguments.event):
        return ledger.latest(arguments.limit or None)
    return [
        placed
        for placed in ledger.latest()
        if (not arguments.since or placed.entry.time >= arguments.since)
        and (not arguments.until or placed.entry.time < arguments.until)
        and (not arguments.event or placed.entry.event in arguments.event)
    ]


def _table(chosen: "Sequence[Placed]") -> str:
    from shutil import get_terminal_size

    from mlops_config.console import wants_color
    from mlops_config.ledger.rendering import Style, render_log

    width = get_terminal_size().columns if sys.stdout.isatty() else None
    return render_log([each.entry for each in chosen], Style(wants_color(sys.stdout), width))


def _verify(arguments: argparse.Namespace, ledgers: "Sequence[Ledger]") -> int:
    from mlops_config.ledger.rendering import short

    proven = []
    is_held = False
    for ledger in ledgers:
        chain = ledger.latest()
        is_held = is_held or any(placed.digest == arguments.holds for placed in chain)
        head = chain[-1].digest if chain else None
        proven.append({**_name(ledger), "entries": len(chain), "head": head})
        if arguments.format == "text":
            name = ledger.name
            entries = f"{len(chain)} entr{'y' if len(chain) == 1 else 'ies'}"
            end = f", each names the one before; the last is {head}" if head else ""
            sys.stdout.write(f"ok  {name.project}/{name.model_name} in {name.environment}: {entries}{end}\n")
    if arguments.holds and not is_held:
        raise IntegrityError(
            f"no ledger in {ledgers[0].store.uri} has the entry {short(arguments.holds)} any more",
            hint="the chain is whole, so its end was cut off or it was written anew; look for a backup",
        )
    if arguments.format != "text":
        _print({"schema_version": 1, "ledgers": proven}, 2 if arguments.format == "json" else None)
    return 0


def _name(ledger: "Ledger") -> dict[str, str]:
    name = ledger.name
    return {
        "store": ledger.store.uri,
        "project": name.project,
        "model_name": name.model_name,
        "environment": name.environment,
    }


def _document(placed: "Placed") -> dict[str, Any]:
    return {"digest": placed.digest, **placed.entry.model_dump(mode="json")}


def _print(document: object, indent: int | None = None) -> None:
    sys.stdout.write(json.dumps(document, indent=indent, ensure_ascii=False) + "\n")


def _moment(text: str) -> datetime:
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no date, time or span such as 24h") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

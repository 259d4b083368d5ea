"""Ledger entries as a table and traces as a tree, for people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from mlops_config.ledger.entries import LedgerEntry
from mlops_config.ledger.tracing import Graph, Key, NodeKind, Trace
from mlops_config.release.record import InfrastructureRecord
from mlops_config.report.interface import printable

_COLORS = {"succeeded": "32", "failed": "31", "refused": "33"}
_DIM, _BOLD = "2", "1"
_SHORT = 12
_MANY = 5
"""More entries of one kind than this under one node are shown as the newest few and a count."""
_NEWEST = 3
_GAP = "  "


class Style(NamedTuple):
    """How the output is to look: in colour or not, and how many columns wide (``None``: as wide as it is)."""

    color: bool = False
    width: int | None = None

    def paint(self, text: str, code: str) -> str:
        """The text in a colour, if there are any."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text


def short(digest: str) -> str:
    """The beginning of a digest or commit, as long as people need it."""
    return digest.removeprefix("sha256:")[:_SHORT]


def render_log(entries: Sequence[LedgerEntry], style: Style) -> str:
    """A table with a row per entry; columns that say nothing are left out."""
    several = len({(entry.project, entry.model_name, entry.environment) for entry in entries}) > 1
    header = (
        "TIME (UTC)",
        "WHERE" if several else "",
        "EVENT",
        "OUTCOME",
        "MODEL",
        "RELEASE",
        "CONFIG",
        "WHY",
    )
    rows = [_cells(entry, several) for entry in entries]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    filled = [any(column) for column in zip(*rows, strict=True)]
    shown = [number for number, is_filled in enumerate(filled) if is_filled]
    lines = [style.paint(_row(header, widths, shown, style), _BOLD)]
    for entry, cells in zip(entries, rows, strict=True):
        line = _row(cells, widths, shown, style)
        outcome = style.paint(entry.outcome, _COLORS[entry.outcome])
        lines.append(line.replace(f"{_GAP}{entry.outcome}", f"{_GAP}{outcome}", 1))
    return "\n".join(lines) + "\n"


def _cells(entry: LedgerEntry, several: bool) -> tuple[str, ...]:
    config = short(entry.config_digest) if entry.config_digest else ""
    release = entry.release or entry.commit or ""
    is_commit = release and release == entry.commit
    return (
        f"{entry.time:%Y-%m-%d %H:%M:%S}",
        f"{entry.environment}/{entry.model_name}" if several else "",
        entry.event,
        entry.outcome,
        printable(f"{entry.model.name}:{entry.model.version}") if entry.model else "",
        printable(short(release) if is_commit else release),
        config,
        printable(_why(entry) or _work(entry)),
    )


def _why(entry: LedgerEntry) -> str:
    first, *more = [_first_line(reason.text) for reason in entry.reasons] or [""]
    return f"{first} (and {len(more)} more)" if more else first


def _work(entry: LedgerEntry) -> str:
    """What an entry without reasons says of the work done."""
    rows = f"{entry.rows:,} rows" if entry.rows is not None else ""
    by = f"by {entry.lease.by}" if entry.lease else ""
    done = entry.infrastructure.summary if entry.infrastructure else ""
    return " ".join(filter(None, (rows, by, done, f"→ {entry.uri}" if entry.uri else "")))


def _first_line(text: str) -> str:
    """What a reason says first; ``--format json`` has the rest."""
    return text.partition("\n")[0]


def _row(cells: Sequence[str], widths: Sequence[int], shown: Sequence[int], style: Style) -> str:
    line = _GAP.join(cells[number].ljust(widths[number]) for number in shown).rstrip()
    if style.width is not None and len(line) > style.width:
        return f"{line[: style.width - 1]}…"
    return line


def render_trace(trace: Trace, graph: Graph, style: Style) -> str:
    """What was found, then a tree of what it came from, then one of what came of it."""
    blocks = []
    for node in trace.found:
        up = _branches(node, trace.upstream, graph, {node}, repeats=True)
        down = _branches(node, trace.downstream, graph, {node}, repeats=False)
        lines = [style.paint(_title(node, graph), _BOLD)]
        lines += [f"  {line}" for line in _facts(node, graph)]
        lines += ["", style.paint("came from", _DIM)]
        lines += list(_drawn(up)) or ["  nothing further that is known"]
        lines += ["", style.paint("what came of it", _DIM)]
        lines += list(_drawn(down)) or ["  nothing yet"]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


class _Branch(NamedTuple):
    lines: tuple[str, ...]
    """A title, and what more there is to say."""
    branches: "list[_Branch]"


def _branches(
    node: Key, steps: Mapping[Key, tuple[Key, ...]], graph: Graph, seen: set[Key], *, repeats: bool
) -> list[_Branch]:
    """What lies beyond ``node``. What was shown before is only named again (``repeats``), or left out."""
    branches = []
    for event, group in groupby(steps.get(node, ()), key=lambda each: _event(each, graph)):
        members = list(group)
        if event and len(members) > _MANY:
            hidden, members = members[:-_NEWEST], members[-_NEWEST:]
            since = _minute(graph.details(hidden[0])["time"])
            branches.append(_Branch((f"… {len(hidden)} more {event} since {since}",), []))
            seen.update(hidden)
        for each in members:
            if each not in seen:
                seen.add(each)
                lines = (_title(each, graph), *_facts(each, graph))
                branches.append(_Branch(lines, _branches(each, steps, graph, seen, repeats=repeats)))
            elif repeats:
                branches.append(_Branch((f"{_title(each, graph)} (see above)",), []))
    return branches


def _drawn(branches: Sequence[_Branch]) -> Iterator[str]:
    for number, branch in enumerate(branches, 1):
        lead, below = ("└─ ", "   ") if number == len(branches) else ("├─ ", "│  ")
        title, *more = branch.lines
        yield f"  {lead}{title}"
        yield from (f"  {below}{line}" for line in (*more, *(line[2:] for line in _drawn(branch.branches))))


def _event(node: Key, graph: Graph) -> str:
    entry = graph.entry(node)
    return entry.event if entry else ""


def _title(node: Key, graph: Graph) -> str:
    details = graph.details(node)
    match node.kind:
        case NodeKind.ENTRY:
            outcome = details.get("outcome", "succeeded")
            done = "" if outcome == "succeeded" else f" ({outcome})"
            where = f"{details['environment']} ledger, entry {details['sequence']}"
            return printable(f"{details['event']}{done} {_minute(details['time'])}, {where}")
        case NodeKind.RELEASE:
            name = details["version"] if "version" in details else short(details["name"])
            return printable(f"release {name} to {details['environment']}")
        case NodeKind.MODEL:
            return printable(f"model {node.name}")
        case NodeKind.FILE:
            return printable(f"file {', '.join(details['names'])} {node.name}")
        case NodeKind.COMMIT:
            places = "".join(f" of {place}" for place in details["repositories"])
            return printable(f"commit {node.name}{places}")
        case NodeKind.BUNDLE:
            return f"config {node.name}"
        case NodeKind.IMAGE:
            return printable(f"image {details.get('repository', '')}@{node.name}".replace(" @", " "))
        case NodeKind.DATA:
            return f"data {node.name}"


def _facts(node: Key, graph: Graph) -> Iterator[str]:
    """Further lines about the node itself."""
    details = graph.details(node)
    if node.kind is NodeKind.RELEASE:
        facts: Iterable[str] = (
            f"{_minute(details['created_at'])} by {details['actor']}" if "actor" in details else "",
            details.get("run_url", ""),
        )
    elif node.kind is NodeKind.ENTRY:
        facts = _entry_facts(details)
    elif node.kind is NodeKind.MODEL:
        facts = (f"run {details['run_id']}" if "run_id" in details else "",)
    else:
        facts = ()
    return (printable(fact) for fact in facts if fact)


def _entry_facts(details: Mapping[str, Any]) -> Iterator[str]:
    rows = details.get("rows")
    job, uri = details.get("job_id"), details.get("uri")
    work = (
        f"job {job}" if job else "",
        f"{rows:,} rows" if rows is not None else "",
        f"→ {uri}" if uri else "",
    )
    yield " ".join(filter(None, work))
    if "lease" in details:
        yield f"by {details['lease']['by']}"
        yield details["lease"].get("run_url") or ""
    if "infrastructure" in details:
        done = InfrastructureRecord.model_validate(details["infrastructure"])
        yield f"{done.program}: {done.summary}, plan {short(done.plan_digest)}"
    if "champion" in details:
        yield f"against {details['champion']['name']}:{details['champion']['version']}"
    for reason in details.get("reasons", ()):
        yield f"because {_first_line(reason['text'])}"


def _minute(time: str) -> str:
    """A time in UTC as people read it."""
    return f"{time[:10]} {time[11:16]}Z"

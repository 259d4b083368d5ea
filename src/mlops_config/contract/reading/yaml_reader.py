"""One pass over a YAML file: its data by YAML 1.2 core rules, every node's place, and what is wrong with it.

libyaml's events are read as they come and a small builder makes plain data and positions of them at once.
Nothing is constructed by tag, nothing is shared and nothing is merged, so what a file holds is what it shows.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from mlops_config.contract.codes import finding
from mlops_config.contract.reading.characters import ESCAPED_CONTROL, decode, stray_tabs
from mlops_config.contract.reading.positions import Node, Positions, Span, lines_of, place_of
from mlops_config.contract.reading.scalars import Trap, read_plain, version_trap
from mlops_config.findings import Finding, Place, Related, Severity

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 64
_MOST_OF_ONE_CODE = 20
_EMPTY_HINT = "write the keys, starting with `schema_version: 1`"


class Unread:
    """Stands where the file holds something that was refused, so that nothing else is said about it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "a value that could not be read"


UNREAD: Final = Unread()


class Document(NamedTuple):
    """What one file holds. ``data`` may contain ``UNREAD`` where findings say that something was refused.

    ``is_whole`` is ``False`` when reading stopped before the end, or at something that is no mapping: then
    checking ``data`` against a schema says nothing. ``merged`` are the mappings (by identity) that lack the
    keys a refused merge key stood for.
    """

    file: str
    data: Any
    positions: Positions
    findings: tuple[Finding, ...]
    text: str
    is_whole: bool
    merged: tuple[dict[str, Any], ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether reading found nothing that makes the file unusable."""
        return self.is_whole and all(each.severity is not Severity.ERROR for each in self.findings)

    def slice(self, place: Place) -> str | None:
        """The text at a place that lies on one line, ``None`` for any other place."""
        if place.end_line != place.line or place.end_column is None:
            return None
        lines = lines_of(self.text)
        return (
            lines[place.line - 1][place.column - 1 : place.end_column - 1]
            if place.line <= len(lines)
            else None
        )


def read_document(data: bytes, file: str) -> Document:
    """Reads ``data``; findings call it ``file``. Never raises, whatever ``data`` holds."""
    if len(data) > MAX_BYTES:
        return _unreadable(file, too_large(file, len(data)))
    text, utf8, findings = decode(data, file)
    if text is None:
        return _unreadable(file, *findings)
    builder = _Builder(utf8, file)
    root = builder.build()
    positions = Positions(file, root)
    findings += builder.findings(positions)
    if root is not None and "\t" in text:
        findings += stray_tabs(text, positions)
    is_whole = builder.is_whole and isinstance(builder.data, dict)
    return Document(file, builder.data, positions, tuple(findings), text, is_whole, tuple(builder.merged))


def too_large(file: str, size: int) -> Finding:
    """The finding for a file of ``size`` bytes that is over the limit and was not read."""
    return finding(
        "Y13",
        f"the file has {size:,} bytes; at most {MAX_BYTES:,} (256 KiB) are read",
        Place(file),
        hint="keep data out of configuration files and refer to it by URI",
    )


def _unreadable(file: str, *findings: Finding) -> Document:
    return Document(file, None, Positions(file, None), findings, "", is_whole=False)


class _TooDeepError(Exception):
    """Ends the reading of a file that is nested beyond the limit."""


_Event: TypeAlias = Any
"""An event of PyYAML; those of its C parser have no types."""


class _PurePythonParser(Reader, Scanner, Parser):
    """The same events, slower, for a PyYAML that was built without libyaml."""

    def __init__(self, utf8: bytes) -> None:
        Reader.__init__(self, utf8)
        Scanner.__init__(self)
        Parser.__init__(self)


def _events(utf8: bytes) -> Callable[[], _Event]:
    """The function that returns the next event of the stream at each call."""
    if yaml.__with_libyaml__:
        from yaml._yaml import CParser

        return CParser(utf8).get_event
    return _PurePythonParser(utf8).get_event


class _Builder:
    """Makes data and positions of one stream of events."""

    def __init__(self, utf8: bytes, file: str) -> None:
        self.data: Any = None
        self.is_whole = False
        self.merged: list[dict[str, Any]] = []
        self._file = file
        self._utf8 = utf8
        self._findings: list[Finding] = []
        self._counts: dict[str, int] = {}
        self._anchors: dict[str, Place] = {}
        self._depth = 0
        # Most files have neither sign, so their events need not be asked one by one.
        self._has_properties = b"&" in utf8 or b"!" in utf8
        self._next: Callable[[], _Event]

    def build(self) -> Node | None:
        """The root's positions; ``None`` when the stream holds no document that can be read to its end."""
        try:
            self._next = _events(self._utf8)
            return self._document()
        except _TooDeepError:
            return None
        except yaml.YAMLError as error:
            from mlops_config.contract.reading.syntax import syntax_finding

            self._findings.append(syntax_finding(error, self._utf8.decode(), self._file))
            return None

    def findings(self, positions: Positions) -> list[Finding]:
        """What was found, with the path of each value; what is too much of one kind is only counted."""
        if not self._findings:
            return []
        paths = positions.paths_by_start()
        last_of = {each.code: number for number, each in enumerate(self._findings)}
        findings = []
        for number, each in enumerate(self._findings):
            hidden = self._counts.get(each.code, 0) - _MOST_OF_ONE_CODE if last_of[each.code] == number else 0
            path = paths.get((each.place.line, each.place.column), ()) if each.place else ()
            message = (
                f"{each.message} (and {hidden} more of these in the file)" if hidden > 0 else each.message
            )
            findings.append(each._replace(path=path, message=message))
        return findings

    def _document(self) -> Node | None:
        next_event = self._next
        next_event()  # the stream's start
        event = next_event()
        if event.__class__ is StreamEndEvent:
            message = "the file holds nothing but comments or blanks"
            self._add("Y02", message, Place(self._file), _EMPTY_HINT)
            return None
        if event.tags or event.version not in (None, (1, 2)):
            hint = "delete the line: these files are always read as YAML 1.2"
            self._add("Y17", "a YAML directive has no effect here", self._start(event), hint)
        first = next_event()
        self.data, root = self._node(first)
        next_event()  # the document's end
        event = next_event()
        if event.__class__ is not StreamEndEvent:
            hint = "keep one document in a file: some readers take the first, some the last, some refuse"
            self._add("Y04", "a second document starts here", self._start(event), hint)
        if not isinstance(self.data, dict | Unread):
            self._refuse_root(first)
        self.is_whole = True
        return root

    def _refuse_root(self, event: _Event) -> None:
        if self.data is None:
            self._add("Y02", "the document is empty", Place(self._file), _EMPTY_HINT)
            return
        given = "a list" if isinstance(self.data, list) else "a single value"
        hint = "start with keys, such as `schema_version: 1`"
        if isinstance(self.data, str) and ":" in self.data:
            hint = "put a space after the colon: `key: value`"
        self._add("Y03", f"the file is {given}, not a mapping of keys to values", self._start(event), hint)

    def _node(self, event: _Event) -> tuple[Any, Node]:
        kind = event.__class__
        if kind is ScalarEvent:
            return self._scalar(event, "")
        if kind is AliasEvent:
            return self._alias(event)
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            hint = "give deep structures a flatter shape"
            self._add("Y14", f"more than {MAX_DEPTH} levels of nesting", self._start(event), hint)
            raise _TooDeepError
        node = self._mapping(event) if kind is MappingStartEvent else self._sequence(event)
        self._depth -= 1
        return node

    def _sequence(self, start: _Event) -> tuple[list[Any], Node]:
        data: list[Any] = []
        nodes: list[Node] = []
        next_event = self._next
        while (event := next_event()).__class__ is not SequenceEndEvent:
            value, node = self._node(event)
            data.append(value)
            nodes.append(node)
        return data, (_span_of_collection(start, event), nodes)

    def _mapping(self, start: _Event) -> tuple[dict[str, Any], Node]:
        data: dict[str, Any] = {}
        nodes: dict[str, tuple[Span, Node]] = {}
        next_event, has_properties = self._next, self._has_properties
        while (event := next_event()).__class__ is not MappingEndEvent:
            kind = event.__class__
            if kind is not ScalarEvent:
                self._refuse_complex_key(event)
                self._node(next_event())
                continue
            key = event.value
            if has_properties and (event.anchor is not None or event.tag is not None):
                self._refuse_properties(event)
            if not event.style:
                if key == "<<":
                    self._refuse_merge(event, data)
                    continue
                meaning, trap = read_plain(key)
                if trap is not None or meaning.__class__ is not str:
                    self._refuse_key(event, trap)
            value_event = next_event()
            if value_event.__class__ is ScalarEvent:
                value, node = self._scalar(value_event, key)
            else:
                value, node = self._node(value_event)
            if key in data:
                self._refuse_duplicate(event, nodes[key][0])
                continue
            data[key] = value
            first, last = event.start_mark, event.end_mark
            nodes[key] = (first.line, first.column, last.line, last.column), node
        return data, (_span_of_collection(start, event), nodes)

    def _scalar(self, event: _Event, key: str) -> tuple[Any, Node]:
        text = event.value
        value: Any = text
        if self._has_properties and (event.anchor is not None or event.tag is not None):
            self._refuse_properties(event)
        if not event.style:
            value, trap = read_plain(text)
            if trap is None and value.__class__ is float and text[-1] == "0":
                trap = version_trap(key, text)
            if trap is not None:
                self._trap(trap, event)
                if trap.code == "Y16":
                    value = UNREAD
        elif event.style == '"' and ESCAPED_CONTROL.search(text):
            hint = "a configuration value is plain text; leave the escape out"
            self._add("Y10", "the text holds an escaped control character", self._extent(event), hint)
        first, last = event.start_mark, event.end_mark
        return value, ((first.line, first.column, last.line, last.column), None)

    def _alias(self, event: _Event) -> tuple[Unread, Node]:
        known = self._anchors.get(event.anchor)
        related = (Related(known, "the anchor"),) if known else ()
        message = f"the alias *{event.anchor} stands for a value written elsewhere"
        if not known:
            message = f"the alias *{event.anchor} has no anchor, and aliases are not read anyway"
        hint = "write the value here; put it in quotes if it is a text that starts with *"
        self._add("Y06", message, self._extent(event), hint, related)
        return UNREAD, (_span(event), None)

    def _refuse_properties(self, event: _Event) -> None:
        start = self._start(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = start
            hint = "write the value out at each place: what a file says should be seen where it says it"
            self._add("Y06", f"the anchor &{event.anchor} names a value for use elsewhere", start, hint)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            hint = "leave the tag out; quotes make a text, no quotes a number or a boolean"
            self._add("Y08", f"the tag {tag} is not read", start, hint)

    def _refuse_merge(self, event: _Event, data: dict[str, Any]) -> None:
        hint = "write the keys out here: files are read without any merging"
        self._add("Y07", "the merge key << pulls keys in from elsewhere", self._extent(event), hint)
        self._skip(self._next())
        self.merged.append(data)

    def _refuse_key(self, event: _Event, trap: Trap | None) -> None:
        if trap is not None and isinstance(read_plain(event.value)[0], str):
            self._trap(trap, event)
            return
        shown = event.value or "an empty key"
        extent = self._extent(event)
        self._add(
            "Y15",
            f"the key {shown} is not text: a reader may take it for a number, a boolean or nothing",
            extent,
            "put the key in quotes" if event.value else "write the key before the colon",
            replacement=f'"{event.value}"' if event.value else None,
        )

    def _refuse_complex_key(self, event: _Event) -> None:
        hint = "keys are text"
        if event.__class__ is MappingStartEvent and event.flow_style:
            hint = "fill in the template placeholder, or put the text with braces in quotes"
        self._add("Y15", "a list, a mapping or an alias stands as a key", self._start(event), hint)
        self._skip(event)

    def _refuse_duplicate(self, event: _Event, first: Span) -> None:
        related = (Related(place_of(self._file, first), "the first one"),)
        message = f"the key {event.value} is already there in line {first[0] + 1}"
        hint = "keep one: most readers take the last one without a word"
        self._add("Y05", message, self._extent(event), hint, related)

    def _trap(self, trap: Trap, event: _Event) -> None:
        self._add(trap.code, trap.message, self._extent(event), trap.hint, replacement=trap.replacement)

    def _skip(self, event: _Event) -> None:
        depth = 0
        while True:
            depth += event.__class__ in (MappingStartEvent, SequenceStartEvent)
            depth -= event.__class__ in (MappingEndEvent, SequenceEndEvent)
            if depth == 0:
                return
            if depth > MAX_DEPTH:
                raise _TooDeepError
            event = self._next()

    def _add(
        self,
        code: str,
        message: str,
        place: Place,
        hint: str | None = None,
        related: tuple[Related, ...] = (),
        replacement: str | None = None,
    ) -> None:
        self._counts[code] = self._counts.get(code, 0) + 1
        if self._counts[code] <= _MOST_OF_ONE_CODE:
            self._findings.append(
                finding(code, message, place, hint=hint, related=related, replacement=replacement)
            )

    def _start(self, event: _Event) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _extent(self, event: _Event) -> Place:
        return place_of(self._file, _span(event))


def _span(event: _Event) -> Span:
    first, last = event.start_mark, event.end_mark
    return first.line, first.column, last.line, last.column


def _span_of_collection(start: _Event, end: _Event) -> Span:
    """From bracket to bracket; for a block, which has no end of its own, the point where it starts."""
    first = start.start_mark
    last = end.end_mark if start.flow_style else first
    return first.line, first.column, last.line, last.column

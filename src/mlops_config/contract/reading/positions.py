"""Where every key and value of a YAML file stands."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from mlops_config.findings import ConfigPath, Place

Span: TypeAlias = tuple[int, int, int, int]
"""Line, column, end line, end column as the parser counts: from 0, in code points, end exclusive."""

# Plain tuples rather than a class: a file has a hundred nodes, and making an object of each would cost
# as much as everything else the reader does with it.
Node: TypeAlias = tuple[Span, "dict[str, tuple[Span, Node]] | list[Node] | None"]
"""A value's span, and what it holds: entries by key (with the key's span), items, or nothing."""


class Located(NamedTuple):
    """How far a path could be followed into the file, and where that is."""

    path: ConfigPath
    """The steps that exist in the file; a prefix of the path asked for."""
    key: Span | None
    """Of the last key on the way; ``None`` in a file that holds none of them."""
    value: Span


class Positions:
    """The spans of one file's keys and values, by path."""

    __slots__ = ("_file", "_root")

    def __init__(self, file: str, root: Node | None) -> None:
        self._file = file
        self._root = root

    @property
    def file(self) -> str:
        """The file's name as findings print it."""
        return self._file

    def locate(self, path: Iterable[str | int]) -> Located:
        """The deepest place on the way to ``path``; it ends at the first step the file does not have."""
        node = self._root
        if node is None:
            return Located((), None, (0, 0, 0, 0))
        key: Span | None = None
        found: list[str | int] = []
        for step in path:
            children = node[1]
            if isinstance(children, dict) and isinstance(step, str) and step in children:
                key, node = children[step]
            elif isinstance(children, list) and isinstance(step, int) and -1 < step < len(children):
                key, node = None, children[step]
            else:
                break
            found.append(step)
        return Located(tuple(found), key, node[0])

    def has(self, path: ConfigPath) -> bool:
        """Whether the file itself spells out a value at ``path``."""
        return self._root is not None and self.locate(path).path == path

    def value(self, path: ConfigPath) -> Place | None:
        """Where the value at ``path`` stands, or ``None`` when the file does not spell it out."""
        located = self.locate(path)
        return self._place(located.value) if self._root is not None and located.path == path else None

    def key(self, path: ConfigPath) -> Place | None:
        """Where the key of the value at ``path`` stands, or ``None`` for an item and an absent key."""
        located = self.locate(path)
        return self._place(located.key) if located.key is not None and located.path == path else None

    def nearest(self, path: ConfigPath, *, prefer_key: bool = False) -> Place:
        """Where to point for something said about ``path``.

        The value when it stands on one line; the key for several lines, for an empty value and when
        ``prefer_key``; the nearest key above for what the file does not have.
        """
        located = self.locate(path)
        line, column, end_line, end_column = located.value
        is_empty = (line, column) == (end_line, end_column)
        if located.key is not None and (prefer_key or located.path != path or is_empty or line != end_line):
            return self._place(located.key)
        return self._place(located.value)

    def scalar_spans(self) -> list[Span]:
        """The spans of all scalars, keys and values, in the order of the file."""
        return [span for span, _ in self._scalars()]

    def paths_by_start(self) -> dict[tuple[int, int], ConfigPath]:
        """The path of each scalar, key or value, by the (1-based) line and column it starts at."""
        return {(span[0] + 1, span[1] + 1): path for span, path in self._scalars()}

    def _scalars(self) -> Iterator[tuple[Span, ConfigPath]]:
        """Each key and each scalar value with its path, in the order of the file."""
        if self._root is None:
            return
        pending: list[tuple[Span, ConfigPath] | tuple[Node, ConfigPath, None]] = [(self._root, (), None)]
        while pending:
            item = pending.pop()
            if len(item) == 2:
                yield item
                continue
            (span, children), path, _ = item
            if isinstance(children, dict):
                for name, (key, node) in reversed(children.items()):
                    pending.append((node, (*path, name), None))
                    pending.append((key, (*path, name)))
            elif isinstance(children, list):
                pending += [
                    (child, (*path, index), None) for index, child in reversed([*enumerate(children)])
                ]
            else:
                yield span, path

    def _place(self, span: Span) -> Place:
        return place_of(self._file, span)


def place_of(file: str, span: Span) -> Place:
    """The span as findings count it, from 1."""
    line, column, end_line, end_column = span
    return Place(file, line + 1, column + 1, end_line + 1, end_column + 1)


@lru_cache(maxsize=16)
def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a file's text without their line feeds; kept, as many findings are about one file."""
    return tuple(text.split("\n"))

"""A YAML parser's complaint, put in words that say what to mend, at the place where it must be mended."""

import re
from typing import Any, NamedTuple

import yaml

from mlops_config.contract.codes import finding
from mlops_config.contract.reading.characters import TAB_HINT, place_at
from mlops_config.findings import Finding, Place, Related

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?: .*)?$", re.MULTILINE)


class _Wording(NamedTuple):
    """What to say where a parser's ``context`` and ``problem`` hold these words.

    ``at_context`` says that the place to mend is where the parser began, not where it gave up.
    """

    context: str
    problem: str
    message: str
    hint: str
    at_context: bool = False


_CLOSE = "every quote and bracket that opens must close, at the same indentation or deeper"
_KEYS = "keys of one mapping start in the same column; a text with a quote inside goes in the other quotes"
_ITEMS = "items of one list start in the same column, each with a dash and a space"
_QUOTE = "put a text that starts with {} in quotes"
_MISALIGNED_KEY = "this does not line up with the keys above"
_MISALIGNED_ITEM = "this does not line up with the list items above"

_WORDINGS = (
    _Wording("quoted scalar", "end of stream", "this quote is never closed", _CLOSE, at_context=True),
    _Wording("quoted scalar", "document indicator", "this quote is never closed", _CLOSE, at_context=True),
    _Wording("flow sequence", "did not find expected", "this [ is never closed", _CLOSE, at_context=True),
    _Wording("flow sequence", "expected ','", "this [ is never closed", _CLOSE, at_context=True),
    _Wording("flow mapping", "did not find expected", "this { is never closed", _CLOSE, at_context=True),
    _Wording("flow mapping", "expected ','", "this { is never closed", _CLOSE, at_context=True),
    _Wording(
        "quoted scalar",
        "escape",
        "this text has a backslash escape that YAML does not know",
        "use 'single quotes', in which a backslash is only a backslash, or write \\\\",
    ),
    _Wording(
        "",
        "mapping values are not allowed",
        "a colon starts a value where none may stand",
        'put a text that holds ": " in quotes; else check that the lines above are indented alike',
    ),
    _Wording(
        "simple key",
        "could not find expected ':'",
        "this line is neither a key with its colon nor part of a text",
        "write `key: value`, with a space after the colon, or `- item` with a space after the dash",
        at_context=True,
    ),
    _Wording(
        "",
        "block sequence entries are not allowed",
        "a list item cannot start here",
        "start the list on the next line, or write it as [a, b]",
    ),
    _Wording("", "mapping keys are not allowed", "a key cannot start here", _QUOTE.format("?")),
    _Wording("block mapping", "did not find expected key", _MISALIGNED_KEY, _KEYS),
    _Wording("block mapping", "expected <block end>", _MISALIGNED_KEY, _KEYS),
    _Wording("block collection", "did not find expected '-'", _MISALIGNED_ITEM, _ITEMS),
    _Wording("block collection", "expected <block end>", _MISALIGNED_ITEM, _ITEMS),
    _Wording(
        "block scalar",
        "",
        "the line that starts this text block has something else on it",
        "after | or > only an indicator such as - may stand; the text starts on the next line",
    ),
    _Wording("anchor", "", "& starts an anchor here, without a name", _QUOTE.format("&")),
    _Wording("alias", "", "* starts an alias here, without a name", _QUOTE.format("*")),
    _Wording("tag", "", "! starts a tag here that is not complete", _QUOTE.format("!")),
    _Wording("", "undefined tag handle", "! starts a tag here that is not known", _QUOTE.format("!")),
    _Wording("directive", "", "% starts a directive here that is not known", _QUOTE.format("%")),
    _Wording("", "incompatible YAML", "the file asks for another version of YAML", "delete the %YAML line"),
    _Wording("", "duplicate %", "the same directive stands here twice", "delete the lines that start with %"),
    _Wording(
        "", "<document start>", "something follows the document's end", "delete it, or the line with ..."
    ),
    _Wording(
        "",
        "node content",
        "no value can start with this character",
        "put the text in quotes, or delete the character",
    ),
)


def syntax_finding(error: yaml.YAMLError, text: str, file: str) -> Finding:
    """The finding for what the parser raised while it read ``text``."""
    conflict = _CONFLICT.search(text)
    if conflict:
        place = place_at(text, conflict.start(), file, length=len(conflict[0]))
        hint = "settle the conflict, and delete the lines that start with <<<<<<<, ======= and >>>>>>>"
        return finding("Y01", "a merge conflict was left in the file", place, hint=hint)
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return finding("Y01", f"the file is not valid YAML: {error}", Place(file))
    lines = text.rstrip("\r\n").split("\n")
    place = _place(mark, lines, file)
    line = lines[place.line - 1]
    before, rest = line[: place.column - 1], line[place.column - 1 :]
    if "\t" in line[: len(line) - len(line.lstrip(" \t"))] or rest.startswith("\t"):
        column = line.index("\t") + 1
        place = Place(file, place.line, column, place.line, column + 1)
        return finding("Y12", "a tab stands where YAML wants spaces", place, hint=TAB_HINT)
    context, problem = getattr(error, "context", None), getattr(error, "problem", None)
    message, advice, at_context = _words(context or "", problem or "", before, rest)
    context_mark = getattr(error, "context_mark", None)
    if not at_context or context_mark is None:
        return finding("Y01", message, place, hint=advice)
    related = (Related(place, "here reading came to a stop"),)
    return finding("Y01", message, _place(context_mark, lines, file), hint=advice, related=related)


def _words(context: str, problem: str, before: str, rest: str) -> tuple[str, str | None, bool]:
    """Message, hint, and whether the place to mend is where the parser began; for a line cut at its mark."""
    if "cannot start any token" in problem:
        return f"no value can start with {rest[:1]}", "put the text in quotes", False
    if "expected key" in problem and rest.startswith(":"):
        return "no key stands before this colon", "write `key: value`", False
    if "expected key" in problem and before.strip():
        hint = "put all of the text in quotes; inside 'single quotes' a quote is written twice"
        return "this stands after the end of the value", hint, False
    if "node content" in problem and not rest:
        return "the file ends where a value should stand", _CLOSE, False
    for wording in _WORDINGS:
        if wording.context in context and wording.problem in problem:
            return wording.message, wording.hint, wording.at_context
    return f"the file is not valid YAML: {f'{context} {problem}'.strip()}", None, False


def _place(mark: Any, lines: list[str], file: str) -> Place:
    """The mark's place; the end of the text for a mark behind it."""
    if mark.line >= len(lines):
        return Place(file, len(lines), len(lines[-1].rstrip("\r")) + 1)
    return Place(file, mark.line + 1, mark.column + 1)

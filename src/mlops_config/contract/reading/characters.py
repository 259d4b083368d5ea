"""From bytes to text: UTF-8 only, and no character that a reviewer cannot see or a parser takes amiss."""

import re
from bisect import bisect_right

from mlops_config.contract.codes import finding
from mlops_config.contract.reading.positions import Positions, Span, place_of
from mlops_config.findings import Finding, Place

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_ORDINARY = b"\t\n" + bytes(range(0x20, 0x7F))
"""What nearly every file is made of, and needs no closer look."""

# YAML 1.2.2 section 5.1 (c-printable), less the line breaks of YAML 1.1 (section 5.4), which some parsers
# still end a line at: with them in a file, two readers would disagree about where a line is.
_CONTROL = "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
# Bidirectional controls can make text read in another order than it is parsed in (CVE-2021-42574).
_INVISIBLE = "[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
ESCAPED_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters that a quoted text can hold by an escape; no configuration value means one."""
_MOST_SHOWN = 10

TAB_HINT = "have the editor write spaces in YAML files; a text that holds a tab goes in quotes"


def decode(data: bytes, file: str) -> tuple[str | None, bytes, list[Finding]]:
    """The text of ``data``, the same as UTF-8 bytes for the parser, and what is wrong with its characters.

    Characters that may not be there are reported and read as blanks, so that the parse finds what else is
    wrong without moving any column. The text is ``None`` when the data is no text at all.
    """
    data = data.removeprefix(_BYTE_ORDER_MARK)
    if not data.translate(None, _ORDINARY):
        return data.decode("ascii"), data, []
    if b"\x00" in data or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None, b"", [_binary(data, file)]
    findings = []
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        findings.append(_not_utf8(data, error.start, file))
        text = data.decode(errors="replace")
    findings += _odd(text, _CONTROL, "Y10", file) + _odd(text, _INVISIBLE, "Y11", file)
    if findings:
        text = re.sub(_INVISIBLE, " ", re.sub(_CONTROL, " ", text))
    return text, text.encode(), findings


def stray_tabs(text: str, positions: Positions) -> list[Finding]:
    """One finding for all tabs outside values and comments: there YAML wants spaces, and parsers disagree."""
    spans = positions.scalar_spans()
    starts = [span[:2] for span in spans]
    stray: list[Span] = []
    for number, line in enumerate(text.split("\n")):
        column = line.find("\t")
        while column >= 0:
            at = bisect_right(starts, (number, column)) - 1
            if at < 0 or spans[at][2:] <= (number, column):
                ends_here = spans[at][3] if at >= 0 and spans[at][2] == number else 0
                if "#" not in line[ends_here:column]:
                    stray.append((number, column, number, column + 1))
                break
            column = line.find("\t", column + 1)
    if not stray:
        return []
    more = f"; {len(stray)} lines have such tabs" if len(stray) > 1 else ""
    place = place_of(positions.file, stray[0])
    return [finding("Y12", f"a tab stands where YAML wants spaces{more}", place, hint=TAB_HINT)]


def place_at(text: str, offset: int, file: str, *, length: int = 0) -> Place:
    """The place of ``length`` characters at ``offset``, all on one line."""
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return Place(file, line, column, line, column + length) if length else Place(file, line, column)


def _binary(data: bytes, file: str) -> Finding:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[1::2].count(0) > len(data) // 4:
        return finding("Y09", "the file is UTF-16, not UTF-8", Place(file), hint="save it as UTF-8")
    offset = data.index(0)
    message = f"the file is not text: byte {offset} is 0"
    return finding("Y09", message, _place_of_byte(data, offset, file), hint="put the YAML file in its place")


def _not_utf8(data: bytes, offset: int, file: str) -> Finding:
    message = f"the file is not UTF-8: byte 0x{data[offset]:02x} at offset {offset} belongs to no character"
    return finding("Y09", message, _place_of_byte(data, offset, file), hint="save the file as UTF-8")


def _place_of_byte(data: bytes, offset: int, file: str) -> Place:
    before = data[:offset].decode(errors="replace")
    return place_at(before, len(before), file, length=1)


def _odd(text: str, pattern: str, code: str, file: str) -> list[Finding]:
    matches = list(re.finditer(pattern, text))
    findings = []
    for number, match in enumerate(matches[:_MOST_SHOWN], start=1):
        more = len(matches) - number if number == _MOST_SHOWN else 0
        findings.append(
            finding(
                code,
                f"the file holds {_name_of(match[0])}{f', and {more} more such characters' if more else ''}",
                place_at(text, match.start(), file, length=1),
                hint="delete the character"
                if match[0] != "\r"
                else "save the file with line feeds (LF) as line ends",
            )
        )
    return findings


def _name_of(character: str) -> str:
    if character == "\r":
        return "a carriage return (U+000D) that no line feed follows"
    import unicodedata

    name = unicodedata.name(character, "").lower()
    return f"{name} (U+{ord(character):04X})" if name else f"the control character U+{ord(character):04X}"

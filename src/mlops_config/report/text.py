"""Findings for a terminal or a log: each with the line it is about, and the stretch underlined."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from mlops_config.contract.reading.positions import lines_of
from mlops_config.findings import Finding, Place, Related, Severity
from mlops_config.report.interface import SECRET_CODES, ReportContext, closing_line, printable

_WIDEST_LINE = 100
_LEAD_IN = 20
_COLORS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.NOTE: "1;36"}
_BOLD = "1"


def render(findings: Sequence[Finding], context: ReportContext) -> str:
    """The findings file by file, and a closing line with their number."""
    paint = _Paint(context.color)
    blocks = [
        "".join(_finding(each, context, paint) for each in group)
        for _, group in groupby(findings, key=lambda each: each.place.file if each.place else "")
    ]
    worst = min((each.severity for each in findings), key=lambda each: each.rank, default=None)
    closing = closing_line(findings, context)
    blocks.append(f"{paint(closing, _COLORS[worst] if worst else '1;32')}\n")
    return "\n".join(blocks)


class _Paint:
    """Puts text in colour, when colour is wanted."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted

    def __call__(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._wanted and text else text


def _finding(each: Finding, context: ReportContext, paint: _Paint) -> str:
    color = _COLORS[each.severity]
    label = paint(f"{each.severity.value}[{each.code}]", color)
    lines = []
    where = f"{paint(_where(each.place, context), _BOLD)}: " if each.place else ""
    lines.append(f"{where}{label} {printable(each.message)}")
    margin = " " * 5
    if each.place:
        shown = None if each.code in SECRET_CODES else _excerpt(each.place, context)
        if shown:
            margin = " " * (len(str(each.place.line)) + 3)
            lines.append(f"  {each.place.line} | {shown[0]}".rstrip())
            lines.append(f"{margin}| {paint(shown[1], color)}")
    lines += [f"{margin}= {paint('see', _BOLD)} {text}" for text in _related(each.related, context)]
    if each.hint:
        lines.append(f"{margin}= {paint('hint', _BOLD)}: {printable(each.hint)}")
    return "\n".join(lines) + "\n"


def _related(related: Sequence[Related], context: ReportContext) -> Iterator[str]:
    for each in related:
        yield f"{_where(each.place, context)}: {printable(each.message)}"


def _where(place: Place, context: ReportContext) -> str:
    """``file:line:column``; the file alone when nothing in it can be pointed at."""
    file = printable(place.file)
    is_exact = context.texts.get(place.file) or place.end_line is not None
    return f"{file}:{place.line}:{place.column}" if is_exact else file


def _excerpt(place: Place, context: ReportContext) -> tuple[str, str] | None:
    """The line at ``place`` as a terminal can show it, and the carets that go under it."""
    text = context.texts.get(place.file)
    if not text:
        return None
    lines = lines_of(text)
    if place.line > len(lines) or (place.line == len(lines) and not lines[-1]):
        return None
    line = lines[place.line - 1].rstrip("\r")
    first = min(place.column - 1, len(line))
    last = len(line) if place.end_line not in (None, place.line) else (place.end_column or 0) - 1
    last = max(first + 1, min(last, max(len(line), first + 1)))
    if len(line) > _WIDEST_LINE:
        start = max(0, min(first - _LEAD_IN, len(line) - _WIDEST_LINE))
        end = min(len(line), start + _WIDEST_LINE)
        before, after = "..." if start else "", "..." if end < len(line) else ""
        line = f"{before}{line[start:end]}{after}"
        first, last = first - start + len(before), min(last - start + len(before), len(line))
    carets = "^" * max(1, _width(line[first:last]))
    return "".join(map(_visible, line)), " " * _width(line[:first]) + carets


def _visible(character: str) -> str:
    """The character itself, or one of the same width for a blank that is none and what would not show."""
    if character == "\t":
        return " "
    if character.isprintable() or _is_combining(character):
        return character
    return " " if character.isspace() else "?"


def _width(text: str) -> int:
    """Columns that ``text`` takes in a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import east_asian_width

    return sum(0 if _is_combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)


def _is_combining(character: str) -> bool:
    # Marks have no width of their own; neither have joiners, which emoji sequences hold.
    if character < "\u0300":
        return False
    from unicodedata import category

    return category(character) in ("Mn", "Me") or character in "\u200c\u200d"

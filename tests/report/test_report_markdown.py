"""Findings as Markdown: a row for each file, all findings, and no markup that came from outside."""

import re

import pytest
from markdown_it import MarkdownIt
from tests.report.samples import ALL, CONTEXT, HOSTILE, HOSTILE_TEXT, TRAINING, many

from mlops_config.findings import Severity
from mlops_config.report.interface import ReportContext
from mlops_config.report.markdown import MAX_BYTES, render


def html(markdown: str) -> str:
    """As GitHub renders it: tables, links made of bare addresses, HTML let through."""
    return str(MarkdownIt("gfm-like", {"html": True}).render(markdown))


def rows(markdown: str) -> list[str]:
    return re.findall(r"<tr>(.*?)</tr>", html(markdown), re.DOTALL)


def test_every_environment_and_file_has_a_row() -> None:
    table = rows(render(ALL, CONTEXT))[1:4]
    assert [re.findall(r"<td>(.*?)</td>", row) for row in table] == [
        ["prod", "training", "❌ not valid", "2 errors, 1 warning"],
        ["prod", "inference", "❌ valid", "1 error"],
        ["prod", "retrain", "❌ missing or unreadable", ""],
    ]


def test_every_finding_has_a_row_with_a_link_to_its_page() -> None:
    page = html(render(ALL, CONTEXT))
    for finding in ALL:
        assert f'docs/rules/{finding.code}.md">{finding.code}</a>' in page
    assert f"<code>{TRAINING}:3</code>" in page
    assert "<code>split.test_fraction</code> is 20; it must be below 1" in page


def test_the_first_line_counts() -> None:
    assert render(ALL, CONTEXT).startswith(
        "**4 errors, 1 warning, 1 note in 3 files; 2 files read; 1 waived**\n"
    )


def test_nothing_found_shows_the_files_alone() -> None:
    text = render([], CONTEXT)
    assert text.startswith("**no findings")
    assert len(rows(text)) == 4


def test_hostile_text_becomes_no_markup() -> None:
    assert HOSTILE.place is not None
    page = html(render([HOSTILE], ReportContext(texts={HOSTILE.place.file: HOSTILE_TEXT})))
    tags = set(re.findall(r"<([a-z]+)", page))
    assert tags <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "code", "em", "br", "a"}
    links = re.findall(r'href="([^"]*)"', page)
    assert links == ["https://github.com/org/mlops-config-action/blob/v1/docs/rules/S06.md"]
    assert "@org" not in page
    assert len(rows(page)) == 2


@pytest.mark.parametrize("limit", [2_000, 60_000, MAX_BYTES])
def test_it_stays_within_the_limit_and_says_how_many_are_left_out(limit: int) -> None:
    findings = many(10_000, Severity.ERROR)
    text = render(findings, CONTEXT, limit=limit)
    assert len(text.encode()) <= limit
    shown = text.count("❌ error")
    assert f"… and {10_000 - shown} more findings" in text


def test_wide_characters_count_as_bytes() -> None:
    place = many(1, Severity.ERROR)[0].place
    findings = [type(each)(each.code, each.severity, "名" * 200, place) for each in many(100, Severity.ERROR)]
    assert len(render(findings, CONTEXT, limit=20_000).encode()) <= 20_000

"""Findings as annotations, within GitHub's limits and escaped by its rules."""

import re

import pytest
from tests.report.samples import ALL, CONTEXT, HOSTILE, HOSTILE_TEXT, SPELLING, TRAINING, many

from mlops_config.findings import Finding, Place, Severity
from mlops_config.report.github import render
from mlops_config.report.interface import ReportContext
from mlops_config.report.text import render as render_text


def parts(report: str) -> tuple[list[str], list[str]]:
    """The commands, and the lines between the stop and the resume token."""
    lines = report.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("::stop-commands::"))
    token = lines[start].removeprefix("::stop-commands::")
    assert lines[-1] == f"::{token}::"
    assert token not in "\n".join(lines[start + 1 : -1])
    return lines[:start], lines[start + 1 : -1]


def level_of(command: str) -> str:
    match = re.match(r"::([a-z]+)[ :]", command)
    assert match
    return match[1]


def test_each_finding_is_an_annotation_on_its_place_worst_first() -> None:
    commands, _ = parts(render(ALL, CONTEXT))
    assert [level_of(each) for each in commands] == ["error"] * 4 + ["warning", "notice"]
    assert commands[2] == (
        f"::error file={TRAINING},line=3,endLine=3,col=18,endColumn=19,title=S04"
        "::`split.test_fraction` is 20; it must be below 1%0Aa fraction is meant: 20 percent is 0.2"
    )
    assert commands[-1] == "::notice title=W02::the waiver for X02 covers nothing%0Adelete it"


def test_the_other_side_of_a_rule_is_named_in_the_message() -> None:
    commands, _ = parts(render(ALL, CONTEXT))
    assert commands[0].endswith(f"%0A{TRAINING}:1: fares in the training file")


def test_a_stretch_over_lines_has_no_columns() -> None:
    finding = Finding("S01", Severity.ERROR, "x", Place("a.yaml", 2, 3, 5, 7))
    assert (
        render([finding], ReportContext()).splitlines()[0]
        == "::error file=a.yaml,line=2,endLine=5,title=S01::x"
    )


def test_paths_start_at_the_repository() -> None:
    context = ReportContext(prefix="services/fares/")
    assert f"file=services/fares/{TRAINING}," in render([SPELLING], context)


@pytest.mark.parametrize(
    ("errors", "warnings", "notes"), [(10, 10, 9), (11, 0, 0), (300, 200, 100), (0, 0, 10)]
)
def test_no_more_than_github_shows(errors: int, warnings: int, notes: int) -> None:
    findings = many(warnings, Severity.WARNING) + many(notes, Severity.NOTE) + many(errors, Severity.ERROR)
    commands, _ = parts(render(findings, CONTEXT))
    levels = [level_of(each) for each in commands]
    hidden = max(errors - 10, 0) + max(warnings - 10, 0) + max(notes - 9, 0)
    assert levels.count("error") == min(errors, 10)
    assert levels.count("warning") == min(warnings, 10)
    assert levels.count("notice") == min(notes, 9) + (hidden > 0) <= 10
    if hidden:
        numbers = re.findall(r"(\d+) (?:error|warning|note)", commands[-1])
        assert sum(map(int, numbers)) == hidden


def test_the_log_holds_the_whole_report() -> None:
    findings = many(30, Severity.ERROR)
    _, log = parts(render(findings, CONTEXT))
    assert "\n".join(log) + "\n" == render_text(findings, CONTEXT)


def test_hostile_text_stays_inside_its_command() -> None:
    assert HOSTILE.place is not None
    context = ReportContext(texts={HOSTILE.place.file: HOSTILE_TEXT})
    commands, _ = parts(render([HOSTILE], context))
    assert len(commands) == 1
    properties, message = re.fullmatch(r"::error (.*?)::(.*)", commands[0]).groups()  # type: ignore[union-attr]
    assert len(properties.split(",")) == 6
    assert "%0A::warning" not in properties
    assert "\x1b" not in message


def test_nothing_found_is_no_annotation() -> None:
    commands, log = parts(render([], CONTEXT))
    assert commands == []
    assert log[0].startswith("no findings")

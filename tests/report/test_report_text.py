"""Findings as text: the line shown, the stretch underlined, and nothing that steers a terminal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.samples import ALL, CONTEXT, HOSTILE, HOSTILE_TEXT, RANGE, TEXTS, TRAINING

from mlops_config.findings import Finding, Place, Severity
from mlops_config.report.interface import ReportContext
from mlops_config.report.text import render

EXPECTED = """\
note[W02] the waiver for X02 covers nothing
     = hint: delete it

configs/prod/prod_inference_config.yaml:2:24: error[X01] model_name is other here, but fares in the \
training file
  2 | metadata: {model_name: other}
    |                        ^^^^^
    = see configs/prod/prod_training_config.yaml:1:1: fares in the training file

configs/prod/prod_retrain_config.yaml: error[F02] the retrain file of prod is missing
     = hint: add prod_retrain_config.yaml

configs/prod/prod_training_config.yaml:3:18: error[S04] `split.test_fraction` is 20; it must be below 1
  3 |   test_fraction: 20
    |                  ^^
    = hint: a fraction is meant: 20 percent is 0.2
configs/prod/prod_training_config.yaml:4:3: error[S02] `split` has no key 'stratgy'
  4 |   stratgy: time
    |   ^^^^^^^
    = hint: did you mean strategy?
configs/prod/prod_training_config.yaml:5:10: warning[Y20] no is text in YAML 1.2, but PyYAML (YAML 1.1) \
reads the boolean false
  5 | enabled: no
    |          ^^
    = hint: write false if it is a switch, or put it in quotes if it is a text

4 errors, 1 warning, 1 note in 3 files; 2 files read; 1 waived
"""


def test_the_whole_report() -> None:
    assert render(ALL, CONTEXT) == EXPECTED


def test_nothing_found_is_one_line() -> None:
    assert render([], ReportContext(texts=TEXTS)) == "no findings; 2 files read\n"


def test_colour_only_when_asked() -> None:
    assert "\x1b" not in render(ALL, CONTEXT)
    colored = render(ALL, ReportContext(texts=TEXTS, waived=CONTEXT.waived, color=True))
    assert "\x1b[1;31merror[S04]\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == EXPECTED


def excerpt(line: str, column: int, end_column: int | None) -> tuple[str, str]:
    """The shown line and the carets, without their margin."""
    place = Place("a.yaml", 1, column, 1 if end_column else None, end_column)
    finding = Finding("S01", Severity.ERROR, "x", place)
    lines = render([finding], ReportContext(texts={"a.yaml": f"{line}\n"})).splitlines()
    return lines[1].removeprefix("  1 | "), lines[2].removeprefix("    | ")


def test_wide_characters_take_two_columns() -> None:
    assert excerpt("名前: 値", 5, 6) == ("名前: 値", "      ^^")


def test_combining_characters_take_none() -> None:
    assert excerpt("e\u0301te\u0301: x", 8, 9) == ("e\u0301te\u0301: x", "     ^")


def test_a_tab_takes_one() -> None:
    assert excerpt("a:\tb", 4, 5) == ("a: b", "   ^")


def test_without_an_end_one_character_is_underlined() -> None:
    assert excerpt("a: bcd", 4, None) == ("a: bcd", "   ^")


def test_behind_the_end_of_a_line_there_is_a_caret_still() -> None:
    assert excerpt("a:", 3, 3) == ("a:", "  ^")


def test_of_a_stretch_over_lines_the_first_is_underlined() -> None:
    place = Place("a.yaml", 1, 4, 3, 2)
    context = ReportContext(texts={"a.yaml": "a: [b,\n c,\n]\n"})
    assert "\n    |    ^^^\n" in render([Finding("S01", Severity.ERROR, "x", place)], context)


@pytest.mark.parametrize("column", [1, 500, 1001])
def test_of_a_long_line_the_part_around_the_place_is_shown(column: int) -> None:
    line = "".join(chr(ord("a") + index % 26) for index in range(1001))
    shown, carets = excerpt(line, column, column + 1)
    assert len(shown) <= 106
    assert shown[carets.index("^")] == line[column - 1]


def test_a_line_that_is_not_there_is_left_out() -> None:
    finding = Finding("Y01", Severity.ERROR, "x", Place("a.yaml", 9, 1))
    assert "|" not in render([finding], ReportContext(texts={"a.yaml": "a: 1\n"}))


def test_windows_line_ends_do_not_show() -> None:
    finding = Finding("S01", Severity.ERROR, "x", Place("a.yaml", 1, 4, 1, 5))
    assert "\r" not in render([finding], ReportContext(texts={"a.yaml": "a: 1\r\nb: 2\r\n"}))


def test_hostile_text_steers_nothing() -> None:
    assert HOSTILE.place is not None
    report = render([HOSTILE], ReportContext(texts={HOSTILE.place.file: HOSTILE_TEXT}))
    assert all(each.isprintable() or each == "\n" for each in report)
    assert not any(line.lstrip().startswith("::") for line in report.splitlines())


@given(st.text(max_size=150), st.integers(1, 160), st.integers(1, 160))
def test_no_line_and_no_place_upset_it(line: str, column: int, end_column: int) -> None:
    place = Place("a.yaml", 1, column, 1, end_column)
    context = ReportContext(texts={"a.yaml": line})
    report = render([Finding("S01", Severity.ERROR, "x", place)], context)
    assert report.endswith("1 error in 1 file; 1 file read\n")
    assert all(each.isprintable() or each == "\n" or ord(each) >= 0x300 for each in report)


def test_a_related_place_is_named_by_its_file() -> None:
    assert TRAINING in render(ALL, CONTEXT)
    assert RANGE.hint is not None

"""What a step writes for the runner: the summary within its limit, outputs that hold what they were given."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.errors import UsageError
from mlops_config.github.limits import OUTPUT_CHARACTERS, SUMMARY_BYTES, fitted, utf16_units
from mlops_config.github.outputs import output_lines, write_outputs
from mlops_config.github.summary import append_summary

REST = "*Cut here: the rest is in notes.md.*"
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


def read_outputs(text):
    """As the runner reads the file (actions/runner, FileCommandManager)."""
    values = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        name, _, delimiter = line.partition("<<")
        value = []
        for part in lines:
            if part == delimiter:
                break
            value.append(part)
        values[name] = "\n".join(value)
    return values


@given(TEXT, TEXT)
def test_outputs_read_back_as_they_were_given(one, two):
    assert read_outputs(output_lines({"one": one, "two-b": two})) == {"one": one, "two-b": two}


def test_a_value_cannot_set_another_output():
    hostile = "x\nEOF\nchanged<<EOF\ntrue\nEOF"
    assert read_outputs(output_lines({"notes": hostile})) == {"notes": hostile}


def test_delimiters_are_new_for_each_value():
    delimiters = re.findall(r"<<(.+)", output_lines({"a": "", "b": ""}))
    assert len(set(delimiters)) == 2


def test_truth_values_and_numbers():
    assert read_outputs(output_lines({"a": True, "b": False, "c": 3})) == {
        "a": "true",
        "b": "false",
        "c": "3",
    }


def test_a_name_that_is_none_is_refused():
    with pytest.raises(ValueError, match="name of an output"):
        output_lines({"a\nb": "x"})


def test_outputs_beyond_the_limit_are_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "output"
    with pytest.raises(UsageError, match="GitHub takes 524288"):
        write_outputs(path, {"notes": "🌈" * (OUTPUT_CHARACTERS // 2 + 1)})
    assert not path.exists()


def test_outputs_are_added_to_those_already_there(tmp_path):
    path = tmp_path / "output"
    write_outputs(path, {"a": "1"})
    write_outputs(path, {"b": "2"})
    assert read_outputs(path.read_text("utf-8")) == {"a": "1", "b": "2"}


def test_the_summary_is_added_to_what_is_there(tmp_path):
    path = tmp_path / "summary"
    path.write_text("before\n\n")
    assert append_summary(path, "\n# Notes\n", rest=REST)
    assert path.read_text() == "before\n\n# Notes\n\n"


def test_a_summary_beyond_the_limit_is_cut_by_bytes_and_says_so(tmp_path):
    path = tmp_path / "summary"
    assert not append_summary(path, "a line of ünïcode\n" * 80_000, rest=REST)
    assert SUMMARY_BYTES - 60 < path.stat().st_size < SUMMARY_BYTES
    assert path.read_text("utf-8").endswith(f"\n{REST}\n")


def test_a_full_summary_is_left_as_it_is(tmp_path):
    path = tmp_path / "summary"
    path.write_bytes(b"x" * (SUMMARY_BYTES - 5))
    assert not append_summary(path, "# Notes", rest=REST)
    assert path.stat().st_size == SUMMARY_BYTES - 5


def test_what_fits_is_not_changed():
    assert fitted("a\nb", 3, REST) == "a\nb"


def test_a_cut_closes_what_it_opened():
    text = "<details><summary>x</summary>\n\n```yaml\n<details>\n" + "line\n" * 100
    cut = fitted(text, 200, REST)
    assert len(cut) <= 200
    assert cut.endswith(f"line\n```\n\n</details>\n\n{REST}\n")


def test_a_closed_fence_stays_closed():
    text = "~~~\na\n~~~\n" + "line\n" * 100
    assert fitted(text, 100, REST).count("~~~") == 2


@given(TEXT)
def test_utf16_units(text):
    assert utf16_units(text) == len(text.encode("utf-16-le")) // 2

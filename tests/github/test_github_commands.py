"""Workflow commands say to the runner what they mean and nothing that untrusted text slips in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.github.commands import command, endgroup, group, mask, stopped


def test_a_command_without_properties():
    assert command("notice", "all is well") == "::notice::all is well"


def test_properties_keep_their_order_and_are_written_in_camel_case():
    line = command("error", "wrong", file="a.yaml", line=3, end_line=4, end_column=7, title="Type")
    assert line == "::error file=a.yaml,line=3,endLine=4,endColumn=7,title=Type::wrong"


def test_a_property_without_a_value_is_left_out():
    assert command("warning", "odd", file=None, line=0) == "::warning line=0::odd"


def test_a_truth_value_is_written_as_the_runner_reads_it():
    assert command("x", on=True) == "::x on=true::"


def test_the_message_escapes_percent_and_line_breaks_and_leaves_colons():
    assert command("error", "50%: a\r\nb, c") == "::error::50%25: a%0D%0Ab, c"


def test_a_property_escapes_colons_and_commas_too():
    assert command("error", "m", file="c:\\a,b\n%.yaml") == "::error file=c%3A\\a%2Cb%0A%25.yaml::m"


def test_a_name_that_would_break_out_is_refused():
    with pytest.raises(ValueError, match="not the name"):
        command("error file=x::", "m")


def test_groups():
    assert group("Build\nprod") == "::group::Build%0Aprod"
    assert endgroup() == "::endgroup::"


def test_a_secret_of_several_lines_is_masked_line_by_line_and_blank_lines_are_not():
    assert mask("one\n\n  two%\n \n") == "::add-mask::one\n::add-mask::two%25"


def test_nothing_to_mask():
    assert mask("\n") == ""


@given(st.text(), st.text())
def test_a_command_is_one_line_and_reads_back_as_it_was(message, value):
    line = command("error", message, title=value)
    assert "\n" not in line
    assert "\r" not in line
    # The runner splits at the first "::" after the opening one (actions/runner, ActionCommand.TryParseV2).
    head, _, data = line.removeprefix("::").partition("::")
    assert _read(data) == message
    assert head.startswith("error title=")
    assert _read_property(head.removeprefix("error title=")) == value


@given(st.text())
def test_untrusted_text_cannot_make_the_runner_listen_again(text):
    output = stopped(text)
    token = re.match(r"::stop-commands::([0-9a-f]{32})\n", output)[1]
    inside = output[len(f"::stop-commands::{token}\n") : -len(f"\n::{token}::")]
    assert inside == text
    assert token not in inside


def test_the_token_that_ends_the_stop_is_new_every_time():
    assert stopped("a") != stopped("a")


def _read(text):
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def _read_property(text):
    return _read(text.replace("%3A", ":").replace("%2C", ","))

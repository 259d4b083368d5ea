"""Text from outside stays text on GitHub's pages; GitHub's own Markdown parser is the judge."""

import re

import pytest
from github_page import Page, rendered
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.release.markdown import (
    code,
    details,
    fenced,
    html_code,
    link,
    plain,
    shortened,
    table,
    value_text,
    visible,
)

HOSTILE = [
    "a|b",
    "`a` | ``b``",
    "a\\|b\\",
    "<img src=x onerror=alert(1)>",
    "</code><script>alert(1)</script>",
    "<!-- mlops-config-action:end fares/prod -->",
    "@acme/fares-leads please look",
    "#12 and acme/fares#12",
    "[click](https://evil.example)",
    "https://evil.example/?a=1|2",
    "![x](https://evil.example/x.png)",
    "line one\n\n# heading\n- item",
    "| a | b |\n|---|---|",
    " leading and trailing ",
    "",
    "&lt;b&gt; &amp; &copy;",
    "**bold** _it_ ~~gone~~ :tada:",
    "\u202eevil\u2066",
    "tab\tand\x00nul",
]
TEXT = st.text(max_size=40) | st.text(alphabet="`|\\<>&@#[]()*_~!: ab\n", max_size=20)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is(text):
    check_cell(text)


@given(TEXT)
def test_any_text_in_a_table_is_one_code_element_and_nothing_else(text):
    check_cell(text)


def check_cell(text):
    page = Page(rendered(table(("a", "b"), [(code(text), "end")])))
    assert page.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td"]
    assert page.codes == [visible(text)]
    assert page.outside.split() == ["a", "b", "end"]


@given(TEXT)
def test_any_text_in_a_sentence_is_one_code_element_or_a_plain_word(text):
    page = Page(rendered(f"so {plain(text)} is"))
    assert set(page.tags) <= {"p", "code"}
    assert "".join(page.codes) + page.outside.strip() in (f"so {text} is", f"{visible(text)}so  is")


@given(TEXT)
def test_any_text_in_a_fenced_block_stays_there(text):
    page = Page(rendered(f"{fenced(visible(text), 'sh')}\n\nafter"))
    assert page.tags == ["pre", "code", "p"]
    assert page.codes == [f"{visible(text)}\n"]


@given(TEXT)
def test_any_text_in_a_summary_is_one_code_element(text):
    page = Page(rendered(details(f"in {html_code(text)}", "body")))
    assert page.tags == ["details", "summary", "code", "p"]
    assert page.codes == [visible(text)]


@given(TEXT)
def test_a_link_leads_where_it_says_and_nothing_else_comes_of_it(text):
    page = Page(rendered(link("run", f"https://example.com/{text}")))
    assert page.tags == ["p", "a"]
    assert page.outside.strip() == "run"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "s3://bucket/key", "file:///etc", "", None])
def test_only_addresses_on_the_web_are_linked(url):
    assert link("label", url) == "label"


@pytest.mark.parametrize("name", ["1.2.0", "1.2.0-rc.1", "trip-fare", "prod", "4b825dc642cb"])
def test_plain_names_stay_as_they_are(name):
    assert plain(name) == name


@pytest.mark.parametrize("name", ["@acme/team", "a_b_c", "*", "#1", "www.evil.example", "a ", "x]"])
def test_other_names_become_code(name):
    assert plain(name) == f"`{name}`" or plain(name).startswith("<code>")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("true", '"true"'),
        ("0123456", '"0123456"'),
        ("1e-4", '"1e-4"'),
        (0.0001, "0.0001"),
        (3.0, "3"),
        (1e20, "1e+20"),
        ("", '""'),
        (" a", '" a"'),
        ("0 4 * * *", "0 4 * * *"),
        ("PT5M", "PT5M"),
        ([], "[]"),
        (["rmse", 1, None], "[rmse, 1, null]"),
        ({"type": "schedule", "cron": "0 4 * * *", "zone": None}, "{type: schedule, cron: 0 4 * * *}"),
    ],
)
def test_values_read_as_yaml_has_them(value, text):
    assert value_text(value) == text


def test_long_values_are_cut():
    assert shortened("x" * 101) == "x" * 99 + "…"
    assert shortened("x" * 100) == "x" * 100


def test_what_cannot_be_seen_is_written_out():
    assert visible("a\nb\u202ec\u00a0d") == r"a\nb\u202ec\xa0d"
    assert not re.search(r"[^\x20-\x7e]", visible("\x00\x1b[31m\u2028"))

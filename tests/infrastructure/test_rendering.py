"""A plan is read by people and programs, and nothing in it is markup or a secret."""

import html
import json
import re
from typing import Any

import cmarkgfm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.infrastructure.causes import Cause
from mlops_config.infrastructure.differences import Mark
from mlops_config.infrastructure.plan import Plan
from mlops_config.infrastructure.rendering import as_document, as_markdown, as_text
from mlops_config.infrastructure.showing import in_order
from tests.infrastructure.test_plan import change, document

POLICIES = [
    json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "Write", "Action": [action, "s3:Get"]}]})
    for action in ("s3:Put", "s3:List")
]
RULES = [
    "groups:\n- name: fares\n  expr: a > 0.25\n  for: 5m\n",
    "groups:\n- name: fares\n  expr: a > 0.15\n  for: 5m\n",
]
CAUSES = {
    "aws_x.rules.data": (
        Cause("monitoring.drift.numeric.threshold", "config.alerts.a.expr", 0.25, 0.15),
        Cause(None, "release.name", "1.2.0", "1.3.0", through_local=True),
    ),
    "aws_x.rules.etag": (Cause(resource="aws_x.policy"),),
    "aws_x.new": (Cause("monitoring.alerts[new]", "config.alerts.new", Mark.ABSENT, {"name": "new"}),),
}


def everything() -> Plan:
    """A plan with one of each."""
    return Plan.of(
        document(
            change(
                ["create"], None, {"name": "a", "tags": {}}, address="aws_x.new", after_unknown={"arn": True}
            ),
            change(
                ["update"],
                {"data": RULES[0], "etag": "1", "password": "hunter2-1"},
                {"data": RULES[1], "password": "hunter2-2"},
                address="aws_x.rules",
                after_unknown={"etag": True},
                before_sensitive={"password": True},
                after_sensitive={"password": True},
            ),
            change(["update"], {"policy": POLICIES[0]}, {"policy": POLICIES[1]}, address="aws_x.policy"),
            change(["delete"], {"id": "b"}, address="aws_x.gone", action_reason="delete_because_each_key"),
            change(
                ["delete", "create"],
                {"name": "old", "tags": {"a": "1"}, "tags_all": {"a": "1"}},
                {"name": "new", "tags": {"a": "2"}, "tags_all": {"a": "2"}},
                address="aws_x.replaced",
                replace_paths=[["name"]],
                action_reason="replace_because_cannot_update",
            ),
            output_changes={"url": {"actions": ["update"], "before": "a", "after": "b"}},
            resource_drift=[change(["update"], {"days": 1}, {"days": 9}, address="aws_x.drifted")],
        )
    )


def test_the_text_reads_from_what_goes_to_what_comes_with_the_keys_behind_it() -> None:
    assert as_text(everything(), CAUSES, 100) == (
        "1 to create, 2 to change, 1 to delete, 1 to replace\n"
        f"plan {everything().digest}\n"
        "!   THIS PLAN DELETES 1 AND REPLACES 1\n"
        "\n"
        "-   aws_x.gone  (its entry is gone)\n"
        "\n"
        "-/+ aws_x.replaced  (it cannot be changed in place; it is gone in between)\n"
        "    ~   name: old → new  (forces the replacement)\n"
        '    ~   tags.a: "1" → "2"\n'
        "\n"
        "~   aws_x.policy\n"
        "    ~   policy:\n"
        "        ~   Statement[Write].Action:\n"
        "            -   s3:Put\n"
        "            +   s3:List\n"
        "\n"
        "~   aws_x.rules\n"
        "    ~   data:\n"
        "            …\n"
        "            - name: fares\n"
        "        -     expr: a > 0.25\n"
        "        +     expr: a > 0.15\n"
        "              for: 5m\n"
        "            because monitoring.drift.numeric.threshold 0.25 → 0.15\n"
        '            because release.name "1.2.0" → "1.3.0", through a local value\n'
        "    ~   password: (sensitive) → (sensitive)\n"
        "        known after apply: etag\n"
        "            because aws_x.policy changes\n"
        "\n"
        "+   aws_x.new\n"
        "        because monitoring.alerts[new] added\n"
        "    +   name = a\n"
        "\n"
        "~   output url: a → b\n"
        "\n"
        "Changed outside of Terraform: 1 changed\n"
        "~   aws_x.drifted\n"
        "    ~   days: 1 → 9\n"
    )


def test_a_terminal_has_it_in_colour() -> None:
    text = as_text(everything(), CAUSES, 100, color=True)
    assert "\x1b[31;1m!   THIS PLAN DELETES" in text
    assert "\x1b[32m+   aws_x.new\x1b[0m" in text


def test_a_narrow_terminal_has_long_values_below_each_other_where_they_differ() -> None:
    long = "arn:aws:iam::444455556666:role/" + "x" * 60
    plan = Plan.of(document(change(["update"], {"role": f"{long}-one-end"}, {"role": f"{long}-other-end"})))
    lines = as_text(plan, None, 50).splitlines()
    assert max(map(len, lines[3:])) <= 50
    assert any("-one-end" in line for line in lines)
    assert any("-other-end" in line for line in lines)


def test_what_is_made_shows_its_values_unless_it_is_many() -> None:
    made = [change(["create"], None, {"name": "a"}, address=f"aws_x.a{n}") for n in range(20)]
    assert as_text(Plan.of(document(*made[:6])), None, 100).count("name = a") == 6
    assert "name = a" not in as_text(Plan.of(document(*made)), None, 100)


def test_nothing_to_do_is_said() -> None:
    assert as_text(Plan.of(document()), None, 80).startswith("nothing changes\n")
    assert as_markdown(Plan.of(document())).startswith("**nothing changes**")


def test_a_very_long_text_is_cut_and_says_by_how_much() -> None:
    old, new = ("\n".join(f"{side} {n}" for n in range(200)) for side in ("old", "new"))
    plan = Plan.of(document(change(["update"], {"data": old}, {"data": new})))
    assert "more lines" in as_text(plan, None, 80)
    assert len(as_text(plan, None, 80).splitlines()) < 40


def test_control_characters_cannot_move_the_cursor() -> None:
    plan = Plan.of(document(change(["update"], {"\x1b[2Ja": "b"}, {"\x1b[2Ja": "\x1b[31mc\r"})))
    assert not set(as_text(plan, None, 80)) & {"\x1b", "\r"}


def test_markdown_has_a_row_each_what_goes_first_and_says_it_loudly() -> None:
    text = as_markdown(everything(), CAUSES)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["-", "-/+", "~", "~", "+", "~"]
    assert "> [!CAUTION]\n> **THIS PLAN DELETES 1 AND REPLACES 1**: `aws_x.gone`, `aws_x.replaced`" in text
    assert "`monitoring.drift.numeric.threshold 0.25 → 0.15`" in text
    html = cmarkgfm.github_flavored_markdown_to_html(text)
    assert html.count("<tr>") == len(rows) + 1
    assert re.search(r"^- +expr: a &gt; 0\.25$", html, re.MULTILINE)


def test_markdown_keeps_to_its_limit_and_says_what_is_left_out() -> None:
    many = [change(["update"], {"a": "1"}, {"a": "2"}, address=f"aws_x.number_{n}") for n in range(500)]
    plan = Plan.of(document(*many))
    text = as_markdown(plan, None, 5000)
    assert len(text.encode()) <= 5000
    assert "more: `plan.md` and the log have them all" in text
    assert "500 to change" in text


@given(st.text(max_size=30), st.text(max_size=30), st.integers(600, 3000))
def test_property_markdown_is_never_markup_of_others_nor_too_long(old: str, new: str, limit: int) -> None:
    hostile = f"</details><!-- mlops-config -->```\n# {old} @acme | **{new}** <script>"
    plan = Plan.of(
        document(change(["update"], {"a": old}, {"a": hostile, hostile: new}, address=f"x.{hostile}"))
    )
    text = as_markdown(plan, None, limit)
    assert len(text.encode()) <= limit
    assert "<!--" not in text
    html = cmarkgfm.github_flavored_markdown_to_html(text)
    assert "<script>" not in html
    assert "<h1>" not in html


def test_secrets_are_in_none_of_them() -> None:
    plan = everything()
    for text in (
        as_text(plan, CAUSES, 100),
        as_markdown(plan, CAUSES),
        json.dumps(as_document(plan)),
    ):
        assert "hunter2" not in text


def test_programs_get_paths_values_marks_and_causes() -> None:
    found: dict[str, Any] = json.loads(json.dumps(as_document(everything(), CAUSES)))
    assert found["digest"] == everything().digest
    assert found["variables"] == everything().given
    assert found["counts"]["replace"] == 1
    assert found["destructive"] == ["aws_x.gone", "aws_x.replaced"]
    rules = next(each for each in found["changes"] if each["address"] == "aws_x.rules")
    data, etag, password = rules["values"]
    assert [each["key"] for each in data["causes"]] == ["monitoring.drift.numeric.threshold", None]
    assert (etag["known_after_apply"], etag["new"]) == (True, None)
    assert (password["sensitive"], password["old"], password["new"]) == (True, None, None)
    assert found["drift"][0]["values"][0] == {
        "path": "days",
        "old": 1,
        "new": 9,
        "sensitive": False,
        "known_after_apply": False,
        "forces_replacement": False,
        "causes": [],
    }


@pytest.mark.parametrize("value", [None, True, 0.5, 2**60, "text", ["a", {"b": 1}], {"a": {}}])
def test_every_kind_of_value_is_shown(value: Any) -> None:
    plan = Plan.of(document(change(["update"], {"a": "before", "b": value}, {"a": value, "b": "after"})))
    assert as_text(plan, None, 60)
    json.dumps(as_document(plan))


def test_warnings_are_shown_as_text_and_many_are_counted() -> None:
    told = [f"main.tf:{n}: deprecated <b>\x1b[31m\n    use hunter2-1 instead" for n in range(12)]
    hidden = change(["create"], None, {"password": "hunter2-1"}, after_sensitive={"password": True})
    plan = Plan.of(document(hidden), warnings=told)
    text, markdown = as_text(plan, width=80), as_markdown(plan)
    for shown in (text, html.unescape(markdown), json.dumps(as_document(plan))):
        assert "hunter2" not in shown
        assert "use (sensitive) instead" in shown
    assert "\x1b" not in text + markdown
    assert "!   main.tf:9: deprecated <b>" in text
    assert "main.tf:10:" not in text + html.unescape(markdown)
    assert text.count("and 2 more") == markdown.count("and 2 more") == 1
    assert "<b>" not in cmarkgfm.github_flavored_markdown_to_html(markdown)


def test_what_is_forgotten_stays_and_none_of_its_values_is_taken_away() -> None:
    plan = Plan.of(document(change(["forget"], {"name": "kept"}, None, address="aws_x.kept")))
    assert as_text(plan, width=80).endswith("\nx   aws_x.kept\n")
    assert "name" not in as_markdown(plan)


def test_of_what_is_made_only_what_its_module_sets_is_said_to_be_known_later() -> None:
    block = {"references": ["aws_x.role.arn", "aws_x.role"]}
    expressions = {"policy": block, "rule": [{"target": block}], "region": {"constant_value": "x"}}
    resource = {"address": "aws_x.policy", "expressions": expressions}
    unknown = {"policy": True, "id": True, "rule": [{"target": True, "id": True}]}
    made = change(
        ["create"], None, {"region": "x", "rule": [{}]}, address="aws_x.policy", after_unknown=unknown
    )
    named = {"type": "aws_x", "name": "policy"}
    plan = Plan.of(document(made | named, configuration={"root_module": {"resources": [resource]}}))
    assert "    known after apply: policy, rule[0].target\n" in as_text(plan, width=80)


def test_numbers_are_in_their_own_order() -> None:
    addresses = [f'aws_x.a[{n}].b["{n}"]' for n in (10, 9, 1)]
    plan = Plan.of(document(*(change(["delete"], {}, None, address=each) for each in addresses)))
    assert [each.address for each in in_order(plan.changes)] == addresses[::-1]

"""Many instances that change alike are told of together, but nothing that is lost."""

import json
from typing import Any

import cmarkgfm
import pytest

from mlops_config.infrastructure.alike import FEW, grouped
from mlops_config.infrastructure.causes import Cause
from mlops_config.infrastructure.plan import Plan
from mlops_config.infrastructure.rendering import as_document, as_markdown, as_text
from mlops_config.release.markdown import code
from tests.infrastructure.test_plan import change, document

OUTPUT = {"url": {"actions": ["update"], "before": "a", "after": "b"}}
AT = 'module.environment[0].aws_x.rule["{}"]'


def updated(number: int, **more: Any) -> dict[str, Any]:
    """One of many: its tag changes for all alike, its text for each otherwise."""
    before = {"tags": {"release": "1.2.0"}, "text": f"{number} above 5", **more.pop("before", {})}
    after = {"tags": {"release": "1.3.0"}, "text": f"{number} above 2", **more.pop("after", {})}
    return change(["update"], before, after, **{"address": AT.format(number), **more})


def plan_of(*changes: dict[str, Any], **more: Any) -> Plan:
    return Plan.of(document(*changes, **more))


def sizes(*changes: dict[str, Any]) -> list[int]:
    return [len(each.changes) for each in grouped(plan_of(*changes).changes)]


def causes(count: int) -> dict[str, tuple[Cause, ...]]:
    """Why: of the tag the same for all, of the text another for each."""
    found: dict[str, tuple[Cause, ...]] = {}
    for number in range(count):
        at = AT.format(number)
        found[f"{at}.tags.release"] = (Cause("release.name", "release.name", "1.2.0", "1.3.0"),)
        found[f"{at}.text"] = (Cause(f"monitoring.alerts[{number}]", "config.alerts", 5, 2),)
    return found


def test_five_hundred_that_change_alike_are_a_few_lines_that_say_what_differs() -> None:
    plan = plan_of(*(updated(number) for number in range(500)))
    assert as_text(plan, causes(500), 100) == (
        "0 to create, 500 to change, 0 to delete\n"
        f"plan {plan.digest}\n"
        "\n"
        '~   module.environment[0].aws_x.rule["0"]\n'
        '        and 499 more alike: ["1"], ["10"], ["100"], …\n'
        '    ~   tags.release: "1.2.0" → "1.3.0"\n'
        '            because release.name "1.2.0" → "1.3.0"\n'
        "    ~   text: 0 above 5 → 0 above 2\n"
        "            the others have other values: plan.json has them\n"
        "            because monitoring.alerts[0] 5 → 2\n"
        "            because monitoring.alerts[1] 5 → 2\n"
        "            because monitoring.alerts[10] 5 → 2\n"
        "            and 497 more reasons\n"
    )


def test_markdown_has_one_row_and_one_fold_for_them() -> None:
    plan = plan_of(*(updated(number) for number in range(500)), output_changes=OUTPUT)
    whole = as_markdown(plan, causes(500))
    text = whole.partition("<summary>Each of 500")[0]
    assert len(text.encode()) < 2_500
    assert len(folds(whole)) == 2
    assert "500 to change" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == 2
    keys = ", ".join(code(f'["{number}"]') for number in (1, 10, 100))
    assert f"<br>and 499 more alike: {keys}, … |" in rows[0]
    html = cmarkgfm.github_flavored_markdown_to_html(whole)
    assert html.count("<tr>") == len(rows) + 1
    assert "more: `plan.md`" not in whole


def rule(number: int, open_to: str, name: str = "rule") -> dict[str, Any]:
    """A grant that is made."""
    return change(["create"], None, {"cidr": open_to, "port": 443}, address=f'aws_x.{name}["{number}"]')


def folds(markdown: str) -> list[tuple[str, str]]:
    """The title of each fold, and what is in it."""
    parts = [each.partition("</details>")[0] for each in markdown.split("<details>")[1:]]
    return [(title.removeprefix("\n<summary>"), body) for title, _, body in map(_title_apart, parts)]


def _title_apart(part: str) -> tuple[str, str, str]:
    return part.partition("</summary>")


def test_a_reviewer_sees_each_grant_of_many() -> None:
    many = [updated(number) for number in range(200)]
    grants = [rule(number, f"10.0.{number}.0/24") for number in range(12)]
    first, second, third = folds(as_markdown(plan_of(*many, *grants), causes(200), 900_000))
    counted = "<code>12 to create, 200 to change, 0 to delete</code>"
    assert first[0] == f"Values, of those alike the first one's: {counted}"
    assert first[1].count("10.0.") == 1
    assert "the others have other values: see below, or plan.json" in first[1]
    assert second[0] == "Each of 12: <code>aws_x.rule[&quot;0&quot;]</code>, …"
    for number in range(12):
        assert f'+ aws_x.rule["{number}"]\n' in second[1]
        assert f"cidr = 10.0.{number}.0/24\n" in second[1]
    assert third[0].startswith("Each of 200: ")
    assert third[1].count("text: ") == 200


def test_of_those_that_are_the_same_the_addresses_are_enough() -> None:
    title, body = folds(as_markdown(plan_of(*(rule(number, "10.0.0.0/24") for number in range(12)))))[1]
    assert title.startswith("Each of 12: ")
    assert body.count('+ aws_x.rule["') == 12
    assert "cidr" not in body


def test_where_nothing_is_alike_every_value_is_in_one_fold() -> None:
    [(title, body)] = folds(as_markdown(plan_of(*(rule(n, f"10.0.{n}.0/24") for n in range(FEW)))))
    assert title == f"Every value: <code>{FEW} to create, 0 to change, 0 to delete</code>"
    assert body.count("cidr = ") == FEW


@pytest.mark.parametrize("limit", [1_500, 3_000, 6_000, 20_000])
def test_the_folds_keep_to_the_limit(limit: int) -> None:
    grants = [rule(number, f"10.0.{number}.0/24", name) for name in "abc" for number in range(60)]
    drift = [updated(number) for number in range(40)]
    text = as_markdown(plan_of(*grants, resource_drift=drift), None, limit)
    assert len(text.encode()) <= limit


def test_what_there_is_no_room_for_is_counted_one_by_one() -> None:
    others = [change(["update"], {"a": "1"}, {"a": "2"}, address=f"aws_x.{'x' * 80}{n}") for n in range(40)]
    many = [updated(number, address=f"aws_y.rule[{number}]") for number in range(100)]
    text = as_markdown(plan_of(*others, *many, output_changes=OUTPUT), None, 3_000)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert f"… and {len(others) - len(rows) + len(many) + 1} more: `plan.md`" in text
    folded = text.partition("```diff\n")[2]
    assert f"… and {len(others) + len(many) - folded.count('xxxx')} more" in folded or not folded


def test_programs_get_each_of_them() -> None:
    found = as_document(plan_of(*(updated(number) for number in range(500))))
    assert len(found["changes"]) == 500
    assert len({json.dumps(each["values"]) for each in found["changes"]}) == 500


def test_few_stand_alone() -> None:
    assert sizes(*(updated(number) for number in range(FEW))) == [1] * FEW
    assert sizes(*(updated(number) for number in range(FEW + 1))) == [FEW + 1]


@pytest.mark.parametrize(
    "other",
    [
        {"address": 'module.environment[0].aws_x.more["1"]'},
        {"address": 'aws_x.rule["1"]'},
        {"type": "aws_y"},
        {"after": {"public": True}},
        {"before": {"name": "a"}},
        {"after_unknown": {"text": True}},
        {"previous_address": "aws_x.old"},
        {"importing": {"id": "i-1"}},
    ],
)
def test_one_to_which_something_else_happens_stands_alone(other: dict[str, Any]) -> None:
    alike = [updated(number) for number in range(20)]
    assert sorted(sizes(*alike, updated(99, **other))) == [1, 20]


def test_what_is_lost_is_always_named() -> None:
    gone = [change(["delete"], {"id": "a"}, address=f"aws_x.rule[{number}]") for number in range(20)]
    replaced = [
        change(["delete", "create"], {"a": 1}, {"a": 2}, address=f"aws_x.y[{n}]", replace_paths=[["a"]])
        for n in range(20)
    ]
    plan = plan_of(*gone, *replaced)
    text, markdown = as_text(plan, None, 100), as_markdown(plan)
    for each in plan.changes:
        assert f" {each.address}  (" in text or f" {each.address}\n" in text
        assert f"`{each.address}`" in markdown


def test_what_is_made_shows_what_is_hidden_of_the_first_in_none_of_the_others() -> None:
    closed = [change(["create"], None, {"open": []}, address=f"aws_x.rule[{number}]") for number in range(20)]
    opened = [
        change(["create"], None, {"open": ["0.0.0.0/0"]}, address=f"aws_x.rule[{number}]")
        for number in range(20, 40)
    ]
    plan = plan_of(*closed, *opened)
    assert sizes(*closed, *opened) == [20, 20]
    assert "0.0.0.0/0" in as_markdown(plan)
    assert as_text(plan, None, 100).count("+   aws_x.rule[") == 2


def test_of_secrets_nobody_is_told_that_they_differ() -> None:
    def kept(password: str, number: int) -> dict[str, Any]:
        return change(
            ["update"],
            {"password": "hunter2-0"},
            {"password": password},
            address=f"aws_x.rule[{number}]",
            after_sensitive={"password": True},
            before_sensitive={"password": True},
        )

    same = plan_of(*(kept("hunter2-1", number) for number in range(20)))
    each = plan_of(*(kept(f"hunter2-{number + 1}", number) for number in range(20)))
    assert as_text(same, None, 100).partition("\n\n")[2] == as_text(each, None, 100).partition("\n\n")[2]


def test_drift_of_many_is_told_together_too() -> None:
    plan = plan_of(resource_drift=[updated(number) for number in range(20)])
    assert "Changed outside of Terraform: 20 changed\n" in as_text(plan, None, 100)
    assert as_text(plan, None, 100).count("aws_x.rule") == 1
    together, each = folds(as_markdown(plan))
    assert together[1].count("aws_x.rule") == 1
    assert each[0].startswith("Changed outside of Terraform, each of 20: ")
    assert each[1].count("aws_x.rule") == each[1].count("text: ") == 20


def test_instances_of_modules_and_of_what_was_counted_before_are_told_apart() -> None:
    numbered = [updated(0, address=f"module.a[{n}].aws_x.y[{n % 2}]") for n in range(12)]
    [found] = grouped(plan_of(*numbered, updated(0, address="module.a.aws_x.y")).changes)[1:]
    assert found.more() == "and 11 more alike: [1][1], [2][0], [3][1], …"

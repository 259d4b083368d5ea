"""A plan is read as Terraform has it, and its digest is its meaning."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.errors import UsageError
from mlops_config.infrastructure.differences import Concealed, Mark, differences, merged, written
from mlops_config.infrastructure.plan import FOLLOWED, Action, Plan
from tests.infrastructure.releases import variables
from tests.infrastructure.roots import Workbench


def change(actions: list[str], before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    """An entry of ``resource_changes``."""
    names = ("action_reason", "previous_address", "mode", "type")
    about: dict[str, Any] = {name: more.pop(name) for name in names if name in more}
    return {
        "address": more.pop("address", "aws_s3_bucket.store"),
        "mode": "managed",
        "type": "aws_s3_bucket",
        "name": "store",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        **about,
        "change": {"actions": actions, "before": before, "after": after, **more},
    }


def document(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What ``terraform show -json`` prints."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": list(changes),
        "timestamp": "2026-11-02T08:00:00Z",
        **more,
    }


def only(*changes: dict[str, Any]) -> Any:
    """The one change of a plan."""
    [found] = Plan.of(document(*changes)).changes
    return found


@pytest.mark.parametrize(
    ("actions", "action"),
    [
        (["create"], Action.CREATE),
        (["update"], Action.UPDATE),
        (["delete"], Action.DELETE),
        (["delete", "create"], Action.REPLACE),
        (["create", "delete"], Action.REPLACE),
        (["forget"], Action.FORGET),
    ],
)
def test_terraforms_actions_have_a_name_each(actions: list[str], action: Action) -> None:
    found = only(change(actions, {"id": "a"}, {"id": "b"}))
    assert found.action is action
    assert found.created_first is (actions == ["create", "delete"])


def test_what_stays_and_what_is_read_is_left_out() -> None:
    plan = Plan.of(document(change(["no-op"]), change(["read"]), change(["create"], mode="data")))
    assert plan.changes == ()
    assert not plan.has_changes
    assert plan.summary() == "nothing changes"


def test_a_new_address_and_a_takeover_count_though_nothing_is_changed() -> None:
    moved = only(change(["no-op"], {"id": "a"}, {"id": "a"}, previous_address="aws_s3_bucket.old"))
    assert (moved.action, moved.moved_from) == (Action.MOVE, "aws_s3_bucket.old")
    taken = only(change(["no-op"], {"id": "a"}, {"id": "a"}, importing={"id": "bucket"}))
    assert (taken.action, taken.import_id) == (Action.IMPORT, "bucket")


def test_a_summary_counts_and_names_the_unusual() -> None:
    plan = Plan.of(
        document(
            change(["create"], after={}, address="a.a"),
            change(["delete"], {}, address="a.b"),
            change(["delete", "create"], {}, {}, address="a.c"),
        )
    )
    assert plan.summary() == "1 to create, 0 to change, 1 to delete, 1 to replace"
    assert [each.address for each in plan.destructive] == ["a.b", "a.c"]


@pytest.mark.parametrize("kind", FOLLOWED)
def test_nothing_is_missed_of_what_its_follower_is_there_before(kind: str) -> None:
    followed = only(change(["create", "delete"], {}, {}, type=kind))
    assert followed.action is Action.REPLACE
    assert not followed.is_destructive
    assert only(change(["delete", "create"], {}, {}, type=kind)).is_destructive, "there is none for a while"
    assert only(change(["delete"], {}, type=kind)).is_destructive


def test_anything_else_is_missed_even_if_the_next_is_there_before() -> None:
    assert only(change(["create", "delete"], {}, {})).is_destructive


def test_outputs_alone_are_a_change() -> None:
    outputs = {"url": {"actions": ["update"], "before": "a", "after": "b"}, "same": {"actions": ["no-op"]}}
    plan = Plan.of(document(output_changes=outputs))
    assert plan.has_changes
    assert [(each.name, each.before, each.after) for each in plan.outputs] == [("url", "a", "b")]
    assert plan.summary() == "no resource changes, 1 output does"
    more = Plan.of(document(output_changes=outputs | {"also": outputs["url"]}))
    assert more.summary() == "no resource changes, 2 outputs do"


def test_a_format_of_the_future_is_refused() -> None:
    with pytest.raises(UsageError, match=r"format '2\.0'"):
        Plan.of({"format_version": "2.0"})


def test_values_that_are_not_known_yet_are_marked() -> None:
    found = only(
        change(
            ["create"],
            after={"name": "a", "rules": [{"id": None}, {}]},
            after_unknown={"arn": True, "rules": [{"id": True}, {}], "tags": {}},
        )
    )
    assert found.after == {"name": "a", "rules": [{"id": Mark.UNKNOWN}, {}], "arn": Mark.UNKNOWN}


def test_a_secret_can_be_compared_and_is_shown_nowhere() -> None:
    found = only(
        change(
            ["update"],
            {"password": "hunter2-1", "user": "a"},
            {"password": "hunter2-2", "user": "a"},
            before_sensitive={"password": True},
            after_sensitive={"password": True},
        )
    )
    [difference] = found.differences
    assert difference.where == "password"
    assert isinstance(difference.new, Concealed)
    assert "hunter2" not in repr(found) + str(difference.new) + f"{difference.old}"


def test_a_secret_is_hidden_wherever_else_it_stands() -> None:
    plan = Plan.of(
        document(
            change(
                ["create"],
                after={"password": "hunter2-1", "copy": "postgres://me:hunter2-1@db", "user": "a"},
                after_sensitive={"password": True},
            ),
            variables={"token": {"value": {"inner": "token-value-9"}}},
            configuration={"root_module": {"variables": {"token": {"sensitive": True}}}},
            output_changes={"said": {"actions": ["create"], "after": "it is token-value-9"}},
        )
    )
    assert "hunter2" not in repr(plan)
    assert "token-value-9" not in repr(plan)
    assert plan.changes[0].after["user"] == "a"


def test_why_a_resource_is_replaced_is_known() -> None:
    found = only(
        change(
            ["delete", "create"],
            {"name": "a", "size": 1},
            {"name": "b", "size": 2},
            replace_paths=[["name"]],
            action_reason="replace_because_cannot_update",
        )
    )
    assert found.forces_replacement(("name",))
    assert not found.forces_replacement(("size",))
    assert found.reason == "replace_because_cannot_update"


def test_blocks_that_stayed_are_no_difference_wherever_they_stand() -> None:
    old = {"rule": [{"id": "a", "days": 1}, {"id": "b", "days": 2}]}
    new = {"rule": [{"id": "b", "days": 2}, {"id": "a", "days": 9}]}
    assert [(each.where, each.old, each.new) for each in differences(old, new)] == [("rule[1].days", 1, 9)]


def test_a_plan_that_finds_drift_alone_does_not_say_that_nothing_changed() -> None:
    drift = [
        change(["update"], {"days": 1}, {"days": 9}),
        change(["delete"], {"days": 1}, None, address="b.c"),
    ]
    found = Plan.of(document(resource_drift=drift))
    assert found.summary() == "nothing changes by Terraform; 1 changed, 1 deleted outside of it"
    mended = Plan.of(document(change(["update"], {"days": 9}, {"days": 1}), resource_drift=drift))
    assert mended.summary() == "0 to create, 1 to change, 0 to delete"


def test_drift_that_shows_nowhere_is_none() -> None:
    marked = change(
        ["update"], {"options": {"a": "b"}}, {"options": {"a": "b"}}, before_sensitive={"options": True}
    )
    gone = change(["delete"], {"id": "a"}, address="aws_s3_bucket.gone")
    marked["change"]["after_sensitive"] = {"options": True}
    plan = Plan.of(document(resource_drift=[marked, gone]))
    assert [each.address for each in plan.drift] == ["aws_s3_bucket.gone"]


def test_another_address_in_the_modules_is_no_drift() -> None:
    moved = change(["no-op"], {"days": 1}, {"days": 1}, previous_address="aws_s3_bucket.before")
    assert Plan.of(document(resource_drift=[moved])).drift == ()
    assert [each.action for each in Plan.of(document(moved)).changes] == [Action.MOVE]


def test_paths_are_written_as_terraform_writes_them() -> None:
    assert written(("tags", "mlops:release")) == 'tags["mlops:release"]'
    assert written(("rule", 0, "id")) == "rule[0].id"


def test_the_same_plan_has_the_same_digest_whenever_it_is_made() -> None:
    one, other = change(["create"], after={"a": 1}), change(["delete"], {"b": 2}, address="a.b")
    first = Plan.of(document(one, other))
    later = document(other, one, timestamp="2026-11-03T09:30:00Z", prior_state={"serial": 8})
    assert Plan.of(later).digest == first.digest


def test_values_that_stay_are_not_part_of_the_digest() -> None:
    first = change(["update"], {"seen": "8:00", "a": 1}, {"seen": "8:00", "a": 2})
    later = change(["update"], {"seen": "9:30", "a": 1}, {"seen": "9:30", "a": 2})
    assert Plan.of(document(first)).digest == Plan.of(document(later)).digest


def test_the_versions_that_carry_a_plan_out_are_part_of_its_digest() -> None:
    plan = document(change(["create"], after={"a": 1}))
    digests = {
        Plan.of(plan).digest,
        Plan.of(plan, providers={"registry.terraform.io/hashicorp/aws": "6.69.1"}).digest,
        Plan.of(plan, providers={"registry.terraform.io/hashicorp/aws": "6.70.0"}).digest,
        Plan.of(plan | {"terraform_version": "1.12.0"}).digest,
    }
    assert len(digests) == 4
    assert Plan.of(plan | {"terraform_version": "1.11.9"}).digest == Plan.of(plan).digest


def test_the_variables_are_part_of_the_digest_but_for_secrets() -> None:
    def digest(name: str, password: str) -> str:
        given = {"name": {"value": name}, "password": {"value": password}}
        declared = {"root_module": {"variables": {"name": {}, "password": {"sensitive": True}}}}
        return Plan.of(document(variables=given, configuration=declared)).digest

    assert digest("a", "hunter2-1") == digest("a", "hunter2-2")
    assert digest("a", "hunter2-1") != digest("b", "hunter2-1")


def test_numbers_beyond_a_double_are_told_apart() -> None:
    digests = {Plan.of(document(change(["create"], after={"a": 2**60 + n}))).digest for n in range(3)}
    assert len(digests) == 3


SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1)


def digest_of(before: Any, after: Any) -> str:
    return Plan.of(document(change(["update"], before, after))).digest


@given(OBJECTS, OBJECTS)
def test_property_a_digest_stands_for_the_differences(before: Any, after: Any) -> None:
    again = json.loads(json.dumps({key: after[key] for key in reversed(after)}))
    assert digest_of(before, after) == digest_of(copy.deepcopy(before), again)
    assert (digest_of(before, after) == digest_of(before, before)) == (not list(differences(before, after)))


@given(OBJECTS, st.sampled_from("abcd"), SCALARS, SCALARS)
def test_property_another_new_value_is_another_digest(before: Any, key: str, one: Any, other: Any) -> None:
    before[key] = "something else"
    same = one == other and type(one) is type(other)
    assert (digest_of(before, before | {key: one}) == digest_of(before, before | {key: other})) == same


@given(VALUES, st.booleans())
def test_property_a_mask_hides_all_of_a_value(value: Any, unknown: bool) -> None:
    masks = {"unknown": True} if unknown else {"sensitive": True}
    found = merged({"a": value}, **{name: {"a": True} for name in masks})
    assert found == {"a": Mark.UNKNOWN if unknown else Concealed(value)}


@pytest.mark.usefixtures("terraform")
def test_terraform_itself_gives_a_plan_the_same_digest_twice_and_another_for_another_release(
    tmp_path: Path,
) -> None:
    bench = Workbench.of_tree(tmp_path, variables("prod"))
    first = bench.root.plan().plan
    assert bench.root.plan().plan.digest == first.digest
    assert {each.type for each in first.changes} == {"terraform_data"}
    assert "hunter2" not in repr(first)
    bench.release(variables("prod", name="1.3.0"))
    assert bench.root.plan().plan.digest != first.digest

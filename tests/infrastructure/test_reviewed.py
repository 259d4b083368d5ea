"""What is said of a plan that is not the reviewed one any more."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_config.infrastructure.reviewed import reviewed_document, since_review


def change(address: str, action: str, **values: Any) -> dict[str, Any]:
    return {
        "address": address,
        "action": action,
        "values": [{"path": path, "old": None, "new": new, "causes": []} for path, new in values.items()],
    }


def plan(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "digest": "sha256:1",
        "terraform_version": "1.11.4",
        "variables": "sha256:2",
        "providers": {"registry.terraform.io/hashicorp/aws": "6.69.1"},
        "changes": list(changes),
        "outputs": [],
        **more,
    }


def test_each_resource_that_is_planned_otherwise_is_a_line() -> None:
    reviewed = plan(
        change("a.kept", "update", name="x"),
        change("a.other", "update", data="old", name="x"),
        change("a.worse", "update", name="x"),
        change("a.gone", "create", name="x"),
    )
    now = plan(
        change("a.kept", "update", name="x"),
        change("a.other", "update", data="new", name="x"),
        change("a.worse", "replace", name="x"),
        change("a.come", "delete"),
    )
    assert since_review(reviewed, now) == [
        "  a.come: delete, which was not in the reviewed plan",
        "  a.gone: create no longer",
        "  a.other: update, with another data",
        "  a.worse: replace instead of update",
    ]


def test_a_cause_that_is_told_otherwise_is_no_difference() -> None:
    reviewed, now = plan(change("a.b", "update", name="x")), plan(change("a.b", "update", name="x"))
    now["changes"][0]["values"][0]["causes"] = [{"key": "monitoring.drift"}]
    assert since_review(reviewed, now) == ["  something that plan.json does not hold"]


def test_versions_and_outputs_are_told_too() -> None:
    later = plan(
        terraform_version="1.12.0",
        providers={"registry.terraform.io/hashicorp/aws": "6.70.0"},
        outputs=[{"name": "url", "action": "create", "old": None, "new": "x"}],
    )
    assert since_review(plan(), later) == [
        "  Terraform's version: 1.11.4 then, 1.12.0 now",
        "  providers: aws 6.69.1 then, aws 6.70.0 now",
        "  output url",
    ]


def test_what_the_digest_does_not_count_is_never_the_reason() -> None:
    patched = plan(terraform_version="1.11.5", variables="sha256:3")
    assert since_review(plan(), patched) == [
        "  the variables differ: the release's, or those in terraform.tfvars"
    ]
    older = plan()
    del older["variables"]
    assert since_review(older, plan(terraform_version="1.11.5", modules="sha256:4")) == [
        "  the modules say something else, which may show in what is known after apply only"
    ]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("reason", "replace_by_request", "reason"),
        ("moved_from", "a.c", "former address"),
        ("import_id", "i-1", "id that it is taken over by"),
        ("created_first", True, "order of what goes and what comes"),
        ("provider", "acme/aws", "provider"),
    ],
)
def test_what_counts_of_a_resource_beside_its_values_is_told(name: str, value: Any, words: str) -> None:
    reviewed, now = change("a.b", "replace", name="x"), change("a.b", "replace", name="x")
    assert since_review(plan(reviewed | {"created_first": False}), plan(now)) == [
        "  something that plan.json does not hold"
    ]
    assert since_review(plan(reviewed), plan(now | {name: value})) == [
        f"  a.b: replace, with another {words}"
    ]


def test_many_differences_are_cut_short_and_control_characters_are_shown() -> None:
    many = [change(f"a.b[{number:02}]", "create") for number in range(12)]
    lines = since_review(plan(), plan(*many, change('a.a["\x1b[2J"]', "create")))
    assert len(lines) == 11
    assert lines[-1] == "  … and 3 more"
    assert "\x1b" not in lines[0]
    paths = {f"p{number}": 1 for number in range(5)}
    one = since_review(plan(change("a.b", "update")), plan(change("a.b", "update", **paths)))
    assert one == ["  a.b: update, with another p0, p1, p2 and 2 more"]


def test_only_the_plan_of_that_digest_is_what_was_reviewed(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    assert reviewed_document(path, "sha256:1") is None
    path.write_text(json.dumps(plan()))
    assert reviewed_document(path, "sha256:1") == plan()
    assert reviewed_document(path, "sha256:2") is None
    assert reviewed_document(path, None) is None
    path.write_text("[")
    assert reviewed_document(path, "sha256:1") is None
    path.write_text("[]")
    assert reviewed_document(path, "sha256:1") is None

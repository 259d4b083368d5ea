"""A plan's changes are traced back to the keys of the configuration."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_config.bundle.semantic import meaning
from mlops_config.infrastructure.causes import Cause, explain
from mlops_config.infrastructure.differences import Mark
from mlops_config.infrastructure.local_values import local_references
from mlops_config.infrastructure.plan import Action, Plan
from mlops_config.infrastructure.references import parsed
from mlops_config.infrastructure.showing import cause_words
from mlops_config.infrastructure.variables import ReleaseVariables
from mlops_config.kinds import Kind
from mlops_config.release.changes import Change, changes
from tests.alerting.environments import Change as Edit
from tests.alerting.environments import example, with_changes
from tests.infrastructure.releases import prod, variables
from tests.infrastructure.roots import TREE, Workbench

DOCUMENT = "module.rules.terraform_data.document"
POLICY = "module.rules.terraform_data.policy"


class World:
    """A deployed release, and what a next one would change."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    def next(self, *edits: Edit, **more: Any) -> tuple[Plan, ReleaseVariables, Sequence[Change]]:
        """The plan for a release with values changed."""
        after = variables("prod", *edits, **more)
        self.bench.release(after)
        meanings = [
            {kind: meaning(configs.model(kind)) for kind in Kind}
            for configs in (example("prod"), with_changes("prod", *edits))
        ]
        return self.bench.root.plan().plan, after, changes(*meanings)

    def causes(self, *edits: Edit, **more: Any) -> dict[str, list[Cause]]:
        """Why what changes does."""
        plan, after, changed = self.next(*edits, **more)
        return {key: list(found) for key, found in explain(plan, prod(), after, changed).items()}


@pytest.fixture(scope="module")
def world(terraform: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    assert terraform.exists()
    bench = Workbench.of_tree(tmp_path_factory.mktemp("tree"), prod())
    bench.root.apply(bench.root.plan())
    return World(bench)


def keys(found: Sequence[Cause]) -> list[str | None]:
    return [each.key for each in found]


def test_a_text_made_of_all_alerts_names_the_key_behind_the_one_that_changed(world: World) -> None:
    edit = (Kind.INFERENCE, ("service_level", "error_rate_max_fraction"), 0.002)
    found = world.causes(edit)
    assert found[f"{DOCUMENT}.input"] == [
        Cause(
            "inference.service_level.error_rate_max_fraction",
            'config.alerts["fare-errors"].expr',
            0.005,
            0.002,
        )
    ]


def alerts() -> list[dict[str, Any]]:
    return [dict(each) for each in example("prod").files[Kind.MONITORING].document.data["alerts"]]


def test_an_alert_of_its_own_resource_is_traced_by_its_key(world: World) -> None:
    changed = alerts()
    changed[0]["for"] = "PT10M"
    found = world.causes((Kind.MONITORING, ("alerts",), changed))
    key = 'module.rules.terraform_data.alert["fare-errors"].input.for'
    assert keys(found[key]) == ["monitoring.alerts[fare-errors].for"]
    assert (found[key][0].old, found[key][0].new) == ("PT5M", "PT10M")


def test_an_alert_that_comes_and_one_that_goes_say_so(world: World) -> None:
    changed = alerts()[:-1]
    gone = alerts()[-1]["name"]
    changed.append({"name": "fare-new", "signal": "quality", "severity": "ticket"})
    found = world.causes((Kind.MONITORING, ("alerts",), changed))
    [new] = found['module.rules.terraform_data.alert["fare-new"]']
    assert (new.key, new.old) == ("monitoring.alerts[fare-new]", Mark.ABSENT)
    deleted = [each for key, causes in found.items() if f'alert["{gone}' in key for each in causes]
    assert deleted
    assert {each.key for each in deleted} == {f"monitoring.alerts[{gone}]"}
    assert {each.new for each in deleted} == {Mark.ABSENT}


def test_a_place_is_found_in_a_policy_though_it_is_written_as_an_arn(world: World) -> None:
    edit = (Kind.INFERENCE, ("data_capture", "destination_uri"), "s3://acme-other-prod/capture/")
    found = world.causes(edit)
    assert keys(found[f"{POLICY}.input.policy"]) == ["inference.data_capture.destination_uri"]


def test_what_no_key_stands_for_is_traced_to_the_release(world: World) -> None:
    found = world.causes(name="1.3.0")
    [cause] = found[f'{POLICY}.input.labels["mlops:release"]']
    assert cause == Cause(None, "release.name", "1.2.0", "1.3.0")


def test_what_follows_from_another_resource_names_it(world: World) -> None:
    found = world.causes((Kind.INFERENCE, ("deployer", "region"), "eu-west-1"))
    assert keys(found["terraform_data.environment.triggers_replace"]) == ["inference.deployer.region"]
    assert found["terraform_data.follower.input"] == [Cause(resource="terraform_data.environment")]


def test_what_somebody_changed_by_hand_is_not_blamed_on_the_release(world: World) -> None:
    state = world.bench.folder / "terraform.tfstate"
    before = state.read_bytes()
    text = json.loads(before)
    made = next(each for each in text["resources"] if each["name"] == "environment")
    labels = made["instances"][0]["attributes"]["input"]["value"]["labels"]
    team, labels["team"] = labels["team"], "by hand"
    after = variables("prod", name="1.3.0")
    world.bench.release(after)
    try:
        state.write_text(json.dumps(text))
        plan = world.bench.root.plan().plan
    finally:
        state.write_bytes(before)
    found = next(each for each in plan.changes if each.address == "terraform_data.environment")
    assert "by hand" in [each.old for each in found.differences]
    # Of what it keeps in the state alone Terraform finds no drift: this is how it tells of a cloud's.
    sides = [{"input": {"labels": {"team": each}}} for each in (team, "by hand")]
    drifted = replace(found, action=Action.UPDATE, before=sides[0], after=sides[1])
    gone = replace(found, address="terraform_data.gone", action=Action.DELETE)
    come = replace(found, address="terraform_data.gone", action=Action.CREATE)
    causes = explain(replace(plan, drift=(drifted, gone), changes=(*plan.changes, come)), prod(), after, ())
    assert causes[f"{found.address}.input.labels.team"] == (Cause(outside="changed"),)
    released = causes[f'{found.address}.input.labels["mlops:release"]']
    assert [each.variable for each in released] == ["release.name"]
    assert causes["terraform_data.gone"] == (Cause(outside="deleted"),)
    assert [cause_words(Cause(outside="deleted"))] == ["it was deleted outside of Terraform"]


NESTED = """
variable "release" { type = any }
variable "config" { type = any }

module "alert" {
  source   = "./alert"
  for_each = var.config.alerts
  expr     = each.value.expr
  severity = each.value.severity
}

module "first" {
  source   = "./alert"
  count    = 1
  expr     = var.release.name
  severity = "page"
}

resource "terraform_data" "follower" {
  input = module.alert["fare-errors"].name
}

resource "terraform_data" "numbered" {
  count = length(var.config.alerts)
}

resource "terraform_data" "waits" {
  input = module.first[0].id
}
"""
INNER = """
variable "expr" {}
variable "severity" {}

resource "terraform_data" "rule" {
  input            = { labels = [{ severity = var.severity }] }
  triggers_replace = var.expr
}

output "name" {
  value = "${var.severity}s"
}

output "id" {
  value = terraform_data.rule.id
}
"""


def test_what_modules_hand_on_and_give_back_is_followed(terraform: Path, tmp_path: Path) -> None:
    assert terraform.exists()
    (tmp_path / "alert").mkdir()
    bench = Workbench(tmp_path, NESTED)
    bench.write(INNER, "alert/main.tf")
    bench.release(prod())
    bench.root.init()
    bench.root.apply(bench.root.plan())
    [first, *others] = alerts()
    new = {"name": "new", "signal": "drift", "severity": "page"}
    edit: Edit = (Kind.MONITORING, ("alerts",), [first | {"severity": "ticket"}, *others, new])
    causes = World(bench).causes(edit, name="1.3.0")
    name = f'module.alert["{first["name"]}"].terraform_data.rule'
    severity, added = f"monitoring.alerts[{first['name']}].severity", "monitoring.alerts[new]"
    assert keys(causes[f"{name}.input.labels[0].severity"]) == [severity]
    assert keys(causes["terraform_data.follower.input"]) == [severity]
    assert added in keys(next(found for key, found in causes.items() if "numbered" in key))
    assert keys(causes['module.alert["new"].terraform_data.rule']) == [added]
    assert causes["module.first[0].terraform_data.rule.triggers_replace"][0].variable == "release.name"
    assert causes["terraform_data.waits.input"] == [Cause(resource="module.first[0].terraform_data.rule")]


def test_a_first_release_has_no_causes(world: World) -> None:
    plan, after, changed = world.next(name="1.3.0")
    assert explain(plan, None, after, changed) == {}


def test_where_the_modules_cannot_be_read_the_values_decide_and_it_says_so(world: World) -> None:
    plan, after, changed = world.next(
        (Kind.INFERENCE, ("service_level", "error_rate_max_fraction"), 0.002), name="1.3.0"
    )
    blind = Plan(
        plan.terraform_version, plan.changes, (), (), {}, plan.digest, plan.configuration, directory=None
    )
    [cause] = explain(blind, prod(), after, changed)[f"{DOCUMENT}.input"]
    assert cause.key == "inference.service_level.error_rate_max_fraction"
    assert cause.through_local


def test_without_a_description_of_the_modules_nothing_is_made_up(world: World) -> None:
    plan, after, changed = world.next(name="1.3.0")
    blind = Plan(plan.terraform_version, plan.changes, (), (), {}, plan.digest)
    assert explain(blind, prod(), after, changed) == {}


def test_local_values_are_read_with_what_they_are_made_of() -> None:
    found = local_references(TREE / "rules")
    assert found == {
        "rules": ("var.alerts",),
        "group": ("local.rules",),
        "document": ("local.group",),
        "policy": ("var.writes",),
    }


def test_files_that_are_no_terraform_have_no_local_values(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.tf").write_text('locals { a = "', encoding="utf-8")
    (tmp_path / "c.tf").write_text(
        'resource "x" "locals" { a = var.b }\nlocals {\n  a = var.c == 1 ? "}" : <<-E\n  }\n  E\n  b = [\n'
        "    local.a, # var.no\n  ]\n}\n",
        encoding="utf-8",
    )
    assert local_references(tmp_path) == {"a": ("var.c",), "b": ("local.a",)}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("var.config.alerts", ("var", "config", "alerts")),
        ('config.alerts["fare-drift"].expr', ("config", "alerts", "fare-drift", "expr")),
        ("aws_kms_key.store[0].arn", ("aws_kms_key", "store", 0, "arn")),
    ],
)
def test_references_are_paths(text: str, path: tuple[str | int, ...]) -> None:
    assert parsed(text) == path

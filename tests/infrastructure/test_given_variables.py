"""What is planned is the release that it is called by, whatever else lies in the root module's folder."""

import json
import os
import shlex
import shutil
from pathlib import Path

import pytest

from mlops_config.infrastructure.variables import FILE_NAME
from tests.infrastructure.deployments import RESOURCES, Checkout
from tests.orchestration.releases import release

FIRST = release("1.0.0")
ALONE = ("--yes", "--only-terraform")
CHECK = """
check "endpoint" {
  assert {
    condition     = terraform_data.release.output == "2.0.0"
    error_message = "the endpoint does not answer"
  }
}
"""


@pytest.mark.parametrize("name", ["terraform.tfvars", "a.auto.tfvars"])
def test_what_terraform_reads_before_the_release_is_overruled_by_it(checkout: Checkout, name: str) -> None:
    (checkout.root / name).write_text('mlops_config_path = "configs/other/dev/"\n')
    checkout.release(FIRST)
    assert checkout.planned()["has_changes"]


@pytest.mark.parametrize("name", ["zz.auto.tfvars", "zz.auto.tfvars.json"])
def test_a_file_that_overrules_the_release_is_named_and_nothing_is_applied(
    checkout: Checkout, name: str
) -> None:
    values = {"release": {"environment": "dev", "name": "6.6.6", "config_digest": FIRST.bundle.digest}}
    text = json.dumps(values) if name.endswith("json") else f"release = {json.dumps(values['release'])}\n"
    (checkout.root / name).write_text(text)
    (checkout.root / "zy.auto.tfvars").write_text("# of another release\nlater_release = 1\n")
    (checkout.root / "zy.auto.tfvars.json").write_text('{"later": "release"}')
    checkout.release(FIRST)
    said = checkout.deploy(*ALONE, code=2).err
    assert "the plan was not made for release 1.0.0: release has another value there" in said
    assert f"from infra/dev/{name}\n" in said
    assert checkout.made() == {}


def test_a_folder_that_somebody_else_writes_to_meanwhile_is_refused(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shlex.quote(str(shutil.which("terraform")))
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" != plan ] || sed -i s/1.0.0/6.6.6/ {FILE_NAME}\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    checkout.release(FIRST)
    said = checkout.deploy(*ALONE, code=4).err
    assert f"release has another value there than {FILE_NAME} was given" in said
    assert "somebody else plans in this folder" in said
    assert checkout.made() == {}


def test_a_root_module_that_does_not_take_the_release_is_said_once(checkout: Checkout) -> None:
    (checkout.root / "release.tf").write_text('variable "release" {\n  type = any\n}\n')
    checkout.describe('resource "terraform_data" "release" {\n  input = var.release.name\n}\n')
    checkout.release(FIRST)
    said = checkout.deploy("--plan")
    assert "infra/dev declares no variable mlops_config_path, config: what the release says" in said.err
    assert "undeclared" not in said.out


@pytest.mark.parametrize("taken", [3, 2, 1])
def test_a_mistyped_name_is_warned_of_beside_the_variables_that_the_module_does_not_take(
    checkout: Checkout, taken: int
) -> None:
    names = ["release", "config", "mlops_config_path"]
    declared = "".join(f'variable "{name}" {{\n  type = any\n}}\n' for name in names[:taken])
    (checkout.root / "release.tf").write_text(declared)
    checkout.describe('resource "terraform_data" "release" {\n  input = var.release.name\n}\n')
    checkout.release(FIRST)
    assert "undeclared" not in checkout.deploy("--plan").out
    (checkout.root / "terraform.tfvars").write_text("retention_dayz = 400\n")
    said = checkout.deploy("--plan")
    assert said.out.count("for undeclared variable") == 1
    # Terraform names two, whichever.
    is_named = 'does not declare a variable named "retention_dayz"' in said.out
    assert is_named or "give 1 value more for variables that it does not declare" in said.out
    assert is_named or taken < 2
    assert "release.auto.tfvars.json" not in said.out


def test_a_check_that_fails_is_shown_to_whoever_reviews_and_after_the_apply(checkout: Checkout) -> None:
    checkout.describe(RESOURCES + CHECK)
    checkout.release(FIRST)
    assert "Terraform warns" not in checkout.deploy("--plan").out  # it is known after the apply
    assert "Check block assertion failed\n    the endpoint does not answer" in checkout.deploy(*ALONE).err
    said = checkout.deploy("--plan").out
    assert "Terraform warns:\n!   main.tf:17: Check block assertion failed\n" in said
    assert "the endpoint does not answer" in said
    assert "> - `main.tf:17: Check block assertion failed" in (checkout.plan_folder / "plan.md").read_text()
    [warned] = json.loads((checkout.plan_folder / "plan.json").read_bytes())["warnings"]
    assert warned.endswith("the endpoint does not answer")

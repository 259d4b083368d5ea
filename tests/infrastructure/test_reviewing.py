"""A plan before it is applied, on real Terraform: shown, reviewed, sealed, and no other one is applied."""

import json
import shlex
import shutil
from pathlib import Path

import pytest

from mlops_config.cli import main
from mlops_config.infrastructure.variables import FILE_NAME
from mlops_config.ledger.entries import Event
from tests.infrastructure.deployments import DRIFTS_SOONER, FIRST, NO_AIRFLOW, RESOURCES, STARTED, Checkout

KEY = "correct horse battery staple"


def test_a_plan_changes_nothing_and_is_written_for_people_and_for_programs(checkout: Checkout) -> None:
    checkout.release(FIRST)
    said = checkout.deploy("--plan")
    assert checkout.made() == {}
    assert checkout.events == []
    document = json.loads((checkout.plan_folder / "plan.json").read_bytes())
    assert (document["environment"], document["release"]) == ("dev", "1.0.0")
    assert (document["has_changes"], document["deletes"], document["drifted"]) == (True, False, False)
    assert document["digest"] in said.out
    assert f"apply     mlops-config deploy -e dev --release 1.0.0 --root {checkout.folder}" in said.out
    assert said.out.endswith(f" --reviewed {document['digest']}\n")
    assert "terraform_data.release" in (checkout.plan_folder / "plan.md").read_text("utf-8")


def test_the_command_that_is_shown_applies_the_plan(checkout: Checkout, tmp_path: Path) -> None:
    checkout.release(FIRST)
    (checkout.folder / "mlops-config.yaml").unlink()
    root = checkout.root.rename(tmp_path / "a b")
    [line] = [
        each
        for each in checkout.deploy("--plan", "--terraform", str(root)).out.splitlines()
        if "apply " in each
    ]
    assert main([*shlex.split(line)[2:], "--only-terraform"]) == 0
    assert (root / "terraform.tfstate").exists()


def test_the_plan_that_was_reviewed_is_applied(checkout: Checkout) -> None:
    checkout.release(FIRST)
    digest = checkout.planned()["digest"]
    checkout.deploy("--reviewed", digest, *NO_AIRFLOW)
    assert checkout.made()["release"] == "1.0.0"
    # As when Airflow failed after it: there is nothing left that would have to be reviewed.
    checkout.deploy("--reviewed", digest, *NO_AIRFLOW)


def test_what_changes_names_the_key_of_the_configuration_that_it_changes_for(checkout: Checkout) -> None:
    checkout.release(FIRST)
    checkout.deploy("--yes", *NO_AIRFLOW)
    checkout.release(DRIFTS_SOONER)
    said = checkout.deploy("--plan").out
    assert "monitoring.drift.drift_share_fraction" in said
    assert "0.5" in said
    assert "0.4" in said


def test_another_plan_than_the_reviewed_one_is_not_applied(checkout: Checkout) -> None:
    checkout.release(FIRST)
    digest = checkout.planned()["digest"]
    checkout.release(DRIFTS_SOONER)
    said = checkout.deploy("--reviewed", digest, *NO_AIRFLOW, code=4)
    assert f"{digest} was" in said.err
    assert "nothing was applied" in said.err
    assert checkout.made() == {}
    assert checkout.events == [STARTED, (Event.DEPLOYMENT_ENDED, "failed")]
    assert not list(checkout.dags.iterdir())


def test_without_a_terminal_nothing_is_applied_unseen(checkout: Checkout) -> None:
    checkout.release(FIRST)
    said = checkout.deploy(*NO_AIRFLOW, code=2)
    assert "nobody is here to look at the plan" in said.err
    assert "--reviewed sha256:" in said.err
    assert checkout.events == []
    assert not (checkout.root / FILE_NAME).exists()


def test_a_plan_that_was_sealed_is_applied_as_it_is(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_PLAN_KEY", KEY)
    checkout.release(FIRST)
    digest = checkout.planned()["digest"]
    sealed = checkout.folder / "plan.sealed"
    shutil.move(checkout.plan_folder / "plan.sealed", sealed)
    assert b"1.0.0" not in sealed.read_bytes().partition(b"}\n")[2]
    monkeypatch.setenv("MLOPS_PLAN_KEY", f"not {KEY}")
    said = checkout.deploy("--plan-file", str(sealed), *NO_AIRFLOW, code=4)
    assert "is not its key" in said.err
    assert checkout.made() == {}
    monkeypatch.setenv("MLOPS_PLAN_KEY", KEY)
    other = checkout.deploy("--plan-file", str(sealed), "--reviewed", f"sha256:{'0' * 64}", code=4)
    assert "not the plan" in other.err
    checkout.deploy("--plan-file", str(sealed), "--reviewed", digest, *NO_AIRFLOW)
    assert checkout.made()["release"] == "1.0.0"
    assert "applied before" in checkout.deploy("--plan-file", str(sealed), *NO_AIRFLOW).err
    checkout.release(DRIFTS_SOONER)
    assert "release 1.0.0 of dev" in checkout.deploy("--plan-file", str(sealed), *NO_AIRFLOW, code=4).err
    checkout.deploy("--yes", "--only-terraform")
    stale = checkout.deploy("--release", "1.0.0", "--plan-file", str(sealed), *NO_AIRFLOW, code=4)
    assert "stale" in stale.err


def test_a_plan_that_is_not_encrypted_is_for_its_owners_eyes_alone(checkout: Checkout) -> None:
    checkout.release(FIRST)
    said = checkout.deploy("--plan")
    sealed = checkout.plan_folder / "plan.sealed"
    assert "is not encrypted" in said.err
    assert sealed.stat().st_mode & 0o777 == 0o600
    checkout.deploy("--plan-file", str(sealed), *NO_AIRFLOW)
    assert checkout.made()["release"] == "1.0.0"


def test_a_sealed_plan_stays_where_it_is_until_another_was_applied(checkout: Checkout) -> None:
    checkout.release(FIRST)
    digest = checkout.planned()["digest"]
    sealed = checkout.plan_folder / "plan.sealed"
    named = ("--plan-file", str(sealed), *NO_AIRFLOW)
    for _ in range(2):
        refused = checkout.deploy(*named, "--reviewed", f"sha256:{'0' * 64}", code=4)
        assert "is not the plan of dev that was reviewed" in refused.err
    checkout.deploy("--drift")
    checkout.deploy(*named, "--reviewed", digest)
    assert "applied before" in checkout.deploy(*named).err  # as when Airflow failed after it
    checkout.release(DRIFTS_SOONER)
    checkout.deploy("--yes", *NO_AIRFLOW)
    assert not sealed.exists()


def test_each_refusal_says_what_differs_from_the_reviewed_plan(checkout: Checkout) -> None:
    checkout.release(FIRST)
    digest = checkout.planned()["digest"]
    checkout.describe(RESOURCES.replace("var.release.name", '"unnamed"'))
    for _ in range(2):
        said = checkout.deploy("--reviewed", digest, *NO_AIRFLOW, code=4).err
        assert "  terraform_data.release: create, with another input\n" in said


def test_another_value_in_terraform_tfvars_is_told_where_it_shows_in_no_attribute(
    checkout: Checkout,
) -> None:
    checkout.describe(f'{RESOURCES}\nvariable "account" {{\n  type = string\n}}\n')
    checkout.release(FIRST)
    (checkout.root / "terraform.tfvars").write_text('account = "one"\n')
    digest = checkout.planned()["digest"]
    (checkout.root / "terraform.tfvars").write_text('account = "two"\n')
    told = checkout.deploy("--reviewed", digest, *NO_AIRFLOW, code=4).err.partition(" now\n")[2]
    assert told.startswith("  the variables differ: the release's, or those in terraform.tfvars\n hint:")

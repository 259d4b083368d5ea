"""The rollback as a step of a workflow, on an environment that nothing serves in yet."""

import json
import os

import pytest
from tests.runtime.rollback.activated import ledger_of, releases


@pytest.fixture
def run(run):
    """Runs the step as its action does, whose default says how far back."""
    return lambda job, **inputs: run(job, **{"to": "previous"} | inputs)


@pytest.fixture
def repository(tmp_path, mlflow_database, monkeypatch):
    """Dev ran 0.1.0 and runs 0.2.0."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_database)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    return releases(tmp_path / "fares")


def planned(leaving="0.2.0", release="0.1.0"):
    """What a step that planned hands on."""
    return json.dumps({"from": leaving, "release": release, "model-version": None})


def in_force(repository):
    return ledger_of(repository.folder).store.current("city-taxi", "dev").release


def test_a_dry_run_shows_the_plan_and_hands_on_what_it_would_go_back_to(run, runner, repository):
    assert run("rollback", environment="dev", dry_run="true").exit_code == 0
    summary = runner.summary.read_text("utf-8")
    assert summary.startswith("### Rollback of `dev`\n\n```text\ndev goes back from release 0.2.0 to 0.1.0\n")
    assert "data_capture.retention   P14D   →  P7D" in summary
    outputs = runner.outputs
    assert (outputs["from"], outputs["release"], outputs["model-version"]) == ("0.2.0", "0.1.0", "")
    assert outputs["rolled-back"] == "false"
    assert in_force(repository) == "0.2.0"


def test_what_was_planned_is_carried_out_once_and_the_ledger_says_who_asked_where(run, runner, repository):
    late = run("rollback", environment="dev", planned=planned("0.1.9"))
    assert "dev runs release 0.2.0, not 0.1.9" in late.commands[-1].message
    assert run("rollback", environment="dev", planned=planned(), because="INC-1").exit_code == 0
    assert runner.outputs["rolled-back"] == "true"
    assert in_force(repository) == "0.1.0"
    (why,) = ledger_of(repository.folder).entries()[-1].reasons
    assert why.text == "INC-1 (ada, https://github.com/acme/fares/actions/runs/42)"
    again = run("rollback", environment="dev", planned=planned("0.1.0"))
    assert again.exit_code == 2
    assert "is what runs already" in again.commands[-1].message
    assert in_force(repository) == "0.1.0"


def test_variables_reach_the_rollback_and_their_values_are_masked(run, repository, monkeypatch):
    assert in_force(repository) == "0.2.0"
    monkeypatch.delenv("MLOPS_SECRET_CHAT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "")
    given = "MLOPS_SECRET_CHAT=https://chat.example.org/53CR3T\n\nMLFLOW_TRACKING_TOKEN=t0k3n\n"
    ran = run("rollback", environment="dev", dry_run="true", variables=given)
    assert ran.exit_code == 0
    assert "::add-mask::https://chat.example.org/53CR3T" in ran.printed
    assert "::add-mask::t0k3n" in ran.printed
    assert os.environ["MLOPS_SECRET_CHAT"] == "https://chat.example.org/53CR3T"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"environment": "qa"}, "there is no environment 'qa'"),
        ({"environment": "prod"}, "has no release"),
        ({"environment": "dev", "planned": planned(release="9.9.9")}, "there is no release '9.9.9'"),
        ({"environment": "dev", "planned": ""}, "does not say what was planned"),  # GitHub dropped it
        ({"environment": "dev", "no_terraform": "no"}, "the input no-terraform is 'no'"),
        ({"environment": "dev", "dry_run": "perhaps"}, "say true or false"),
        ({"environment": "dev", "dry_run": "true", "model_version": "v3"}, "the input model-version is 'v3'"),
        ({"environment": "dev", "variables": "PATH=/evil"}, "line 1"),
        ({"environment": "dev", "variables": "MLOPS_CONFIG_DIGEST=sha256:0"}, "line 1"),
        ({"environment": "dev", "working_directory": "elsewhere"}, "there is no folder"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_changes(run, repository, inputs, said):
    before = len(ledger_of(repository.folder).entries())
    ran = run("rollback", **{"planned": planned()} | inputs)
    assert ran.exit_code == 2
    assert said in ran.commands[-1].message
    assert (in_force(repository), len(ledger_of(repository.folder).entries())) == ("0.2.0", before)

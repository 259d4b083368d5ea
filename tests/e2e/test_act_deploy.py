"""deploy.yml run by act, with real Terraform on stand-in providers: plan, comment, apply, drift."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_config.cli import main
from mlops_config.ledger.entries import LedgerEntry
from mlops_config.ledger.history import ledger_of
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName
from tests.github.root_modules import add_root_modules
from tests.services.act import Act, Run
from tests.services.caller import Caller
from tests.services.github_api import GitHubApi, State, serving
from tests.terraform.standin import Environment

KEY = "twenty characters, or more"
PUSHED_PATH = ".github/workflows/pushed.yml"
EXAMPLE = ".github/workflows/deploy.yml"
NAME = LedgerName("city-taxi", "trip-fare", "dev")

PUSHED = """
name: Pushed
on: push
permissions: {}
jobs:
  deploy:
    uses: org/mlops-config-action/.github/workflows/deploy.yml@v1
    with:
      only-terraform: true
    secrets:
      plan-key: ${{ secrets.MLOPS_PLAN_KEY }}
"""


@dataclass
class World:
    """A caller's repository with root modules for dev and prod, its forge, its store and its cloud."""

    act: Act
    caller: Caller
    github: GitHubApi
    store: str
    environments: Path
    standin: Environment

    def run(
        self,
        workflow: str,
        event: str,
        payload: dict[str, Any],
        *,
        token: str = "job-token",  # noqa: S107 a stand-in's
        key: str = "",
        meanwhile: str = ":",
    ) -> Run:
        """Runs one of the caller's workflows; ``meanwhile`` a command before anything is deployed."""
        names = ("TF_CLI_CONFIG_FILE", "STANDIN_CLOUD")
        return self.act.run(
            self.caller.folder,
            workflow,
            event,
            payload,
            env={
                "GITHUB_API_URL": self.github.api_url,
                "TEST_ENVIRONMENTS": str(self.environments),
                "TEST_MEANWHILE": meanwhile,
                **{name: self.standin.variables[name] for name in names},
            },
            variables={
                "MLOPS_STORE": self.store,
                "MLOPS_REGISTRY": "europe-west4-docker.pkg.dev",
                "MLOPS_GCP_PROVIDER": "projects/1/locations/global/workloadIdentityPools/a/providers/github",
                "MLOPS_GCP_PLAN_SERVICE_ACCOUNT": "plan@acme-ml-dev.iam.gserviceaccount.com",
                "MLOPS_GCP_SERVICE_ACCOUNT": "deploy@acme-ml-dev.iam.gserviceaccount.com",
                "MLOPS_AWS_PLAN_ROLE": "arn:aws:iam::777788889999:role/plan",
                "MLOPS_AWS_ROLE": "arn:aws:iam::777788889999:role/deploy",
                "MLOPS_AWS_REGION": "eu-central-1",
            },
            secrets={"MLOPS_PLAN_KEY": key} if key else {},
            token=token,
        )

    def cloud(self) -> list[Path]:
        """The files of what was made for dev."""
        return [path for path in self.standin.cloud.rglob("*.json") if "fares-dev" in path.read_text()]

    def entries(self) -> list[LedgerEntry]:
        """The ledger of dev."""
        return list(ledger_of(open_store(self.store), NAME).entries())


@pytest.fixture(scope="module")
def world(
    act: Act,
    action_environments: Path,
    standin_mirror: Environment,
    terraform: Path,  # noqa: ARG001 it is on PATH
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    caller, store = Caller(folder / "fares"), (folder / "store").as_uri()
    add_root_modules(caller.folder, folder / "state")
    pushed = caller.workflow("pushed.yml", PUSHED)
    caller.commit("Describe the infrastructure")
    with pytest.MonkeyPatch.context() as patch, serving(GitHubApi(state=State(pull_requests=[7]))) as github:
        patch.setenv("DOCKER_HOST", f"unix://{folder}/none.sock")  # the image is a folder: nobody runs it
        words = ["release", "--environment", "dev", "--version", "1.0.0", "--store", store]
        assert main([*words, "--root", str(caller.folder)]) == 0
        assert pushed
        standin = standin_mirror.with_cloud(folder / "cloud")
        yield World(act, caller, github, store, action_environments, standin)
        assert github.state.violations == []


def succeeded(run: Run) -> set[str]:
    """The jobs that ran and succeeded; act adds a number to each of several legs of a matrix."""
    return {re.sub(r"-\d+$", "", name) for name, result in run.results.items() if result == "success"}


@pytest.fixture(scope="module")
def opened(world: World) -> Run:
    """The example's run on a pull request that changes prod's configuration."""
    caller = world.caller
    caller.git("switch", "--quiet", "--create", "change")
    inference = caller.config("prod", "inference")
    caller.edit(inference, "retention: P90D", "retention: P60D")
    caller.commit("Keep less")
    run = world.run(EXAMPLE, "pull_request", caller.pull_request())
    caller.git("switch", "--quiet", "main")
    return run


def test_a_pull_request_is_planned_for_every_environment_with_the_role_that_reads(opened: Run) -> None:
    assert opened.exit_code == 0, opened.log
    assert succeeded(opened) == {
        "Environments",
        "Plan for dev",
        "Plan for prod",
        "Collect the plans",
        "Pull-request comment",
    }
    assert "would assume arn:aws:iam::777788889999:role/plan" in opened.log
    assert "would become plan@acme-ml-dev.iam.gserviceaccount.com" in opened.log
    assert "role/deploy" not in opened.log
    assert "deploy@" not in opened.log


def test_artifact_registry_is_asked_with_the_token_of_the_account_that_is_logged_in(opened: Run) -> None:
    assert "would log in to europe-west4-docker.pkg.dev as oauth2accesstoken" in opened.log


def test_its_one_comment_has_a_row_and_the_plan_of_each_environment(opened: Run, world: World) -> None:
    assert opened.exit_code == 0
    (comment,) = world.github.state.comments
    for environment in ("dev", "prod"):
        assert f"| **{environment}** | `3 to create, 0 to change, 0 to delete` |" in comment["body"]
        assert f"The plan for {environment}" in comment["body"]
    assert "retention_in_days = 60" in comment["body"]
    assert world.cloud() == []


def test_no_plan_file_leaves_a_job_without_a_key(opened: Run) -> None:
    kept = opened.artifacts / "mlops-config-deploy-plan-dev" / "dev"
    assert sorted(path.name for path in kept.iterdir()) == ["outputs.json", "plan.json", "plan.md"]


def test_a_pull_request_from_a_fork_is_left_out_and_said(world: World) -> None:
    run = world.run(EXAMPLE, "pull_request", world.caller.pull_request(fork=True), token="fork-token")
    assert run.exit_code == 0, run.log
    assert succeeded(run) == {"Environments"}
    assert [each.message for each in run.annotations if "fork" in each.message]
    assert "would assume" not in run.log


@pytest.fixture(scope="module")
def pushed(world: World) -> Run:
    """The run of a push to main, with a key."""
    return world.run(PUSHED_PATH, "push", world.caller.push("refs/heads/main"), key=KEY)


def test_a_push_applies_what_it_planned_with_the_role_that_deploys(pushed: Run, world: World) -> None:
    assert pushed.exit_code == 0, pushed.log
    assert succeeded(pushed) == {"Environments", "Plan for dev", "Collect the plans", "Deploy to dev"}
    plans = json.loads(pushed.outputs("Collect")["plans"])
    assert plans["dev"]["changes"] == "3 to create, 0 to change, 0 to delete"
    assert "would assume arn:aws:iam::777788889999:role/deploy" in pushed.log
    assert len(world.cloud()) == 3
    provisioned = next(entry for entry in world.entries() if entry.event == "provisioned")
    assert provisioned.infrastructure is not None
    assert provisioned.infrastructure.plan_digest == plans["dev"]["plan-digest"]


def test_with_a_key_the_very_plan_is_applied_that_the_other_job_sealed(pushed: Run) -> None:
    kept = pushed.artifacts / "mlops-config-deploy-plan-dev" / "dev" / "plan.sealed"
    assert b"aws_s3_bucket" not in kept.read_bytes()
    assert (pushed.log.count("✓ plan "), pushed.log.count("✓ apply ")) == (1, 1)


def changed_by_somebody(world: World) -> tuple[Path, str, str]:
    """What is there of the log group, as it was made, and as somebody changes it."""
    (place,) = (path for path in world.cloud() if "log_group" in str(path))
    before = place.read_text()
    after = before.replace('"retention_in_days": 7', '"retention_in_days": 1')
    assert after != before
    return place, before, after


@pytest.mark.usefixtures("pushed")
def test_what_changed_since_it_was_planned_is_named_and_nothing_is_applied(
    world: World, tmp_path: Path
) -> None:
    place, before, after = changed_by_somebody(world)
    (tmp_path / "after.json").write_text(after)
    entries = len(world.entries())
    run = world.run(
        PUSHED_PATH,
        "push",
        world.caller.push("refs/heads/main"),
        meanwhile=f"cp '{tmp_path}/after.json' '{place}'",
    )
    found = place.read_text()
    place.write_text(before)
    assert run.exit_code != 0
    assert run.failed_steps == ["Deploy"]
    (error,) = (each.message for each in run.annotations if each.level == "error")
    assert error.startswith("this is not the plan of dev that was reviewed")
    assert "aws_cloudwatch_log_group.runs: update, which was not in the reviewed plan" in error
    assert found == after
    assert "provisioned" not in {entry.event for entry in world.entries()[entries:]}


def test_a_drift_found_on_schedule_is_an_issue_and_the_run_stays_green(pushed: Run, world: World) -> None:
    assert pushed.exit_code == 0
    place, _, after = changed_by_somebody(world)
    place.write_text(after)
    schedule = {"schedule": "17 4 * * 1-5", "repository": world.caller.push("refs/heads/main")["repository"]}
    run = world.run(EXAMPLE, "schedule", schedule)
    assert run.exit_code == 0, run.log
    assert succeeded(run) >= {"Drift of dev", "Drift of prod", "Drift issues"}
    (issue,) = world.github.state.issues
    assert (issue["title"], issue["state"]) == ("dev has drifted from what Terraform made", "open")
    assert "retention_in_days" in issue["body"]
    assert "prod has no release yet" in run.summary

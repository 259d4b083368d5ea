"""examples/rollback.yml as it stands, run by act to its end: planned, taken back, infrastructure and all."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_config.cli import main
from mlops_config.ledger.entries import LedgerEntry
from mlops_config.ledger.history import ledger_of
from mlops_config.orchestration.feedback import write_activated
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName
from tests.github.root_modules import add_root_modules
from tests.services.act import Act, Run
from tests.services.caller import Caller
from tests.terraform.standin import Environment

WORKFLOW = ".github/workflows/rollback.yml"
NAME = LedgerName("city-taxi", "trip-fare", "dev")


@dataclass
class World:
    """A caller's repository with two releases that Airflow ran, and the store that knows of them."""

    act: Act
    caller: Caller
    store: str
    dags: Path
    """Airflow's DAG folder, which nothing but the ledger names: Terraform made it."""
    environments: Path
    standin: Environment

    @property
    def deployment(self) -> Path:
        """What Airflow runs."""
        return self.dags / "mlops" / NAME.project / NAME.model_name / NAME.environment / "deployment.json"

    def release(self, version: str) -> None:
        """Releases what the repository holds and hands it to Airflow, which runs it as the ledger says."""
        self.caller.commit(f"Prepare {version}")
        words = ["release", "--environment", "dev", "--version", version, "--store", self.store]
        assert main([*words, "--root", str(self.caller.folder)]) == 0
        store = open_store(self.store)
        record = store.fetch_release(NAME.project, NAME.environment, version)
        assert record is not None
        words = ["deploy", "--environment", "dev", "--no-terraform", "--no-run", "--store", self.store]
        assert main([*words, "--dags-folder", str(self.dags), "--root", str(self.caller.folder)]) == 0
        write_activated(ledger_of(store, NAME), record, (), self.deployment.as_uri(), datetime.now(UTC))

    def provision(self) -> None:
        """Lets Terraform make what the release in force needs."""
        words = ["deploy", "--environment", "dev", "--only-terraform", "--yes", "--store", self.store]
        assert main([*words, "--root", str(self.caller.folder)]) == 0

    def retention(self) -> int:
        """Days that the log group in the cloud keeps."""
        (group,) = (path for path in self.standin.cloud.rglob("*.json") if "log_group" in str(path))
        found: int = json.loads(group.read_text())["retention_in_days"]
        return found

    def run(self, **inputs: str) -> Run:
        """Somebody starts the workflow by hand."""
        return self.act.run(
            self.caller.folder,
            WORKFLOW,
            "workflow_dispatch",
            self.caller.dispatch(environment="dev", **inputs),
            env={
                "TEST_ENVIRONMENTS": str(self.environments),
                **{name: self.standin.variables[name] for name in ("TF_CLI_CONFIG_FILE", "STANDIN_CLOUD")},
            },
            variables={
                "MLOPS_STORE": self.store,
                "MLOPS_AWS_ROLE": "arn:aws:iam::777788889999:role/deploy",
                "MLOPS_AWS_REGION": "eu-central-1",
            },
        )

    def in_force(self) -> str:
        """The release that the environment points at."""
        pointer = open_store(self.store).current(NAME.project, NAME.environment)
        assert pointer is not None
        return pointer.release

    def entries(self) -> list[LedgerEntry]:
        """The ledger."""
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
    standin = standin_mirror.with_cloud(folder / "cloud")
    store, dags = (folder / "store").as_uri(), folder / "dags"
    dags.mkdir()
    world = World(act, Caller(folder / "fares"), store, dags, action_environments, standin)
    add_root_modules(world.caller.folder, folder / "state", ("dev",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{folder}/none.sock")  # the image is a folder: nobody runs it
        for name, value in standin.variables.items():
            patch.setenv(name, value)
        world.release("0.1.0")
        inference = world.caller.config("dev", "inference")
        world.caller.edit(inference, "retention: P7D", "retention: P14D")
        world.release("0.2.0")
        world.provision()
        yield world


@pytest.fixture(scope="module")
def back(world: World) -> Run:
    """The run that took dev back."""
    assert (world.in_force(), world.retention()) == ("0.2.0", 14)
    return world.run(because="INC-2071")


def test_every_job_of_the_rollback_succeeds(back: Run) -> None:
    assert back.exit_code == 0, back.log
    assert back.results == {
        "Environment": "success",
        "What going back means": "success",
        "Take dev back": "success",
    }


def test_the_plan_is_in_the_summary_before_anything_happens(back: Run) -> None:
    planned, _, done = back.summary.partition("nothing was changed: this was a dry run")
    assert "dev goes back from release 0.2.0 to 0.1.0" in planned
    assert "data_capture.retention   P14D   →  P7D" in planned
    assert "dev runs release 0.1.0" in done


def test_the_plan_of_the_infrastructure_is_in_the_summary_and_it_follows(back: Run, world: World) -> None:
    assert "**0 to create, 1 to change, 0 to delete**" in back.summary
    assert "1 changed in terraform/environments/dev/aws" in back.summary
    assert world.retention() == 7


@pytest.mark.usefixtures("back")
def test_the_airflow_that_terraform_made_runs_the_release_before_too(world: World) -> None:
    assert json.loads(world.deployment.read_bytes())["release"] == "0.1.0"


def test_the_environment_runs_the_release_before_and_the_ledger_says_why(back: Run, world: World) -> None:
    assert back.outputs("Take dev back")["rolled-back"] == "true"
    assert world.in_force() == "0.1.0"
    (ended,) = (entry for entry in world.entries() if entry.event == "rolled_back")
    assert ended.release == "0.1.0"
    assert "INC-2071 (" in ended.reasons[0].text
    assert "/acme/fares/actions/runs/" in ended.reasons[0].text

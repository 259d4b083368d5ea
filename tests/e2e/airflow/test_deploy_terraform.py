"""From a release to the Airflow that Terraform names, on to the next release, and back again.

By the installed command, on real Terraform and a real Airflow whose jobs are a few lines of shell. Each
fixture is a step and needs the one before.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tools.loop.servers_airflow import Airflow

from mlops_config.kinds import Kind
from mlops_config.orchestration.api import AirflowApi
from tests.e2e.airflow.jobs import Place, not_due
from tests.e2e.terraform_checkout import Said, TerraformCheckout
from tests.terraform.standin import Environment

PROJECT = "provisioned"
RULES = "module.environment.module.monitoring[0].aws_prometheus_rule_group_namespace.this"
OUTPUTS = """
output "airflow_url" {{
  value = "{url}"
}}

output "dags_folder" {{
  value = "{dags}"
}}
"""


@pytest.fixture(scope="module")
def place(airflow_server: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Dev on the Airflow that all share."""
    with AirflowApi.at(airflow_server.address, {}) as api:
        place = Place(airflow_server, api, tmp_path_factory.mktemp("jobs"), PROJECT, "dev")
        place.connect()
        for job in ("training", "promote"):
            place.says(job, {"model": "trip-fare-dev", "version": 1, "promoted": True, "windows": []})
        yield place


@pytest.fixture(scope="module")
def checkout(
    place: Place,
    initialised: Callable[[str], Path],
    standin_mirror: Environment,
    mlflow_tables: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> TerraformCheckout:
    """A repository whose settings name a root module and no Airflow; the root module's outputs do."""
    tree = initialised("environments/dev/aws").parents[2]
    checkout = TerraformCheckout(tmp_path_factory.mktemp("provisioned"), tree, standin_mirror)
    checkout.own_parts()
    checkout.project = PROJECT
    outputs = OUTPUTS.format(url=place.airflow.address, dags=place.airflow.dags)
    (checkout.root() / "airflow_override.tf").write_text(outputs)
    for kind in Kind:
        file = checkout.repository.config("dev", kind.value)
        file.write_text(not_due(file.read_text().replace("project: city-taxi", f"project: {PROJECT}")))
    models = tmp_path_factory.mktemp("models") / "mlflow.db"
    shutil.copyfile(mlflow_tables, models)
    checkout.variables["MLFLOW_TRACKING_URI"] = f"sqlite:///{models}"
    return checkout


def deployment(place: Place) -> str:
    """The release that the DAG folder has."""
    path = place.airflow.deployments / PROJECT / "trip-fare" / "dev" / "deployment.json"
    release: str = json.loads(path.read_text())["release"]
    return release


@pytest.fixture(scope="module")
def first(checkout: TerraformCheckout) -> Said:
    """The first release, provisioned and run."""
    checkout.release("1.0.0")
    return checkout("deploy", "-e", "dev", "--yes")


@pytest.mark.usefixtures("first")
def test_the_airflow_of_the_outputs_runs_the_release(checkout: TerraformCheckout, place: Place) -> None:
    assert deployment(place) == "1.0.0"
    assert [call.job for call in place.calls][:1] == ["training"]
    assert [event for event, _ in checkout.events()] == [
        "deployment_started",
        "provisioned",
        "activated",
        "deployment_ended",
    ]
    record = json.loads((checkout.folder / ".mlops-config/dev/release.json").read_text())
    (done,) = (each["infrastructure"] for each in checkout.ledger() if each["event"] == "provisioned")
    assert record["activation"]["infrastructure"] == done
    notes = (checkout.folder / ".mlops-config/dev/notes.md").read_text()
    told = f"| infrastructure | {done['created']} created by `{done['program']}` in"
    assert f"{told} `terraform/environments/dev/aws`, plan `{done['plan_digest']}` |" in notes


def test_jobs_that_would_look_for_the_release_in_another_store_are_told_of(first: Said) -> None:
    assert "/store, and its jobs will look for it in s3://" in first.err
    assert "as the root module's output store_uri says" in first.err


@pytest.fixture(scope="module")
def second(checkout: TerraformCheckout, first: Said) -> Said:  # noqa: ARG001
    """A second release, with another threshold."""
    monitoring = checkout.repository.config("dev", "monitoring")
    checkout.repository.edit(
        monitoring, "  min_samples: 500", "  drift_share_fraction: 0.4\n  min_samples: 500"
    )
    checkout.release("1.1.0")
    return checkout("deploy", "-e", "dev", "--yes")


@pytest.fixture(scope="module")
def back(checkout: TerraformCheckout, place: Place, second: Said) -> tuple[Said, Said]:
    """Back to the first one: what is shown before, and what is done."""
    assert "because monitoring.drift.drift_share_fraction 0.5 → 0.4" in second.out
    assert deployment(place) == "1.1.0"
    assert ">= 0.4" in checkout.object("aws_prometheus_rule_group_namespace").read_text()
    shown = checkout("rollback", "-e", "dev", "--dry-run")
    assert deployment(place) == "1.1.0"
    return shown, checkout("rollback", "-e", "dev", "--because", "INC-2071")


def test_a_rollback_takes_terraform_and_its_airflow_back(
    checkout: TerraformCheckout, place: Place, back: tuple[Said, Said]
) -> None:
    shown, done = back
    assert f"~   {RULES}\n" in shown.out
    assert "because monitoring.drift.drift_share_fraction 0.4 → 0.5" in shown.out
    assert "infrastructure: " in done.out
    assert "changed in terraform/environments/dev/aws" in done.out
    assert ">= 0.5" in checkout.object("aws_prometheus_rule_group_namespace").read_text()
    assert deployment(place) == "1.0.0"


@pytest.mark.usefixtures("back")
def test_the_log_shows_it_all(checkout: TerraformCheckout) -> None:
    deployed = ["deployment_started", "provisioned", "activated", "deployment_ended"]
    went_back = ["rollback_started", "rolled_back", "deployment_started", "provisioned", "deployment_ended"]
    assert [event for event, _ in checkout.events()] == [*deployed, *deployed, *went_back]
    assert {outcome for _, outcome in checkout.events()} == {"succeeded"}
    assert "INC-2071" in checkout("log", "-e", "dev", "--limit", "0").out

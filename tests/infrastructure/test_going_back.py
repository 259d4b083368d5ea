"""Infrastructure follows a rollback where nothing is lost by it; a drift is seen, and is no deployment."""

import io
import json
import re
import shlex
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tools.generate_terraform_variables import written

from mlops_config.cli import main
from mlops_config.errors import UsageError
from mlops_config.github.console import ActionConsole
from mlops_config.github.rolling_back import roll_back
from mlops_config.github.step import Step
from mlops_config.ledger.entries import Draft, Event
from tests.github.test_deploying_targets import context
from tests.github.test_github_files import read_outputs
from tests.infrastructure.deployments import Checkout
from tests.orchestration.releases import release
from tests.repositories import Repository
from tests.runtime.rollback.activated import copied, ledger_of, record_of, releases
from tests.terraform.standin import Environment

NOTE = """
resource "terraform_data" "note" {
  input = var.release.name
}
"""
REPLACED = """
resource "terraform_data" "note" {
  triggers_replace = var.release.name
}
"""


CONSOLE = ActionConsole(io.StringIO())
PLANNED = json.dumps({"from": "0.2.0", "release": "0.1.0", "model-version": None})


class Went:
    """A repository whose dev was provisioned for 0.2.0, the second of two releases."""

    def __init__(self, repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = repository.folder, capsys
        self.root = self.folder / "infra" / "dev"
        self.root.mkdir(parents=True)
        (self.root / "release.tf").write_text(written("dev"), encoding="utf-8")
        (self.folder / "mlops-config.yaml").write_text('terraform: {directory: "infra/{environment}"}\n')

    def forget_whose_it_is(self) -> None:
        """Breaks the file that says which project and model the checkout is about."""
        (self.folder / "configs" / "dev" / "dev_training_config.yaml").write_text("metadata:\n", "utf-8")

    def describe(self, resources: str) -> None:
        """What the root module makes; it is made for 0.2.0."""
        (self.root / "main.tf").write_text(resources, encoding="utf-8")
        self.run("deploy", "--yes", "--only-terraform")

    def run(self, verb: str, *words: str, code: int = 0) -> tuple[str, str]:
        """Its two streams; it must end with ``code``."""
        ended = main([verb, "--environment", "dev", "--root", str(self.folder), *words])
        said = self._capsys.readouterr()
        assert ended == code, said
        return said.out, said.err

    def step(self, **inputs: str) -> dict[str, str]:
        """Runs the step of ``rollback.yml``; its outputs."""
        folder = self.folder / ".mlops-config"
        output = folder / "output"
        output.unlink(missing_ok=True)
        names = {f"MLOPS_INPUT_{name.upper().replace('-', '_')}": value for name, value in inputs.items()}
        about = replace(context(folder), output_path=output, summary_path=folder / "summary.md")
        step = Step(about, self.folder, folder, {"MLOPS_INPUT_ENVIRONMENT": "dev"} | names, CONSOLE)
        assert roll_back(step) == 0
        return {name: str(value) for name, value in read_outputs(output.read_text("utf-8")).items()}

    def provision(self, dags: Path) -> Path:
        """Deploys 0.2.0 to a DAG folder, as to one that Terraform made; the file that says so."""
        dags.mkdir()
        self.run("deploy", "--no-terraform", "--dags-folder", str(dags), "--no-run")
        file = dags / "mlops" / "city-taxi" / "trip-fare" / "dev" / "deployment.json"
        assert json.loads(file.read_bytes())["release"] == "0.2.0"
        given = Draft(
            event=Event.ACTIVATED,
            time=datetime.now(UTC),
            config_digest=record_of(self.folder, "0.2.0").config_digest,
            release="0.2.0",
            uri=file.as_uri(),
        )
        ledger_of(self.folder).append(given)
        return file

    @property
    def summary(self) -> str:
        """What the steps told people."""
        return (self.folder / ".mlops-config" / "summary.md").read_text("utf-8")

    @property
    def made(self) -> str:
        """The state."""
        return (self.root / "terraform.tfstate").read_text("utf-8")

    @property
    def events(self) -> list[tuple[Event, str]]:
        """Those of the ledger since 0.2.0 was provisioned."""
        entries = ledger_of(self.folder).entries()
        last = max(entry.sequence for entry in entries if entry.release == "0.2.0" and entry.infrastructure)
        return [(entry.event, entry.outcome) for entry in entries if entry.sequence > last + 1]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Dev ran 0.1.0 and runs 0.2.0."""
    folder = tmp_path_factory.mktemp("template")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{folder}/none.sock")
        yield releases(folder / "fares")
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def went(
    template: Repository,
    tmp_path: Path,
    mlflow_database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terraform: Path,  # noqa: ARG001 ends the test where there is none
) -> Went:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_database)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return Went(copied(template, tmp_path / "fares"), capsys)


def test_infrastructure_follows_once_the_rest_is_back(went: Went) -> None:
    went.describe(NOTE)
    shown, _ = went.run("rollback", "--dry-run")
    assert "terraform_data.note" in shown
    assert '"0.2.0"' in went.made
    said = json.loads(went.run("rollback", "--because", "INC-1", "--format", "json")[0])
    assert said["rolled_back"]
    assert (said["infrastructure"]["changed"], said["infrastructure"]["deleted"]) == (1, 0)
    assert '"0.1.0"' in went.made
    assert went.events == [
        (Event.ROLLBACK_STARTED, "succeeded"),
        (Event.ROLLED_BACK, "succeeded"),
        (Event.DEPLOYMENT_STARTED, "succeeded"),
        (Event.PROVISIONED, "succeeded"),
        (Event.DEPLOYMENT_ENDED, "succeeded"),
    ]


def test_the_dag_folder_that_was_deployed_to_goes_back_though_nobody_names_it(
    went: Went, tmp_path: Path
) -> None:
    file = went.provision(tmp_path / "dags")
    went.run("rollback", "--no-terraform")
    assert json.loads(file.read_bytes())["release"] == "0.1.0"


def test_the_step_carries_out_what_it_planned_where_terraform_made_airflow_too(
    went: Went, tmp_path: Path
) -> None:
    went.describe(NOTE)
    file = went.provision(tmp_path / "dags")
    planned = went.step(**{"dry-run": "true"})
    assert json.loads(planned["planned"]) == {"from": "0.2.0", "release": "0.1.0", "model-version": None}
    assert (planned["rolled-back"], json.loads(file.read_bytes())["release"]) == ("false", "0.2.0")
    assert went.step(planned=planned["planned"], to="0.2.0")["rolled-back"] == "true"
    assert json.loads(file.read_bytes())["release"] == "0.1.0"
    assert '"0.1.0"' in went.made


@pytest.mark.parametrize(
    "planned",
    ["", "3", "{}", '{"from": "0.2.0", "release": "0.1.0"}', '{"from": "0.2.0", "model-version": 3}'],
)
def test_of_what_was_planned_nothing_may_be_lost_on_the_way(planned: str, tmp_path: Path) -> None:
    given = {"MLOPS_INPUT_ENVIRONMENT": "dev", "MLOPS_INPUT_TO": "0.1.0", "MLOPS_INPUT_PLANNED": planned}
    with pytest.raises(UsageError, match="does not say what was planned") as refused:
        roll_back(Step(context(tmp_path), tmp_path, tmp_path, given, CONSOLE))
    assert "masked" in (refused.value.hint or "")


def test_a_root_module_that_is_not_there_is_found_before_anything_goes_back(went: Went) -> None:
    before = len(ledger_of(went.folder).entries())
    _, err = went.run("rollback", "--terraform", "nowhere", code=2)
    assert "nowhere is no root module of Terraform" in err
    assert "nothing went back; 'mlops-config rollback --no-terraform' goes back without it" in err
    (went.root / "release.tf").unlink()
    with pytest.raises(UsageError, match=r"infra/dev is no root module of Terraform: no \*\.tf file"):
        went.step(planned=PLANNED)
    assert len(ledger_of(went.folder).entries()) == before


def test_where_something_was_made_by_it_a_root_module_that_has_gone_is_missed_unless_that_is_said(
    went: Went,
) -> None:
    went.describe(NOTE)
    (went.folder / "mlops-config.yaml").write_text("terraform: {directory: 'gone/{environment}'}\n")
    before = len(ledger_of(went.folder).entries())
    with pytest.raises(UsageError, match="gone/dev is no root module") as refused:
        went.step(planned=PLANNED)
    assert "from GitHub the input no-terraform" in (refused.value.hint or "")
    assert len(ledger_of(went.folder).entries()) == before
    assert went.step(planned=PLANNED, **{"no-terraform": "true"})["rolled-back"] == "true"
    assert '"0.2.0"' in went.made


def test_an_environment_without_infrastructure_of_its_own_goes_back_like_any_other(went: Went) -> None:
    (went.root / "release.tf").unlink()
    went.root.rename(went.root.with_name("prod"))
    planned = went.step(**{"dry-run": "true"})["planned"]
    assert went.step(planned=planned)["rolled-back"] == "true"
    assert went.summary.count("#### Infrastructure of `dev`\n\nIt stays as it is.") == 2


def test_what_would_be_lost_is_for_people_to_decide_with_the_command_that_is_told(
    went: Went, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    went.describe(REPLACED)
    out, err = went.run("rollback", "--terraform", str(went.root), code=1)
    assert "dev runs release 0.1.0 again, but its infrastructure is not that release's" in err
    assert "would delete or replace terraform_data.note" in err
    assert "runs" in out
    assert went.events[:2] == [(Event.ROLLBACK_STARTED, "succeeded"), (Event.ROLLED_BACK, "succeeded")]
    assert Event.PROVISIONED not in [event for event, _ in went.events]
    monkeypatch.chdir(tmp_path)
    told = re.search(r"mlops-config (deploy .+) --plan$", err, re.MULTILINE)
    assert told is not None, err
    went.forget_whose_it_is()
    assert main([*shlex.split(told[1]), "--yes"]) == 0
    assert went.events[-2] == (Event.PROVISIONED, "succeeded")


SECRETS = {
    "aws": """
provider "aws" {
  region = "eu-central-1"
}

resource "aws_secretsmanager_secret" "told" {
  name = "airflow/fares/variables/mlops_dev_release"
}

resource "aws_secretsmanager_secret_version" "told" {
  secret_id     = aws_secretsmanager_secret.told.id
  secret_string = jsonencode({ release = var.release.name })

  lifecycle {
    create_before_destroy = true
  }
}
""",
    "google": """
provider "google" {
  project = "acme-ml-dev"
}

resource "google_secret_manager_secret" "told" {
  secret_id = "airflow-fares-variables-mlops_dev_release"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "told" {
  secret      = google_secret_manager_secret.told.id
  secret_data = jsonencode({ release = var.release.name })

  lifecycle {
    create_before_destroy = true
  }
}
""",
}


@pytest.mark.parametrize("cloud", SECRETS)
def test_what_airflow_is_told_goes_back_by_a_version_that_follows(
    cloud: str, went: Went, standin: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in standin.variables.items():
        monkeypatch.setenv(name, value)
    went.describe(SECRETS[cloud])
    assert '{\\"release\\":\\"0.2.0\\"}' in went.made
    said = json.loads(went.run("rollback", "--format", "json")[0])
    assert said["rolled_back"]
    assert (said["infrastructure"]["created"], said["infrastructure"]["deleted"]) == (1, 1)
    assert '{\\"release\\":\\"0.1.0\\"}' in went.made
    assert '{\\"release\\":\\"0.2.0\\"}' not in went.made
    assert (Event.PROVISIONED, "succeeded") in went.events


def test_a_plan_that_cannot_be_made_hides_no_rollback(went: Went) -> None:
    went.describe(NOTE)
    (went.root / "main.tf").write_text(NOTE + 'resource "nonsense" "x" {}\n', encoding="utf-8")
    shown, _ = went.run("rollback", "--dry-run")
    assert "goes back from release 0.2.0 to 0.1.0" in shown
    assert "infrastructure: " in shown
    _, err = went.run("rollback", code=3)
    assert "dev runs release 0.1.0 again" in err
    assert went.events[:2] == [(Event.ROLLBACK_STARTED, "succeeded"), (Event.ROLLED_BACK, "succeeded")]


def test_infrastructure_is_left_alone_where_that_is_said(went: Went) -> None:
    went.describe(NOTE)
    went.run("rollback", "--no-terraform")
    assert '"0.2.0"' in went.made
    assert went.events == [(Event.ROLLBACK_STARTED, "succeeded"), (Event.ROLLED_BACK, "succeeded")]


BUCKET = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region              = "eu-central-1"
  allowed_account_ids = ["111122223333"]
}

resource "aws_s3_bucket" "store" {
  bucket = "acme-fares-dev"
  tags   = { release = var.release.name }
}
"""


@pytest.fixture
def cloud(checkout: Checkout, standin: Environment, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Path]:
    """A checkout whose root module makes a bucket in the stand-in cloud; the folder of its objects."""
    for name, value in standin.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STANDIN_ACCOUNT", "111122223333")
    checkout.describe(BUCKET)
    checkout.release(release("1.0.0"))
    return checkout, standin.cloud


def test_what_was_changed_behind_terraforms_back_is_a_drift(cloud: tuple[Checkout, Path]) -> None:
    checkout, objects = cloud
    checkout.deploy("--yes", "--only-terraform")
    before = checkout.events
    changed = 0
    for path in objects.rglob("*.json"):
        text = path.read_text("utf-8")
        if '"1.0.0"' in text:
            path.write_text(text.replace('"1.0.0"', '"by hand"'), encoding="utf-8")
            changed += 1
    assert changed
    said = checkout.deploy("--drift", code=1)
    assert "dev has drifted: 1 resource changed behind Terraform's back" in said.err
    assert "aws_s3_bucket.store" in said.out
    assert "by hand" in said.out
    assert json.loads((checkout.plan_folder / "plan.json").read_bytes())["drifted"] is True
    assert checkout.events == before
    checkout.deploy("--yes", "--only-terraform")
    assert json.loads(checkout.deploy("--drift", "--format", "json").out)["drifted"] is False


def test_credentials_of_another_account_change_nothing(
    cloud: tuple[Checkout, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, objects = cloud
    before = sorted(objects.rglob("*"))
    monkeypatch.setenv("STANDIN_ACCOUNT", "444455556666")
    said = checkout.deploy("--yes", "--only-terraform", code=2)
    assert "another AWS account" in said.err
    assert sorted(objects.rglob("*")) == before
    assert checkout.events[-2:] == [
        (Event.DEPLOYMENT_STARTED, "succeeded"),
        (Event.DEPLOYMENT_ENDED, "failed"),
    ]

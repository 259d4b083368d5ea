"""A checkout with a root module of Terraform's own resources: real plans and applies without a provider."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tools.generate_terraform_variables import written

from mlops_config.cli import main
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.ledger.history import ledger_of
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName
from tests.orchestration.releases import Release, release, replacing
from tests.services import unavailable

NAME = LedgerName("city-taxi", "trip-fare", "dev")
FIRST = release("1.0.0")
DRIFTS_SOONER = release(
    "1.1.0",
    {Kind.MONITORING: replacing("  min_samples: 500", "  drift_share_fraction: 0.4\n  min_samples: 500")},
)
STARTED = (Event.DEPLOYMENT_STARTED, "succeeded")
PROVISIONED = (Event.PROVISIONED, "succeeded")
ENDED = (Event.DEPLOYMENT_ENDED, "succeeded")
NO_AIRFLOW = ("--no-run",)
RESOURCES = """
resource "terraform_data" "release" {
  input = var.release.name
}

resource "terraform_data" "alert" {
  for_each = var.config.alerts
  input    = each.value.expr
}

output "dags_folder" {
  value = abspath("${path.root}/../../dags")
}
"""
FAILING = """
resource "terraform_data" "slow" {
  triggers_replace = var.release.name
  depends_on       = [terraform_data.release]

  provisioner "local-exec" {
    command = "test -e ../../mended || { echo the quota is used up; exit 1; }"
  }
}
"""
"""Fails until somebody mends it; the release's resource is made before."""
HANGING = """
resource "terraform_data" "slow" {
  triggers_replace = var.release.name
  depends_on       = [terraform_data.release]

  provisioner "local-exec" {
    command = "touch begun; while [ ! -e go ]; do sleep 0.05; done"
  }
}
"""
"""Begins, and does not end until it is told to."""


class Checkout:
    """A folder with settings, a root module for dev, a DAG folder and a store."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        if shutil.which("terraform") is None:
            unavailable("no terraform on PATH")
        self.folder, self._capsys = folder, capsys
        self.root = folder / "infra" / "dev"
        self.root.mkdir(parents=True)
        self.dags = folder / "dags"
        self.dags.mkdir()
        self.describe(RESOURCES)
        (self.root / "release.tf").write_text(written("dev"), encoding="utf-8")
        (folder / "mlops-config.yaml").write_text('terraform: {directory: "infra/{environment}"}\n')
        self.store = open_store((folder / ".mlops-config" / "store").as_uri())

    def describe(self, resources: str) -> None:
        """What the root module makes."""
        (self.root / "main.tf").write_text(resources, encoding="utf-8")

    def release(self, made: Release) -> None:
        """Puts a release in force."""
        made.publish(self.store)

    def words(self, *words: str) -> list[str]:
        """The command line of ``deploy``."""
        named = ["--project", "city-taxi", "--model", "trip-fare", "--root", str(self.folder)]
        return ["deploy", "--environment", "dev", *named, *words]

    def deploy(self, *words: str, code: int = 0) -> Any:
        """What it printed on its two streams; it must end with ``code``."""
        ended = main(self.words(*words))
        said = self._capsys.readouterr()
        assert ended == code, said
        return said

    def planned(self, *words: str) -> dict[str, Any]:
        """The plan for programs."""
        return dict(json.loads(self.deploy("--plan", "--format", "json", *words).out))

    @property
    def plan_folder(self) -> Path:
        """Where plans are written."""
        return self.folder / ".mlops-config" / "dev" / "plan"

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """Of the ledger."""
        return ledger_of(self.store, NAME).entries()

    @property
    def events(self) -> list[tuple[Event, str]]:
        """What the ledger says happened, and how it ended."""
        return [(entry.event, entry.outcome) for entry in self.entries]

    def made(self) -> dict[str, Any]:
        """What is in the state: the input of each resource, by its address."""
        path = self.root / "terraform.tfstate"
        if not path.exists():
            return {}
        found = {}
        for resource in json.loads(path.read_text("utf-8"))["resources"]:
            for each in resource["instances"]:
                key = f"[{each['index_key']}]" if "index_key" in each else ""
                found[f"{resource['name']}{key}"] = (each["attributes"].get("input") or {}).get("value")
        return found

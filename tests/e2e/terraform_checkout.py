"""A checkout whose environments Terraform provisions on the stand-in clouds, by the installed command."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_config.ledger.history import ledger_of
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName
from tests.cli.conftest import NO_ENGINE
from tests.repositories import Repository
from tests.terraform.standin import Environment

COMMAND = Path(sys.executable).with_name("mlops-config")
LIMIT_SECONDS = 180
MODEL = "trip-fare"
_OURS = ("AWS_", "AIRFLOW_", "CLOUDSDK_", "GITHUB_", "GOOGLE_", "MLFLOW_", "MLOPS_", "STANDIN_", "TF_")
"""What variables begin with that would lead the command elsewhere than a test does."""
_BESIDE = ("dags", "docker", "requirements")
_IGNORED = "data/\n.terraform/\n*.tfstate*\nrelease.auto.tfvars.json\nbackend_override.tf\n"
OWN_PARTS = """
account_id       = "777788889999"
region           = "eu-central-1"
airflow          = null
artifact_store   = { uri = "s3://acme-models/fares" }
image_repository = { arn = "arn:aws:ecr:eu-central-1:777788889999:repository/fares" }

monitoring = {
  receivers = { ticket = [{ type = "email", address = "fares@example.com" }] }
}
"""
"""Settings of an environment whose Airflow, buckets and images are there: its rules alone are made."""


@dataclass(frozen=True)
class Said:
    """How the command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What ``--format json`` printed."""
        return json.loads(self.out)


class TerraformCheckout:
    """A repository with configuration and root modules, and a cloud of its own.

    ``tree`` is a staged ``terraform/``; what ``terraform init`` left in it comes along.
    """

    def __init__(self, folder: Path, tree: Path, standin: Environment, cloud: str = "aws") -> None:
        self.repository = Repository(folder / "fares")
        self.folder, self.cloud = self.repository.folder, folder / "cloud"
        self._named, self._provider = cloud, standin.with_cloud(self.cloud)
        self.project = "city-taxi"
        self.variables: dict[str, str] = {}
        """What each process has besides."""
        shutil.copytree(tree, self.folder / "terraform", symlinks=True)
        for name in _BESIDE:
            shutil.copytree(tree.parent / name, self.folder / name)
        (self.folder / ".gitignore").write_text(_IGNORED)
        self.settings()
        self.repository.commit("Describe the infrastructure")

    def copied(
        self, folder: Path, standin: Environment | None = None, *, fresh: bool = False
    ) -> "TerraformCheckout":
        """The checkout with all that was made in it, and an empty cloud; ``fresh`` as git would clone it."""
        copy = TerraformCheckout.__new__(TerraformCheckout)
        copy.repository = Repository.__new__(Repository)
        copy.repository.folder = copy.folder = folder / "fares"
        copy.cloud, copy._named, copy.variables = folder / "cloud", self._named, dict(self.variables)
        copy.project = self.project
        copy._provider = (standin or self._provider).with_cloud(copy.cloud)
        left = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl") if fresh else None
        shutil.copytree(self.folder, copy.folder, symlinks=True, ignore=left)
        return copy

    def settings(self, **terraform: str) -> None:
        """The settings, with more of how Terraform is run."""
        named = {"directory": f"terraform/environments/{{environment}}/{self._named}", **terraform}
        (self.folder / "mlops-config.yaml").write_text(json.dumps({"terraform": named}) + "\n")

    def root(self, environment: str = "dev") -> Path:
        """An environment's root module."""
        return self.folder / "terraform" / "environments" / environment / self._named

    def configure(self, example: Path) -> None:
        """The configuration of another example."""
        shutil.rmtree(self.folder / "configs")
        shutil.copytree(example / "configs", self.folder / "configs")

    def own_parts(self, environment: str = "dev", account: str = "777788889999") -> None:
        """Its Airflow, buckets and images are there already, so that a plan takes a second."""
        text = OWN_PARTS.replace("777788889999", account)
        (self.root(environment) / "terraform.tfvars").write_text(text)

    def environment(self, without: Iterable[str], variables: Mapping[str, str]) -> dict[str, str]:
        """The variables of a process; ``without`` names those that it must not have."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        given = {**kept, **NO_ENGINE, **self._provider.variables, **self.variables, **variables}
        return {name: value for name, value in given.items() if name not in set(without)}

    def start(self, *words: str, without: Iterable[str] = (), **variables: str) -> "subprocess.Popen[str]":
        """The running command, for the caller to end."""
        return subprocess.Popen(
            [str(COMMAND), *words],
            cwd=self.folder,
            env=self.environment(without, variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, code: int = 0, without: Iterable[str] = (), **variables: str) -> Said:
        """The finished command; it must end with ``code``."""
        process = self.start(*words, without=without, **variables)
        try:
            out, err = process.communicate(timeout=LIMIT_SECONDS)
        finally:
            process.kill()
            process.communicate()
        assert "Traceback" not in err, err
        assert process.returncode == code, f"{words} ended with {process.returncode}\n{out}\n{err}"
        return Said(process.returncode, out, err)

    def release(self, version: str, environment: str = "dev") -> None:
        """Commits what is here and releases it."""
        self.repository.commit(f"Prepare {version}")
        self("release", "--environment", environment, "--version", version)

    def ledger(self, environment: str = "dev") -> list[dict[str, Any]]:
        """The ledger's entries, oldest first."""
        store = open_store((self.folder / ".mlops-config" / "store").as_uri())
        entries = ledger_of(store, LedgerName(self.project, MODEL, environment)).entries()
        return [entry.model_dump(mode="json") for entry in entries]

    def events(self, environment: str = "dev") -> list[tuple[str, str]]:
        """What the ledger says happened since releases were made, and how it ended."""
        found = [(each["event"], each["outcome"]) for each in self.ledger(environment)]
        return [each for each in found if each[0] != "released"]

    def plan_folder(self, environment: str = "dev") -> Path:
        """Where its plan is written."""
        return self.folder / ".mlops-config" / environment / "plan"

    def made(self) -> set[str]:
        """The files of what the cloud has."""
        return {str(path.relative_to(self.cloud)) for path in self.cloud.glob("*/*.json")}

    def object(self, kind: str) -> Path:
        """The one object of a type."""
        (found,) = (self.cloud / kind).glob("*.json")
        return found

    def fail(self, call: str, **fault: Any) -> None:
        """Orders a fault of the cloud (``tests/terraform/provider/cloud.py`` says which there are)."""
        self.cloud.mkdir(exist_ok=True)
        (self.cloud / "faults.json").write_text(json.dumps({call: fault}))

    def mend(self) -> None:
        """Takes the faults back."""
        (self.cloud / "faults.json").unlink()

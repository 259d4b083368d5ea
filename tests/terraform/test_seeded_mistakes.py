"""A module or a root, broken in one way each: who tells, and in which words. Each is made on a copy."""

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tools import check_terraform as checking

from mlops_config.infrastructure.variables import FILE_NAME
from tests.services import unavailable
from tests.terraform import golden
from tests.terraform.policies import policies, too_much

REPOSITORY = "modules/image_repository/aws/main.tf"
STORE = "modules/artifact_store/aws/main.tf"
ROOT = "environments/dev/aws/main.tf"


@dataclass(frozen=True)
class Mistake:
    """What is written in place of what, in a file below ``terraform/``, and what is said of it."""

    file: str
    before: str
    after: str
    said: str
    module: str = ""
    """Where it is checked, when that is not the file's own folder."""

    def made_in(self, tree: Path) -> str:
        """Makes it; returns the folder to check."""
        path = tree / self.file
        text = path.read_text("utf-8")
        assert text.count(self.before) == 1, f"{self.file} has changed: seed this mistake anew"
        path.write_text(text.replace(self.before, self.after), "utf-8")
        return self.module or str(Path(self.file).parent)


VALIDATE: Mapping[str, Mistake] = {
    "an attribute with another name": Mistake(
        REPOSITORY, "image_tag_mutability =", "image_tags_mutability =", "Unsupported argument"
    ),
    "a value of another type": Mistake(
        REPOSITORY, "= false", '= "never"',
        'Inappropriate value for attribute "force_delete": a bool is required'
    ),
    "a required argument that is missing": Mistake(
        REPOSITORY, "name                 = var.repository_name", "", 'The argument "name" is required'
    ),
    "a block that is not there": Mistake(
        REPOSITORY, "image_scanning_configuration {", "scanning {", "Unsupported block type"
    ),
    "an output of a module that has none": Mistake(
        "modules/environment/aws/outputs.tf", "module.airflow[*].url", "module.airflow[*].address",
        'This object does not have an attribute named "address"',
    ),
    "a variable of a module that is not given": Mistake(
        ROOT, "release           = var.release", "", 'The argument "release" is required'
    ),
    "a variable of a module that has none": Mistake(
        ROOT, "  artifact_store ", "  force_destroy = true\n  artifact_store ", "Unsupported argument"
    ),
}  # fmt: skip
TEST: Mapping[str, Mistake] = {
    "tags that move": Mistake(
        REPOSITORY, '"IMMUTABLE"', '"MUTABLE"', 'aws_ecr_repository.this.image_tag_mutability is "MUTABLE"'
    ),
    "a repository that goes with its images": Mistake(
        REPOSITORY, "force_delete         = false", "force_delete         = true",
        "aws_ecr_repository.this.force_delete is true",
    ),
    "tags that move on Google Cloud": Mistake(
        "modules/image_repository/gcp/main.tf", "immutable_tags = true", "immutable_tags = false",
        "docker_config[0].immutable_tags is false",
    ),
    "a store that may be public": Mistake(
        STORE, "block_public_policy     = true", "block_public_policy     = false",
        "A bucket could be made public."
    ),
    "a store that is deleted with all that is in it": Mistake(
        STORE, "force_destroy       = false", "force_destroy       = true",
        "aws_s3_bucket.this.force_destroy is true"
    ),
    "a check that is taken away": Mistake(
        "modules/image_repository/aws/variables.tf", "var.untagged_days >= 1", "true",
        "var.untagged_days, was expected to report an error but did not",
    ),
}  # fmt: skip
POLICY: Mapping[str, Mistake] = {
    "every action": Mistake(
        "modules/network/aws/security.tf",
        'Action   = ["logs:',
        'Action   = ["*", "logs:',
        "allows the action *",
    ),
}


@pytest.fixture(scope="module")
def bench(terraform: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[checking.Bench]:
    """The tree as it is, with the providers."""
    try:
        with checking.bench(tmp_path_factory.mktemp("mistakes"), terraform) as prepared:
            yield prepared
    except FileNotFoundError as error:
        unavailable(str(error))


@pytest.fixture
def copied(bench: checking.Bench, tmp_path: Path) -> checking.Bench:
    """A tree of its own."""
    for each in bench.tree.parent.iterdir():
        shutil.copytree(each, tmp_path / "tree" / each.name, symlinks=True)
    return checking.Bench(tmp_path / "tree" / bench.tree.name, bench.program, bench.variables)


def words(text: str) -> str:
    """On one line, without the frame."""
    return " ".join(re.sub(r"[│╷╵├─]", " ", text).split())


@pytest.mark.parametrize("mistake", VALIDATE)
def test_validate_tells(copied: checking.Bench, mistake: str) -> None:
    folder = VALIDATE[mistake].made_in(copied.tree)
    outcome = checking.validated(copied, folder)

    assert not outcome.passed
    assert VALIDATE[mistake].said in words(outcome.words)


@pytest.mark.parametrize("mistake", TEST)
def test_the_modules_own_tests_tell(copied: checking.Bench, mistake: str) -> None:
    folder = TEST[mistake].made_in(copied.tree)
    outcome = checking.checked(copied, folder)

    assert not outcome.passed
    assert "failed" in outcome.words
    assert TEST[mistake].said in words(outcome.words)


@pytest.mark.parametrize("mistake", POLICY)
def test_the_policies_tell(copied: checking.Bench, mistake: str) -> None:
    POLICY[mistake].made_in(copied.tree)
    folder = "environments/dev/aws"
    (copied.tree / folder / FILE_NAME).write_bytes(golden.release("dev-aws").to_json())
    for step in (["init"], ["plan", "-out=tfplan"]):
        finished = copied.run(folder, *step, "-input=false")
        assert finished.returncode == 0, finished.stdout + finished.stderr
    plan = json.loads(copied.run(folder, "show", "-json", "tfplan").stdout)
    resources = golden.normal(plan, copied.tree.parent)["resources"]
    told = [line for where, each in policies(resources) for line in too_much(where, each)]

    assert len(told) == 1
    assert told[0].endswith(POLICY[mistake].said)


Change = Callable[[dict[str, Any]], None]


def setting(*path: str, to: Any) -> Change:
    """A change of the release's variables."""

    def change(document: dict[str, Any]) -> None:
        for name in path[:-1]:
            document = document[name]
        assert path[-1] in document
        document[path[-1]] = to

    return change


def alert(**values: Any) -> Change:
    """A change of the first alert."""

    def change(document: dict[str, Any]) -> None:
        next(iter(document["config"]["alerts"].values())).update(values)

    return change


PLAN: Mapping[str, tuple[str, Change, str]] = {
    "a release of another environment": (
        "dev-aws", setting("release", "environment", to="prod"),
        "This is dev: the release must be one of dev."
    ),
    "the files of another environment": (
        "dev-aws", setting("mlops_config_path", to="configs/prod/"),
        "mlops_config_path must be the folder of the dev files"
    ),
    "the account of another environment": (
        "dev-aws", setting("config", "account_id", to=golden.ACCOUNTS["prod"]),
        "The inference file deploys to account 444455556666, and this environment lies in account 7777"
    ),
    "the project of another environment": (
        "dev-gcp", setting("config", "project_id", to="acme-ml-prod"),
        "The inference file deploys to project acme-ml-prod, and this environment lies in project acme-ml-d"
    ),
    "the region of another environment": (
        "dev-gcp", setting("config", "region", to="us-east1"),
        "The inference file deploys to gcp in us-east1, and this environment lies on Google Cloud in europe"
    ),
    "the alerts of another environment": (
        "dev-gcp", alert(labels={"environment": "prod"}),
        "This is dev: every alert must be one of dev."
    ),
    "what is kept for less than no time": (
        "dev-gcp", setting("config", "retention_days", "inference.data_capture.retention", to=-1),
        "What is kept must be kept for a day at least."
    ),
    "an image by its tag": (
        "dev-aws", setting("release", "image", to="registry.example/city-taxi-dev:latest"),
        "release.image must name the image by digest"
    ),
    "half a commit": (
        "dev-aws", setting("release", "commit", to="4acc7d8"),
        "release.commit must be a full commit of 40 or 64 hex digits"
    ),
    "no digest of the files": (
        "dev-aws", setting("release", "config_digest", to="md5:0"),
        "release.config_digest must be sha256: and 64 hex digits."
    ),
    "a release of nothing": (
        "dev-aws", setting("release", "name", to=None), "Of release only version, commit, image may be null."
    ),
    "a configuration of nobody": ("dev-aws", setting("config", "owner", to=None), "Of config only region"),
    "a cloud that there is not": (
        "dev-aws", setting("config", "target", to="azure"), "config.target must be local, aws or gcp."
    ),
    "an alert that is neither for a pager nor for a ticket": (
        "dev-gcp", alert(severity="warning"),
        "The severity of an alert must be page or ticket."
    ),
}  # fmt: skip
"""Root, change of its release, and what a plan says."""
SETTINGS: Mapping[str, tuple[str, str]] = {
    "an Airflow that the DAGs are not for": (
        'airflow={version="2.10.3"}', "airflow_version is of Airflow 3.1, 3.2 or 3.3"
    ),
    "logs that are kept for less than no time": (
        "airflow={log_days=-1}", "log_days is a number of days that CloudWatch offers"
    ),
    "an account that is none": ("account_id=77778888", "An AWS account has 12 digits"),
}  # fmt: skip


@pytest.fixture(scope="module")
def plan(bench: checking.Bench) -> Callable[..., str]:
    """Plans a root with a changed release or setting, which must be refused; returns what is said."""
    ready: set[str] = set()

    def planned(name: str, change: Change | None = None, *words_: str) -> str:
        folder = f"environments/{name.replace('-', '/')}"
        document = copy.deepcopy(golden.release(name).document())
        if change is not None:
            change(document)
        (bench.tree / folder / FILE_NAME).write_text(json.dumps(document), "utf-8")
        if folder not in ready:
            assert bench.run(folder, "init", "-input=false").returncode == 0
            ready.add(folder)
        finished = bench.run(folder, "plan", "-input=false", "-no-color", *words_)
        assert finished.returncode == 1, finished.stdout
        return words(finished.stderr)

    return planned


@pytest.mark.parametrize("mistake", PLAN)
def test_a_plan_tells(plan: Callable[..., str], mistake: str) -> None:
    name, change, said = PLAN[mistake]

    assert said in plan(name, change)


@pytest.mark.parametrize("mistake", SETTINGS)
def test_a_plan_tells_of_settings(plan: Callable[..., str], mistake: str) -> None:
    setting_, said = SETTINGS[mistake]

    assert said in plan("dev-aws", None, f"-var={setting_}")

"""A module or a root, broken in one way each: who tells, and in which words. Each is made on a copy."""

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

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

    @property
    def folder(self) -> str:
        """Where it is checked."""
        return str(Path(self.file).parent)

    def made_in(self, tree: Path) -> None:
        """Makes it."""
        path = tree / self.file
        text = path.read_text("utf-8")
        assert text.count(self.before) == 1, f"{self.file} has changed: seed this mistake anew"
        path.write_text(text.replace(self.before, self.after), "utf-8")


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


def copied(bench: checking.Bench, folder: Path) -> checking.Bench:
    """A tree of its own."""
    for each in bench.tree.parent.iterdir():
        shutil.copytree(each, folder / "tree" / each.name, symlinks=True)
    return checking.Bench(folder / "tree" / bench.tree.name, bench.program, bench.variables)


Check = Callable[[checking.Bench, str], checking.Outcome]


@pytest.fixture(scope="module")
def found(bench: checking.Bench, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """What a check of a folder, with all the mistakes in it, says; it must not pass."""

    @cache
    def said(check: Check, folder: str) -> str:
        mine = copied(bench, tmp_path_factory.mktemp("mistaken"))
        seeded = VALIDATE if check is checking.validated else TEST
        for mistake in seeded.values():
            if mistake.folder == folder:
                mistake.made_in(mine.tree)
        outcome = check(mine, folder)
        assert not outcome.passed
        return words(outcome.words)

    return said


def words(text: str) -> str:
    """On one line, without the frame."""
    return " ".join(re.sub(r"[│╷╵├─]", " ", text).split())


@pytest.mark.parametrize("mistake", VALIDATE)
def test_validate_tells(found: Callable[..., str], mistake: str) -> None:
    assert VALIDATE[mistake].said in found(checking.validated, VALIDATE[mistake].folder)


@pytest.mark.parametrize("mistake", TEST)
def test_the_modules_own_tests_tell(found: Callable[..., str], mistake: str) -> None:
    said = found(checking.checked, TEST[mistake].folder)

    assert "failed" in said
    assert TEST[mistake].said in said


@pytest.mark.parametrize("mistake", POLICY)
def test_the_policies_tell(bench: checking.Bench, tmp_path: Path, mistake: str) -> None:
    mine = copied(bench, tmp_path)
    POLICY[mistake].made_in(mine.tree)
    folder = "environments/dev/aws"
    (mine.tree / folder / FILE_NAME).write_bytes(golden.release("dev-aws").to_json())
    for step in (["init"], ["plan", "-out=tfplan"]):
        finished = mine.run(folder, *step, "-input=false")
        assert finished.returncode == 0, finished.stdout + finished.stderr
    plan = json.loads(mine.run(folder, "show", "-json", "tfplan").stdout)
    resources = golden.normal(plan, mine.tree.parent)["resources"]
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


class Refused(NamedTuple):
    """Mistakes that one plan of a root tells of."""

    root: str
    mistakes: Mapping[str, tuple[Change | str, str]]
    """A change of the release, or a setting; and what is said."""


PLANS: tuple[Refused, ...] = (
    Refused("dev-aws", {
        "a release of another environment": (
            setting("release", "environment", to="prod"), "This is dev: the release must be one of dev."
        ),
        "the files of another environment": (
            setting("mlops_config_path", to="configs/prod/"),
            "mlops_config_path must be the folder of the dev files"
        ),
        "the account of another environment": (
            setting("config", "account_id", to=golden.ACCOUNTS["prod"]),
            "The inference file deploys to account 444455556666, and this environment lies in account 7777"
        ),
        "an image by its tag": (
            setting("release", "image", to="registry.example/city-taxi-dev:latest"),
            "release.image must name the image by digest"
        ),
        "half a commit": (
            setting("release", "commit", to="4acc7d8"),
            "release.commit must be a full commit of 40 or 64 hex digits"
        ),
        "no digest of the files": (
            setting("release", "config_digest", to="md5:0"),
            "release.config_digest must be sha256: and 64 hex digits."
        ),
        "a release of nothing": (
            setting("release", "name", to=None), "Of release only version, commit, image may be null."
        ),
    }),
    Refused("dev-aws", {
        "a configuration of nobody": (setting("config", "owner", to=None), "Of config only region"),
        "a cloud that there is not": (
            setting("config", "target", to="azure"), "config.target must be local, aws or gcp."
        ),
    }),
    Refused("dev-gcp", {
        "the project of another environment": (
            setting("config", "project_id", to="acme-ml-prod"),
            "The inference file deploys to project acme-ml-prod, and this environment lies in project acme"
        ),
        "the region of another environment": (
            setting("config", "region", to="us-east1"),
            "The inference file deploys to gcp in us-east1, and this environment lies on Google Cloud in e"
        ),
    }),
    Refused("dev-gcp", {
        "the alerts of another environment": (
            alert(labels={"environment": "prod"}), "This is dev: every alert must be one of dev."
        ),
        "an alert that is neither for a pager nor for a ticket": (
            alert(severity="warning"), "The severity of an alert must be page or ticket."
        ),
        "what is kept for less than no time": (
            setting("config", "retention_days", "inference.data_capture.retention", to=-1),
            "What is kept must be kept for a day at least."
        ),
    }),
    Refused("dev-aws", {"an account that is none": ("account_id=77778888", "An AWS account has 12 digits")}),
    Refused("dev-aws", {
        "an Airflow that the DAGs are not for, whose logs are kept for less than no time": (
            'airflow={version="2.10.3",log_days=-1}', "airflow_version is of Airflow 3.1, 3.2 or 3.3"
        ),
        "a way out to everywhere": (
            'network={egress={gateway={cidr="0.0.0.0/0",port=9091}}}',
            "An egress leads somewhere in particular"
        ),
    }),
)  # fmt: skip
"""Terraform tells of all that it finds; but where a variable is wrong, not of what rests on it."""
SAID: Mapping[str, str] = {name: said for each in PLANS for name, (_, said) in each.mistakes.items()}


@pytest.fixture(scope="module")
def told(bench: checking.Bench) -> Callable[[str], str]:
    """What the plan with a mistake says, which must be refused."""
    ready: set[str] = set()

    @cache
    def planned(number: int) -> str:
        root, mistakes = PLANS[number]
        folder = f"environments/{root.replace('-', '/')}"
        document = copy.deepcopy(golden.release(root).document())
        settings = []
        for change, _ in mistakes.values():
            if isinstance(change, str):
                settings.append(f"-var={change}")
            else:
                change(document)
        (bench.tree / folder / FILE_NAME).write_text(json.dumps(document), "utf-8")
        if folder not in ready:
            assert bench.run(folder, "init", "-input=false").returncode == 0
            ready.add(folder)
        finished = bench.run(folder, "plan", "-input=false", "-no-color", *settings)
        assert finished.returncode == 1, finished.stdout
        return words(finished.stderr)

    return lambda mistake: planned(next(n for n, each in enumerate(PLANS) if mistake in each.mistakes))


@pytest.mark.parametrize("mistake", SAID)
def test_a_plan_tells(told: Callable[[str], str], mistake: str) -> None:
    assert SAID[mistake] in told(mistake)

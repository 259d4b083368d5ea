"""Mistakes that people make, and services that fail: each is made, told by the command, and undone."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.rehearsal.project import Project
from tools.rehearsal.scene import Scene
from tools.rehearsal.steps import error_lines

MODULES = "terraform/modules"
DEV = "terraform/environments/dev/aws"
_CLOUD = "<cloud>"
"""In a path: the folder of dev's objects."""


@dataclass(frozen=True)
class Breakage:
    """One mistake: what is edited, what is run, and what has to be said to it."""

    title: str
    told: str
    """Words that the command's error has."""
    code: int = 2
    file: str = ""
    """Below the project, or :data:`_CLOUD`; may be a pattern that one file matches."""
    old: str = ""
    """Is in the file; without it the file is made anew."""
    new: str = ""
    words: tuple[str, ...] = ("--plan",)
    variables: Mapping[str, str] = field(default_factory=dict)
    mended: bool = False
    """Whether the same command succeeds once the mistake is undone, and is seen to."""

    def tell(self, scene: Scene, project: Project) -> None:
        """Makes the mistake, and requires that it is told.

        Raises:
            CommandError: it was not, or by another exit code.
            RehearsalError: it was told as something else.
        """
        number = BREAKAGES.index(self) + 1
        with scene.progress.step(f"{number}", self.title) as step:
            with self._made(project):
                said = scene.deploy(
                    project, "dev", *self.words, step=step, codes=(self.code,), **self.variables
                )
            flat = " ".join(said.err.split())
            scene.require(self.told in flat, f"{self.title}: nothing says {self.told!r}, but\n{said.err}")
            step.found(f"{self.title}: exit code {said.code}", code=said.code, told=said.err)
            for line in error_lines(said.err, scene.columns):
                step.note(line)
            if self.mended:
                scene.deploy(project, "dev", *self.words, step=step)
                step.note("the same command again goes on, and ends well")

    @contextmanager
    def _made(self, project: Project) -> Iterator[None]:
        if not self.file:
            yield
            return
        path = self._path(project)
        before = path.read_text("utf-8") if path.exists() else None
        if self.old and (before is None or self.old not in before):
            raise ValueError(f"{self.title}: {self.old!r} is not in {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(before.replace(self.old, self.new, 1) if before and self.old else self.new, "utf-8")
        try:
            yield
        finally:
            if before is None:
                path.unlink()
            else:
                path.write_text(before, "utf-8")

    def _path(self, project: Project) -> Path:
        if self.file.startswith(_CLOUD):
            return project.objects("dev") / self.file.removeprefix(_CLOUD)
        found = sorted(project.folder.glob(self.file))
        return found[0] if found else project.folder / self.file


_FAULT = {
    "aws_mwaa_environment.create": {
        "summary": "creating MWAA Environment: ServiceQuotaExceededException",
        "detail": "The account has as many environments as it may have.",
    }
}

BREAKAGES: tuple[Breakage, ...] = (
    Breakage(
        "an argument is misspelled",
        'An argument named "force_destory" is not expected here',
        file=f"{MODULES}/artifact_store/aws/main.tf",
        old="force_destroy ",
        new="force_destory ",
    ),
    Breakage(
        "an argument is forgotten",
        'The argument "dag_s3_path" is required',
        file=f"{MODULES}/airflow/aws/main.tf",
        old='dag_s3_path                      = "dags/"',
    ),
    Breakage(
        "a value is of another type",
        "a number is required",
        file=f"{MODULES}/airflow/aws/main.tf",
        old="max_workers = var.max_workers",
        new='max_workers = "many"',
    ),
    Breakage(
        "there is no such type of resource",
        "aws_s3_bucket_versions",
        file=f"{MODULES}/artifact_store/aws/main.tf",
        old='resource "aws_s3_bucket_versioning"',
        new='resource "aws_s3_bucket_versions"',
    ),
    Breakage(
        "Airflow has no such size",
        "environment_class is mw1.micro, mw1.small",
        file=f"{DEV}/terraform.tfvars",
        old="mw1.micro",
        new="mw1.tiny",
    ),
    Breakage(
        "terraform.tfvars names prod's account",
        "of another AWS account than this environment's",
        file=f"{DEV}/terraform.tfvars",
        old='account_id = "777788889999"',
        new='account_id = "444455556666"',
        variables={"STANDIN_ACCOUNT": "777788889999"},
    ),
    Breakage(
        "a release of dev is given to prod's root",
        "This is prod",
        words=("--plan", "--terraform", "terraform/environments/prod/aws"),
    ),
    Breakage(
        "nobody is logged in",
        "credential",
        code=3,
        variables={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
    ),
    Breakage(
        "the bundle in the store is another one",
        "sha256:",
        code=4,
        file=".mlops-config/store/city-taxi/bundles/sha256/*/dev_training_config.yaml",
        old="schema_version: 1",
        new="schema_version: 1 ",
    ),
    Breakage("there is no Terraform", "1.10", variables={"PATH": "/nonexistent"}),
    Breakage(
        "the cloud fails half-way",
        "ServiceQuotaExceededException",
        code=3,
        file=f"{_CLOUD}faults.json",
        new=json.dumps(_FAULT),
        words=("--yes",),
        mended=True,
    ),
)
"""Made in this order, in one project: what the last one makes stays."""

"""Everything that is there while it is rehearsed: the projects, the stand-ins, and how commands are run."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.terraform import standin

from tools import terraform
from tools.loop import command
from tools.loop.progress import Progress, Step
from tools.loop.recording import Recording
from tools.rehearsal import project as projects
from tools.rehearsal.project import ENVIRONMENTS, ROOT, Project

FOLDER = ROOT / ".cache" / "rehearsal"
LATEST = "latest"
KEPT_RUNS = 3
"""Folders of earlier runs that stay."""
FILE_NAME = "rehearsal.json"
NAMED = ("--project", "city-taxi", "--model", "trip-fare")
_INDENT = 2
_REAL_CLOUDS = ("AWS_", "AZURE_", "CLOUDSDK_", "GCLOUD_", "GOOGLE_", "STANDIN_", "TF_")
"""Nobody's own credentials and settings are near what only plays a cloud."""


class RehearsalError(Exception):
    """Something did not go as it should: what was expected, and what was found."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is rehearsed."""

    environments: tuple[str, ...] = ENVIRONMENTS
    clouds: tuple[str, ...] = tuple(projects.CLOUDS)
    short: bool = False
    """Whether a drift is only told, and not mended."""
    plans: bool = False
    """Whether every plan is shown whole; else those that make an environment are told by their modules."""
    folder: Path | None = None
    """Of this run; ``None``: a new one below :data:`FOLDER`."""


@dataclass
class Scene:
    """One run."""

    folder: Path
    options: Options
    recording: Recording
    progress: Progress
    mirror: standin.Environment
    program: str
    """Terraform or OpenTofu."""
    variables: Mapping[str, str]
    """Of every command."""
    projects: dict[str, Project] = field(default_factory=dict)

    @property
    def columns(self) -> int:
        """Of the terminal, less what stands before each line here."""
        return int(self.variables["COLUMNS"])

    def project(self, cloud: str) -> Project:
        """A cloud's repository, made at the first call."""
        if cloud not in self.projects:
            made = projects.make(self.folder / cloud, cloud, self.folder / "clouds", self.variables)
            self.projects[cloud] = made
        return self.projects[cloud]

    def run(
        self,
        project: Project,
        *words: str,
        environment: str,
        step: Step | None = None,
        codes: tuple[int, ...] = (0,),
        **variables: str,
    ) -> command.Said:
        """``mlops-config`` with ``words`` in a project, in the environment's account; empty variables go.

        Raises:
            CommandError: it ended with none of ``codes``.
        """
        objects = project.objects(environment)
        objects.mkdir(parents=True, exist_ok=True)
        given = {**self.variables, "STANDIN_CLOUD": str(objects), **variables}
        return command.run(
            *words,
            folder=project.folder,
            variables={name: value for name, value in given.items() if value},
            codes=codes,
            on_line=step.progress if step else lambda _line: None,
        )

    def deploy(
        self,
        project: Project,
        environment: str,
        *words: str,
        step: Step,
        codes: tuple[int, ...] = (0,),
        **variables: str,
    ) -> command.Said:
        """``mlops-config deploy``, its first half: there is no Airflow here to hand a release to."""
        given = ("deploy", "--environment", environment, "--only-terraform", *words)
        return self.run(project, *given, environment=environment, step=step, codes=codes, **variables)

    def release(self, project: Project, environment: str, version: str, step: Step) -> dict[str, Any]:
        """``mlops-config release`` into the project's store on disk; the record."""
        words = ("release", "--environment", environment, "--version", version, "--format", "json")
        return dict(self.run(project, *words, environment=environment, step=step).document)

    def show(self, text: str) -> None:
        """Something that was printed, whole, between two steps."""
        for line in text.strip().splitlines():
            self.progress.say(f"{' ' * _INDENT}{line}".rstrip())

    def require(self, condition: object, otherwise: str) -> None:
        """An assertion of the rehearsal.

        Raises:
            RehearsalError: ``condition`` is false.
        """
        if not condition:
            raise RehearsalError(otherwise)

    def write(self, outcome: str) -> Path:
        """Writes down how it went; where."""
        self.recording.end(outcome)
        path = self.folder / FILE_NAME
        path.write_text(json.dumps(self.recording.document(), indent=1, default=str) + "\n", "utf-8")
        return path


def opened(options: Options, program: str) -> Scene:
    """A run's folder with the stand-in providers in it."""
    run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = (options.folder or FOLDER / run).resolve()
    folder.mkdir(parents=True)
    if options.folder is None:
        _point_at(folder)
    recording = Recording(run, options.short)
    mirror = standin.prepare(folder / "standin")
    return Scene(
        folder, options, recording, Progress(recording), mirror, program, _variables(mirror, program)
    )


def _variables(mirror: standin.Environment, program: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(_REAL_CLOUDS)}
    path = os.pathsep.join([str(Path(program).parent), os.environ.get("PATH", os.defpath)])
    columns = str(shutil.get_terminal_size().columns - _INDENT)
    return {
        **own,
        **command.common_variables(),
        **mirror.variables,
        "GIT_AUTHOR_NAME": "make rehearse",
        "GIT_COMMITTER_NAME": "make rehearse",
        "COLUMNS": columns,
        "PATH": path,
    }


def find_program() -> str | None:
    """Terraform or OpenTofu, on PATH or where ``tools/terraform.py`` put it."""
    return terraform.find()


def shortened(path: Path) -> str:
    """A path as it is shown: relative to the checkout where it lies there."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _point_at(folder: Path) -> None:
    """``.cache/rehearsal/latest`` is this run, and of earlier ones only the newest stay."""
    link = folder.parent / LATEST
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    earlier = sorted(each for each in folder.parent.iterdir() if each.is_dir() and not each.is_symlink())
    for old in earlier[: -KEPT_RUNS - 1]:
        shutil.rmtree(old, ignore_errors=True)

"""Real Terraform with stand-in providers: no cloud, no credentials, no download."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.services import unavailable
from tests.terraform import standin as preparing

ROOT = Path(__file__).resolve().parents[2]
_LIMIT_SECONDS = 120.0


class Workspace:
    """A folder with a root module, and Terraform in it."""

    def __init__(self, folder: Path, program: Path, environment: preparing.Environment) -> None:
        self.folder, self.program, self.environment = folder, program, environment

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """A finished ``terraform``; ``variables`` go before the stand-in's own, an empty one is left out."""
        process = self.start(*arguments, **variables)
        try:
            said = process.communicate(timeout=_LIMIT_SECONDS)
        finally:
            process.kill()
            process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, *map(_plain, said))

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """A ``terraform`` that runs, for the caller to end."""
        env = {**os.environ, **self.environment.variables, "TF_IN_AUTOMATION": "1", **variables}
        return subprocess.Popen(
            [str(self.program), *arguments],
            cwd=self.folder,
            env={name: value for name, value in env.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, *arguments: str, **variables: str) -> str:
        """What a ``terraform`` that succeeds prints."""
        finished = self.run(*arguments, **variables)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout


def _plain(text: str) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", text)


@pytest.fixture(scope="session")
def terraform() -> Path:
    """Where the program is; ends the test where there is none."""
    found = shutil.which("terraform") or shutil.which("tofu")
    if found is None:
        unavailable("no terraform or tofu on PATH")
    return Path(found)


@pytest.fixture(scope="session")
def standin_mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[preparing.Environment]:
    """The stand-in providers, shared by the session; take :func:`standin`, which has a cloud of its own."""
    try:
        prepared = preparing.prepare(tmp_path_factory.mktemp("standin"))
    except FileNotFoundError as error:
        unavailable(str(error))
    with preparing.preloaded(prepared):
        yield prepared


@pytest.fixture
def standin(standin_mirror: preparing.Environment, tmp_path: Path) -> preparing.Environment:
    """The stand-in providers with an empty cloud."""
    return standin_mirror.with_cloud(tmp_path / "cloud")


@pytest.fixture(scope="session")
def stage() -> Callable[[Path], Path]:
    """Copies ``terraform/`` to a folder, with each root's state on disk; returns the folder."""

    def staged(target: Path) -> Path:
        return preparing.stage(ROOT / "terraform", target)

    return staged


@pytest.fixture(scope="session")
def initialised(
    terraform: Path, standin_mirror: preparing.Environment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A folder below ``terraform/`` (such as ``modules/airflow/aws``) after ``terraform init``.

    Staged and initialised once in a session. The folder is shared: plan and test in it, but change nothing.
    Copy the staged tree (``shutil.copytree(..., symlinks=True)``) to change it: ``.terraform`` comes along.
    """
    tree = tmp_path_factory.mktemp("tree") / "terraform"
    done: dict[str, Path] = {}

    def of(folder: str) -> Path:
        if not done:
            preparing.stage(ROOT / "terraform", tree)
        if folder not in done:
            Workspace(tree / folder, terraform, standin_mirror).done("init", "-input=false")
            done[folder] = tree / folder
        return done[folder]

    return of


def variables(environment: preparing.Environment, **more: str) -> Mapping[str, str]:
    """The whole environment for a process that will run Terraform by itself."""
    return {**os.environ, **environment.variables, **more}

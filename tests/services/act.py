"""Workflows run on this machine by act, in host mode: jobs are processes, every action is a local folder.

act 0.2.89 does not know self-repository references (``uses: $/action``), so it gets a staged copy of this
repository in which they read ``org/mlops-config-action/action@v1``, the form that also works on GHES. Actions
of others are replaced by the stand-ins in ``actions/``.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.services import unavailable
from tests.services.pythons import python_with_pip

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).parent / "actions"
OWN = "org/mlops-config-action"
STAGED = ("action.yml", "action", "docker", "requirements", "src", ".github/workflows", "tests/action/nested")
RUNNERS = ("ubuntu-latest", "ubuntu-24.04")


@dataclass(frozen=True)
class Wheels:
    """The packages of the action's locked sets: as the cache step would have them, and as an index."""

    cache: Path
    index: Path
    kept: Path
    """Where they, and the environments that were made of them, stay from one run of the tests to the next."""
    made: tuple[Path, ...]
    """The folder of each set's wheels and environment, named by its key."""


@dataclass(frozen=True)
class Annotation:
    """One ``::error``, ``::warning`` or ``::notice`` of a step."""

    level: str
    message: str
    properties: Mapping[str, str]

    @property
    def place(self) -> tuple[str, int]:
        """File and line."""
        return self.properties["file"], int(self.properties["line"])


@dataclass(frozen=True)
class Run:
    """What act reported of one run."""

    exit_code: int
    events: list[dict[str, Any]]
    artifacts: Path
    transcript: str = field(repr=False)

    @property
    def annotations(self) -> list[Annotation]:
        """In the order they were made, over all jobs."""
        levels = ("error", "warning", "notice")
        return [
            Annotation(event["command"], event.get("arg", ""), event.get("kvPairs") or {})
            for event in self.events
            if event.get("command") in levels
        ]

    @property
    def summary(self) -> str:
        """The job summaries, one after the other."""
        return "\n".join(event["content"] for event in self.events if event.get("command") == "summary")

    @property
    def results(self) -> dict[str, str]:
        """How each job ended, by its name."""
        return {
            event["job"].rpartition("/")[2].strip(): event["jobResult"]
            for event in self.events
            if "jobResult" in event
        }

    @property
    def failed_steps(self) -> list[str]:
        """The names of the jobs' own steps that failed."""
        failed = (event["step"] for event in self.events if event.get("stepResult") == "failure")
        return list(dict.fromkeys(failed))

    def outputs(self, job: str = "") -> dict[str, str]:
        """Every output that a step of a job set, the latest of a name; without a job those of all."""
        return {
            event["name"]: event["arg"]
            for event in self.events
            if event.get("command") == "set-output" and job in event.get("job", "")
        }

    @property
    def log(self) -> str:
        """What the steps printed."""
        return "\n".join(event["msg"] for event in self.events if event.get("raw_output")).replace(
            "\n\n", "\n"
        )


class Act:
    """act with this repository and the stand-ins in place; everything it writes lies below ``folder``."""

    def __init__(self, folder: Path, wheels: Wheels) -> None:
        self._program = shutil.which("act") or shutil.which("act", path=str(Path(sys.executable).parent))
        if self._program is None:
            unavailable("no act: it comes with the locked test requirements")
        self._folder = folder
        self.settings = {
            "TEST_PYTHON": python_with_pip(),
            "TEST_CACHE": str(wheels.cache),
            "PIP_INDEX_URL": wheels.index.as_uri(),
            "PIP_CONFIG_FILE": os.devnull,
        }
        """Variables of every run; a test may give a run others."""
        self.own = folder / "the action's folder"
        stage(self.own)

    def run(
        self,
        repository: Path,
        workflow: str,
        event: str,
        payload: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        artifacts: Path | None = None,
        job: str | None = None,
        secrets: Mapping[str, str] | None = None,
        token: str = "job-token",  # noqa: S107 the stand-in of GitHub knows it
    ) -> Run:
        """Runs ``workflow`` (its path in ``repository``) as ``event`` would, or one ``job`` of it.

        A job that fails inside a reusable workflow ends act's run, where GitHub goes on with the jobs whose
        ``if`` says so. A test of those hands ``artifacts`` of the failed run to another one.
        """
        scratch = self._folder / f"run-{len(list(self._folder.glob('run-*')))}"
        artifacts = artifacts or scratch / "artifacts"
        artifacts.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(exist_ok=True)
        event_file = scratch / "event.json"
        event_file.write_text(json.dumps(payload))
        settings = self.settings | {"TEST_ARTIFACTS": str(artifacts)} | dict(env or {})
        command = [
            str(self._program),
            event,
            "--workflows",
            workflow,
            "--eventpath",
            str(event_file),
            "--json",
        ]
        command += [f"--job={job}"] if job else []
        command += [f"--platform={runner}=-self-hosted" for runner in RUNNERS]
        # Without these three act would pull images and listen on every address of the machine.
        command += ["--pull=false", "--no-cache-server", "--artifact-server-addr=127.0.0.1"]
        command += [f"--action-cache-path={scratch / 'actions'}", f"--secret=GITHUB_TOKEN={token}"]
        command += [f"--local-repository={reference}={place}" for reference, place in self._actions()]
        command += [f"--env={name}={value}" for name, value in settings.items()]
        command += [f"--var={name}={value}" for name, value in (variables or {}).items()]
        command += [f"--secret={name}={value}" for name, value in (secrets or {}).items()]
        done = subprocess.run(
            command, cwd=repository, capture_output=True, text=True, timeout=600, check=False
        )
        transcript = done.stdout + done.stderr
        return Run(done.returncode, list(_events(done.stdout)), artifacts, transcript)

    def _actions(self) -> Iterator[tuple[str, Path]]:
        yield f"{OWN}@v1", self.own
        found = set()
        for path in [*self.own.rglob("*.yml")]:
            found |= set(re.findall(r"uses: ([\w.-]+/[\w.-]+)[\w./-]*@(\S+)", path.read_text("utf-8")))
        for name, ref in sorted(found):
            if name not in (OWN, "actions/checkout"):
                yield f"{name}@{ref}", STAND_INS / name


@pytest.fixture(scope="session")
def action_wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """Fetched from the real index by the real bootstrap the first time, then kept in .cache/."""
    kept = ROOT / ".cache" / "action-wheels"
    kept.mkdir(parents=True, exist_ok=True)
    cache = tmp_path_factory.mktemp("cache")
    index = tmp_path_factory.mktemp("index")
    made = []
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("core", "build", "s3"):
            found = _fetched(name, kept)
            (cache / found["key"]).symlink_to(found["wheels"])
            made.append(Path(found["wheels"]).parent)
    for wheel in Path(found["wheels"]).glob("*.whl"):
        place = index / re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
        place.mkdir()
        (place / wheel.name).symlink_to(wheel)
        (place / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    return Wheels(cache, index, kept, tuple(made))


@pytest.fixture(scope="session")
def action_environments(tmp_path_factory: pytest.TempPathFactory, action_wheels: Wheels) -> Path:
    """Environments that were made before: a folder to give a run as ``TEST_ENVIRONMENTS``.

    The real bootstrap made each of its locked set. But the jobs' set, the largest, is a part of the tests'
    own (tests/test_repository_locks.py keeps that true): its environment sees the packages of this one.
    """
    folder = tmp_path_factory.mktemp("environments")
    kept = action_wheels.kept
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = (*action_wheels.made, Path(_fetched("run", kept)["wheels"]).parent)
    for place in made:
        (folder / place.name).symlink_to(place)
    jobs = _home("jobs", folder)
    environment = folder / jobs["key"] / "environment"
    venv.EnvBuilder(with_pip=False, symlinks=True).create(environment)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (environment / "complete").touch()
    return folder


def _home(requirements: str, folder: Path) -> dict[str, str]:
    """Where the bootstrap would have the environment of a locked set, and under which key."""
    return _asked("", requirements, folder)


def _fetched(requirements: str, kept: Path) -> dict[str, str]:
    """What the bootstrap tells the cache step, after a locked set's wheels were fetched into ``kept``."""
    return _asked(
        "bootstrap.make_ready(home, os.environ, lambda line: None, time.sleep)\n", requirements, kept
    )


def _asked(doing: str, requirements: str, folder: Path) -> dict[str, str]:
    code = (
        "import json, os, sys, time\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import bootstrap\n"
        "home = bootstrap.Home(Path(sys.argv[2]), Path(sys.argv[3]))\n"
        f"{doing}"
        "print(json.dumps({'key': home.key, 'wheels': str(home.wheels)}))\n"
    )
    lock = ROOT / "requirements" / f"{requirements}.txt"
    done = subprocess.run(
        [python_with_pip(), "-I", "-c", code, str(ROOT / "action"), str(folder), str(lock)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        unavailable(f"the action's packages cannot be fetched: {(done.stdout + done.stderr)[-800:]}")
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="session")
def act(tmp_path_factory: pytest.TempPathFactory, action_wheels: Wheels) -> Act:
    """act, with the action's packages in the cache."""
    return Act(tmp_path_factory.mktemp("act"), action_wheels)


def stage(folder: Path) -> None:
    """Copies what a caller's run needs of this repository, self-repository references spelled out."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in STAGED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    for path in folder.rglob("*.yml"):
        text = path.read_text("utf-8")
        path.write_text(re.sub(r"uses: \$/(\S+)", rf"uses: {OWN}/\1@v1", text), "utf-8")


def _events(output: str) -> Iterator[dict[str, Any]]:
    for line in output.splitlines():
        if line.startswith("{"):
            yield json.loads(line)

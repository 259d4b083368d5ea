"""Workflows run on this machine by act, in host mode: jobs are processes, every action is a local folder.

act 0.2.89 does not know self-repository references (``uses: $/action``), so it gets a staged copy of this repository
in which they are written as ``org/mlops-config-action/action@v1``, the form that also works on GHES. Actions of others
are replaced by the stand-ins in ``actions/``.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).parent / "actions"
OWN = "org/mlops-config-action"
STAGED = ("action.yml", "action", "docker", "requirements", "src", ".github/workflows")
RUNNERS = ("ubuntu-latest", "ubuntu-24.04")


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
        return {event["job"].rpartition("/")[2]: event["jobResult"] for event in self.events if "jobResult" in event}

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
        return "\n".join(event["msg"] for event in self.events if event.get("raw_output")).replace("\n\n", "\n")


class Act:
    """act with this repository and the stand-ins in place; everything it writes lies below ``folder``."""

    def __init__(self, folder: Path, python: str) -> None:
        self._program = shutil.which("act") or shutil.which("act", path=str(Path(sys.executable).parent))
        if self._program is None:
            unavailable("no act: it comes with the locked test requirements")
        self._folder = folder
        self._python = python
        self.own = folder / "the action"
        self.cache = folder / "cache"
        self.cache.mkdir(parents=True)
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
        token: str = "job-token",
    ) -> Run:
        """Runs ``workflow`` (its path in ``repository``) as ``event`` would."""
        scratch = self._folder / f"run-{len(list(self._folder.glob('run-*')))}"
        artifacts = scratch / "artifacts"
        artifacts.mkdir(parents=True)
        event_file = scratch / "event.json"
        event_file.write_text(json.dumps(payload))
        settings = {
            "TEST_PYTHON": self._python,
            "TEST_CACHE": str(self.cache),
            "TEST_ARTIFACTS": str(artifacts),
        } | dict(env or {})
        command = [str(self._program), event, "--workflows", workflow, "--eventpath", str(event_file), "--json"]
        command += [f"--platform={runner}=-self-hosted" for runner in RUNNERS]
        # Without these three act would pull images and listen on every address of the machine.
        command += ["--pull=false", "--no-cache-server", "--artifact-server-addr=127.0.0.1"]
        command += [f"--action-cache-path={scratch / 'actions'}", f"--secret=GITHUB_TOKEN={token}"]
        command += [f"--local-repository={reference}={place}" for reference, place in self._actions()]
        command += [f"--env={name}={value}" for name, value in settings.items()]
        command += [f"--var={name}={value}" for name, value in (variables or {}).items()]
        done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=600, check=False)
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

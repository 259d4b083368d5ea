"""Makes the action's own Python environment and runs the package in it; needs the standard library alone.

    bootstrap.py prepare    checks the runner and tells the cache step what to keep, and under which key
    bootstrap.py run        makes the environment (or finds it made) and runs the action in it
    bootstrap.py run NAME   the same for one of the others: environments, collect, post, deploy, rollback

The environment lies in RUNNER_TEMP and the package runs from the folder this file came in, so the caller's
Python, PATH, workspace and later steps see nothing of it. What the cache holds is a folder of wheels, not the
environment: every installation checks them against the lock's hashes, wherever they came from.
"""

from __future__ import annotations  # older Pythons must get as far as the check that names them

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)
ATTEMPTS = 3
FIRST_PAUSE_S = 2.0
MISMATCH = "DO NOT MATCH THE HASHES"
NO_PIP = "No module named pip"
PIP_SETTINGS = (
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER",
    "PIP_PROXY",
    "PIP_TRUSTED_HOST",
)
"""Where a company's mirror is and how to reach it. Other PIP_ variables of the job could redirect the
installation; what these name is checked by hash all the same."""

REQUIREMENTS = {"environments": "core", "collect": None, "post": "build", "deploy": "run", "rollback": "jobs"}
"""The locked set each of the other actions needs, if any; the action itself needs what its inputs say."""


class SetupFailed(Exception):  # noqa: N818 it is the end of the run, not an error to be handled
    """The environment cannot be made; the message is a sentence for the person reading the log."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Home:
    """Where one locked set's wheels and environment lie; ``host`` is the Python whose pip is used."""

    def __init__(self, temp: Path, lock: Path, host: str = sys.executable) -> None:
        self.lock = lock
        self.host = host
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        python = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
        self.key = f"mlops-config-action-{lock.stem}-{python}-{digest[:20]}"
        folder = temp / "mlops-config-action" / self.key
        self.wheels = folder / "wheels"
        self.environment = folder / "environment"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return self.environment / inside

    @property
    def is_ready(self) -> bool:
        """Whether an earlier step of this job made the environment to its end."""
        return _is_complete(self.environment) and self.python.exists()


def check_python(version: tuple[int, ...]) -> None:
    """Refuses a Python that is too old.

    Raises:
        SetupFailed: naming the version that was found and the oldest that will do.
    """
    if version[:2] < OLDEST_PYTHON:
        found, oldest = (".".join(map(str, part[:2])) for part in (version, OLDEST_PYTHON))
        raise SetupFailed(f"this action needs Python {oldest} or newer and was started with {found}")


def runner_temp(environ: Mapping[str, str]) -> Path:
    """The folder the runner empties around every job.

    Raises:
        SetupFailed: RUNNER_TEMP is not set, so this is no runner.
    """
    if not environ.get("RUNNER_TEMP"):
        raise SetupFailed("RUNNER_TEMP is not set: this runs as a GitHub action; elsewhere use mlops-config")
    return Path(environ["RUNNER_TEMP"])


def make_ready(
    home: Home, environ: Mapping[str, str], say: Callable[[str], None], pause: Callable[[float], None]
) -> None:
    """Makes the environment of ``home`` unless it is ready, and says how long that took.

    Raises:
        SetupFailed: the packages cannot be fetched, or are not the ones the lock names (exit code 4).
    """
    started = time.monotonic()
    if home.is_ready:
        say("environment: reused, made by an earlier step of this job (warm start)")
        return
    cached = _is_complete(home.wheels)
    if cached:
        try:
            _install(home, environ)
        except SetupFailed as problem:
            say(f"the cached wheels are no good ({problem}); fetching them anew")
            cached = False
    if not cached:
        _fetch(home, environ, say, pause)
        _install(home, environ)
    packages = sorted(" ".join(wheel.name.split("-")[:2]) for wheel in home.wheels.glob("*.whl"))
    say(f"packages: {', '.join(packages)}")
    source = "from the cache (warm start)" if cached else "fetched (cold start)"
    say(f"environment: {len(packages)} packages {source}, ready in {time.monotonic() - started:.1f} s")


def _fetch(
    home: Home, environ: Mapping[str, str], say: Callable[[str], None], pause: Callable[[float], None]
) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        _empty(home.wheels)
        code, said = _pip(["download", "--dest", str(home.wheels)], home, _pip_environment(environ))
        if code == 0:
            _mark_complete(home.wheels)
            return
        if NO_PIP in said:
            raise SetupFailed(f"{home.host} has no pip; the Python of actions/setup-python has one")
        if MISMATCH in said:
            raise SetupFailed(
                "a downloaded package is not the one this action was tested with: its hash is not in"
                f" requirements/{home.lock.name}; see the log above for its name",
                exit_code=4,
            )
        if attempt < ATTEMPTS:
            seconds = FIRST_PAUSE_S * 3 ** (attempt - 1)
            say(f"fetching failed (attempt {attempt} of {ATTEMPTS}); trying again in {seconds:.0f} s")
            pause(seconds)
    raise SetupFailed(
        f"the packages in requirements/{home.lock.name} could not be fetched in {ATTEMPTS} attempts: check"
        " the runner's way to its package index (PIP_INDEX_URL, proxy), then run the job again",
        exit_code=3,
    )


def _install(home: Home, environ: Mapping[str, str]) -> None:
    _empty(home.environment)
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(home.environment)
    where = ["install", "--no-compile", "--no-index", "--find-links", str(home.wheels)]
    isolated = {name: value for name, value in environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    code, _ = _pip(where, home, isolated, into=home.python)
    if code:
        raise SetupFailed("the fetched packages could not be installed: see pip's own words above", 4)
    _mark_complete(home.environment)


def _pip(
    arguments: list[str], home: Home, environ: Mapping[str, str], into: Path | None = None
) -> tuple[int, str]:
    """Runs pip with every package checked by hash; its exit code and what it said, shown as it comes."""
    command = [home.host, "-I", "-m", "pip"]
    command += ["--python", str(into)] if into else []
    command += [*arguments, "--requirement", str(home.lock), "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--no-input", "--no-cache-dir", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--quiet"]
    said = []
    with _deaf_runner():
        process = subprocess.Popen(  # noqa: S603 a list, no shell
            command,
            env=dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with process:
            for line in process.stdout or ():
                _say(line.rstrip("\n"))
                said.append(line)
    return process.returncode, "".join(said)


@contextmanager
def _deaf_runner() -> Iterator[None]:
    """While it lasts the runner takes no line for a workflow command: what pip prints comes from outside."""
    token = secrets.token_hex(16)
    _say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        _say(f"::{token}::")


def _pip_environment(environ: Mapping[str, str]) -> dict[str, str]:
    def is_kept(name: str) -> bool:
        return name in PIP_SETTINGS or not name.startswith(("PIP_", "PYTHON", "MLOPS_INPUT_"))

    return {name: value for name, value in environ.items() if is_kept(name)}


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _mark_complete(folder: Path) -> None:
    (folder / "complete").touch()


def _is_complete(folder: Path) -> bool:
    return (folder / "complete").is_file()


def main(arguments: list[str]) -> int:
    """Runs the command named in ``arguments``; the exit code."""
    sys.path.insert(0, str(ROOT / "src"))
    try:
        check_python(sys.version_info[:3])
        command, entry = ([*arguments, "action"])[:2]
        requirements = _requirements(entry)
        if requirements is None:
            return _run(Path(sys.executable), entry)
        home = Home(runner_temp(os.environ), ROOT / "requirements" / f"{requirements}.txt")
        if command == "prepare":
            _tell_cache_step(home)
            return 0
        with _group("Set up mlops-config"):
            make_ready(home, os.environ, _say, time.sleep)
        return _run(home.python, entry)
    except SetupFailed as problem:
        return _fail(str(problem), problem.exit_code)
    except OSError as problem:
        return _fail(f"the environment could not be made: {problem}", 3)
    except KeyboardInterrupt:
        return 130


def _requirements(entry: str) -> str | None:
    if entry in REQUIREMENTS:
        return REQUIREMENTS[entry]
    from mlops_config.errors import UsageError
    from mlops_config.github.inputs import read_inputs, requirements_for, settings_text

    try:
        inputs = read_inputs(os.environ)
    except UsageError as problem:
        raise SetupFailed(
            f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        ) from None
    return requirements_for(inputs, settings_text(inputs, Path.cwd()))


def _tell_cache_step(home: Home) -> None:
    wanted = "false" if home.is_ready else "true"
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as stream:
        stream.write(f"key={home.key}\nwheels={home.wheels}\nwanted={wanted}\n")


def _run(python: Path, entry: str) -> int:
    # -I: neither PYTHON* variables nor the caller's folder take part; -X utf8: the same text on every system.
    command = [str(python), "-I", "-X", "utf8", str(ROOT / "action" / "main.py"), entry]
    if os.name != "nt":
        # In this process's place, so that a cancelled job's signal reaches the one that works.
        os.execv(command[0], command)  # noqa: S606 a list, no shell
    return subprocess.run(command, check=False).returncode  # noqa: S603 a list, no shell


@contextmanager
def _group(title: str) -> Iterator[None]:
    _say(f"::group::{title}")
    try:
        yield
    finally:
        _say("::endgroup::")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _fail(message: str, exit_code: int) -> int:
    from mlops_config.github.commands import command

    _say(command("error", message, title="mlops-config"))
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

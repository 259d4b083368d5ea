"""The bootstrap: an environment of its own from hash-locked wheels, and nothing of it in the caller's job.

pip, the environment and the index (a folder) are real; only the packages are small.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from tests.services.pythons import python_with_pip

ROOT = Path(__file__).resolve().parents[2]
NEEDED_BY_BOOTSTRAP = (
    "__init__.py",
    "errors.py",
    "github/__init__.py",
    "github/inputs.py",
    "github/commands.py",
)
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
INHERITED = ("PATH", "SYSTEMROOT", "HOME", "TMPDIR", "TEMP")


def load_bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "action" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bootstrap = load_bootstrap()


class Runner:
    """A folder with what a runner offers: an index, a lock, an action, a workspace, RUNNER_TEMP."""

    def __init__(self, folder):
        self.index = folder / "index"
        self.action = folder / "the action's folder"
        self.temp = folder / "runner temp"
        self.workspace = folder / "workspace"
        self.files = folder / "files"
        self.lock = self.action / "requirements" / "core.txt"
        for place in (self.index, self.lock.parent, self.temp, self.workspace, self.files):
            place.mkdir(parents=True)

    def offer(self, name, version="1.0", code="VALUE = 1\n"):
        """Puts a wheel on the index and locks it; returns its path."""
        folder = self.index / name
        folder.mkdir(exist_ok=True)
        wheel = folder / f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{name}.py", code)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            archive.writestr(f"{info}/WHEEL", WHEEL)
            archive.writestr(f"{info}/RECORD", "")
        (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        with self.lock.open("a") as stream:
            stream.write(f"{name}=={version} --hash=sha256:{digest}\n")
        return wheel

    @property
    def environ(self):
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        files = {name: str(self.files / name) for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT")}
        places = {"RUNNER_TEMP": str(self.temp), "GITHUB_WORKSPACE": str(self.workspace)}
        index = {"PIP_INDEX_URL": self.index.as_uri(), "PIP_CONFIG_FILE": os.devnull}
        return inherited | files | places | index

    @property
    def home(self):
        return bootstrap.Home(self.temp, self.lock, python_with_pip())

    def make_ready(self, pause=lambda _: None):
        """Makes the environment; what was said about it."""
        said = []
        bootstrap.make_ready(self.home, self.environ, said.append, pause)
        return said

    def install_action(self, code):
        """Puts the real bootstrap before a package whose action is ``code``."""
        shutil.copytree(ROOT / "action", self.action / "action", ignore=shutil.ignore_patterns("__pycache__"))
        github = self.action / "src" / "mlops_config" / "github"
        github.mkdir(parents=True)
        for name in NEEDED_BY_BOOTSTRAP:
            shutil.copy(ROOT / "src" / "mlops_config" / name, self.action / "src" / "mlops_config" / name)
        (github / "action.py").write_text(code)

    def start(self, *arguments, **variables):
        """Runs the bootstrap as the action's step does."""
        return subprocess.run(
            [python_with_pip(), "-I", str(self.action / "action" / "bootstrap.py"), *arguments],
            cwd=self.workspace,
            env=self.environ | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


def test_an_environment_is_made_once_and_mended_from_wheels_that_match_the_lock(runner, capfd):
    """One environment's life, since making one takes seconds."""
    runner.offer("one")
    runner.offer("two")
    cold = runner.make_ready()
    found = subprocess.run(
        [runner.home.python, "-I", "-c", "import one, two; print(one.VALUE + two.VALUE)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "2\n"
    assert cold[0] == "packages: one 1.0, two 1.0"
    assert "2 packages fetched (cold start), ready in" in cold[1]

    # What pip prints cannot command the runner.
    lines = capfd.readouterr().out.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    assert len(token) == 32
    assert f"::{token}::" in lines

    # A second step of the job reuses it.
    away = runner.index.with_name("away")
    runner.index.rename(away)
    assert "reused" in runner.make_ready()[0]

    # One that was never finished is made anew, from the cached wheels and without the index.
    (runner.home.environment / "complete").unlink()
    shutil.rmtree(runner.home.environment / "lib", ignore_errors=True)
    assert "from the cache (warm start)" in runner.make_ready()[-1]
    subprocess.run([runner.home.python, "-I", "-c", "import one"], check=True)

    # A tampered wheel in the cache is fetched anew.
    away.rename(runner.index)
    shutil.rmtree(runner.home.environment)
    (cached,) = runner.home.wheels.glob("one-*.whl")
    with zipfile.ZipFile(cached, "a") as archive:
        archive.writestr("evil.py", "")
    capfd.readouterr()
    said = runner.make_ready()
    assert said[0].startswith("the cached wheels are no good")
    assert "fetched (cold start)" in said[-1]
    evil = [runner.home.python, "-I", "-c", "import evil"]
    assert subprocess.run(evil, capture_output=True, check=False).returncode == 1
    assert "DO NOT MATCH THE HASHES" in capfd.readouterr().out


def test_a_package_the_lock_does_not_know_is_refused_at_once_as_an_integrity_mismatch(runner):
    wheel = runner.offer("one")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("evil.py", "")
    pauses = []
    with pytest.raises(bootstrap.SetupFailed, match=r"hash is not in requirements/core\.txt") as caught:
        runner.make_ready(pauses.append)
    assert (caught.value.exit_code, pauses) == (4, [])


def test_a_fetch_that_fails_is_tried_again_after_growing_pauses(runner):
    runner.offer("one")
    away = runner.index.with_name("away")
    runner.index.rename(away)
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            away.rename(runner.index)

    assert "fetched" in runner.make_ready(pause)[-1]
    assert pauses == [2.0, 6.0]


def test_an_index_that_stays_away_ends_the_run_with_what_to_check(runner):
    runner.offer("one")
    shutil.rmtree(runner.index)
    with pytest.raises(bootstrap.SetupFailed, match="could not be fetched in 3 attempts: check") as caught:
        runner.make_ready()
    assert caught.value.exit_code == 3
    assert not runner.home.is_ready


def test_a_source_distribution_is_never_built(runner):
    runner.offer("one").unlink()
    source = runner.index / "one" / "one-1.0.tar.gz"
    source.write_bytes(b"")
    (source.parent / "index.html").write_text(f'<a href="{source.name}">{source.name}</a>')
    with pytest.raises(bootstrap.SetupFailed, match="could not be fetched"):
        runner.make_ready()


def test_pip_gets_the_way_to_the_index_and_no_other_setting_or_secret_of_the_job():
    job = {
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "PIP_TARGET": "elsewhere",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PYTHONPATH": "planted",
        "MLOPS_INPUT_GITHUB_TOKEN": "secret",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }
    kept = bootstrap._pip_environment(job)
    assert kept == {name: job[name] for name in ("PIP_INDEX_URL", "HTTPS_PROXY")}


def test_the_key_depends_on_the_lock(runner):
    runner.offer("one")
    before = runner.home.key
    runner.offer("two")
    assert runner.home.key != before
    assert sys.implementation.cache_tag in before


def test_a_python_that_is_too_old_is_named():
    with pytest.raises(bootstrap.SetupFailed, match=r"needs Python 3\.11 or newer and was started with 3\.9"):
        bootstrap.check_python((3, 9, 18))
    bootstrap.check_python((3, 14, 0))


def test_outside_a_runner_it_says_so(runner):
    runner.offer("one")
    runner.install_action("")
    result = runner.start("run", RUNNER_TEMP="")
    assert result.returncode == 2
    assert "::error title=mlops-config::RUNNER_TEMP is not set" in result.stdout


def test_the_package_runs_from_the_actions_own_folder_and_nothing_of_the_job_reaches_it(runner):
    runner.offer("one")
    runner.install_action(
        "import json, sys\n"
        "def main(arguments):\n"
        "    print('ran', json.dumps([arguments, sys.path, sys.flags.isolated, __file__]))\n"
        "    return 7\n"
    )
    (runner.workspace / "one.py").write_text("raise SystemExit('planted in the workspace')")
    planted = runner.files / "planted"
    planted.mkdir()
    (planted / "sitecustomize.py").write_text("print('planted by PYTHONPATH')")
    result = runner.start("run", PYTHONPATH=str(planted), PYTHONSTARTUP=str(planted / "sitecustomize.py"))
    assert result.returncode == 7, result.stdout + result.stderr
    assert "planted" not in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("ran ")]
    arguments, path, isolated, file = json.loads(line.removeprefix("ran "))
    assert (arguments, isolated) == (["action"], 1)
    assert path[0] == str(runner.action / "src")
    assert Path(file).is_relative_to(runner.action)
    assert str(runner.workspace) not in path
    assert [entry.name for entry in runner.workspace.iterdir()] == ["one.py"]
    assert [entry.name for entry in runner.files.iterdir()] == ["planted"]  # no GITHUB_ENV, no GITHUB_PATH


def test_a_mistake_in_the_inputs_ends_the_run_before_anything_is_installed(runner):
    runner.offer("one")
    runner.install_action("")
    result = runner.start("prepare", MLOPS_INPUT_STAGES="validate\n::error::oops")
    assert result.returncode == 2
    assert result.stdout == (
        "::error title=mlops-config::the input stages has '::error::oops',"
        " which is none of validate, build, publish, notes\n"
    )
    assert not list(runner.temp.iterdir())


def test_the_cache_step_learns_what_to_keep_and_the_smaller_actions_run_by_their_name(runner):
    runner.offer("one")
    runner.install_action("def main(arguments):\n    print('ran', *arguments)\n    return 0\n")
    assert runner.start("prepare").returncode == 0
    first = (runner.files / "GITHUB_OUTPUT").read_text()
    assert first == f"key={runner.home.key}\nwheels={runner.home.wheels}\nwanted=true\n"
    result = runner.start("run", "environments")
    assert result.returncode == 0
    assert "ran environments" in result.stdout
    assert runner.start("prepare").returncode == 0
    assert (runner.files / "GITHUB_OUTPUT").read_text().endswith("wanted=false\n")


WAITING = """
import signal
def main(arguments):
    try:
        print("waiting", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        return 7
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_cancelled_jobs_signal_reaches_the_program_that_works(runner):
    runner.offer("one")
    runner.install_action(WAITING)
    script = f"exec '{python_with_pip()}' -I \"$BOOTSTRAP\" run"
    process = subprocess.Popen(
        ["bash", "-e", "-c", script],
        env=runner.environ | {"BOOTSTRAP": str(runner.action / "action" / "bootstrap.py")},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert any(line == "waiting\n" for line in process.stdout)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 7


def test_a_python_without_pip_is_named(runner, tmp_path):
    runner.offer("one")
    venv.EnvBuilder(with_pip=False).create(tmp_path / "bare")
    home = bootstrap.Home(runner.temp, runner.lock, str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(bootstrap.SetupFailed, match="has no pip"):
        bootstrap.make_ready(home, runner.environ, print, print)


def test_every_lock_it_may_name_is_there():
    named = {*bootstrap.REQUIREMENTS.values(), "core", "build", "s3", "gcs", "run"} - {None}
    assert all((ROOT / "requirements" / f"{name}.txt").is_file() for name in named)

"""Gives every test a machine of its own: no credentials, settings or GitHub run of the outside reach it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ROOT / "tests" / "services"
END_TO_END = ROOT / "tests" / "e2e"
ONE_AIRFLOW = END_TO_END / "airflow"

# Every module of tests/services with fixtures is a plug-in: servers on loopback, one set per test process.
pytest_plugins = [
    f"tests.services.{path.stem}"
    for path in sorted(SERVICES.glob("[a-z]*.py"))
    if "pytest.fixture" in path.read_text(encoding="utf-8")
]

# Threads of several test processes that wait for each other by spinning leave two cores no time for work.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

FOREIGN = (
    *(
        "ACTIONS_",
        "ACT",
        "AIRFLOW_",
        "AWS_",
        "AZURE_",
        "BUILDX_",
        "CLOUDSDK_",
        "GCP_",
        "GH_",
        "GITHUB_",
        "GIT_",
        "GOOGLE_",
    ),
    *(
        "INPUT_",
        "MLFLOW_",
        "MLOPS_",
        "OTEL_",
        "RUNNER_",
        "SOURCE_DATE_EPOCH",
        "STORAGE_EMULATOR_HOST",
        "XDG_",
    ),
    *("COLUMNS", "FORCE_COLOR", "NO_COLOR"),
)
"""Beginnings of variables that change what we, git, Docker or a cloud SDK do."""
KEPT = ("AWS_CA_BUNDLE", "GIT_SSL_CAINFO")
"""Where the machine keeps its certificates is no setting of what is tested."""


def pytest_configure(config: pytest.Config) -> None:
    """Lets Ctrl-C through, and puts the programs that `make services` unpacked before the machine's own."""
    config.addinivalue_line("markers", "e2e: needs a real part: an engine, a registry, an object store, act")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell that starts us in the background ignores it, and so would every process a test interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # How long an example takes says more about the machine's other work than about what is tested.
    settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("steady")
    programs = str(ROOT / ".cache" / "bin")
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is below tests/e2e as end-to-end, and lets it begin, what takes longest first."""
    for item in items:
        if END_TO_END in item.path.parents:
            item.add_marker("e2e")
    items.sort(key=lambda item: (END_TO_END not in item.path.parents, ONE_AIRFLOW not in item.path.parents))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives each worker whole modules, and one of them all that share an Airflow, which is busy even idle."""
    from xdist.scheduler import LoadScopeScheduling

    class SharedAirflow(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = ONE_AIRFLOW.relative_to(ROOT).as_posix()
            return folder if nodeid.startswith(f"{folder}/") else super()._split_scope(nodeid)

    return SharedAirflow(config, log) if config.getoption("dist") == "loadscope" else None


def docker_settings() -> tuple[str | None, Path]:
    """The engine the user's Docker context points at (``None``: the default one), and the user's plug-ins."""
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    if os.environ.get("DOCKER_HOST") or not (config / "config.json").exists() or not shutil.which("docker"):
        return None, config / "cli-plugins"
    endpoint = subprocess.run(
        ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    ).stdout.strip()
    return endpoint or None, config / "cli-plugins"


@pytest.fixture(scope="session", autouse=True)
def own_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own for the session, and none of the outside's variables; returns that home."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Test\n\temail = test@example.invalid\n"
        "[init]\n\tdefaultBranch = main\n[commit]\n\tgpgSign = false\n[gc]\n\tauto = 0\n"
    )
    endpoint, plugins = docker_settings()
    (home / ".docker" / "cli-plugins").mkdir(parents=True)
    for folder in (ROOT / ".cache" / "docker" / "cli-plugins", plugins):
        for plugin in folder.glob("docker-*"):
            link = home / ".docker" / "cli-plugins" / plugin.name
            if not link.is_symlink():
                link.symlink_to(plugin.resolve())
    with pytest.MonkeyPatch.context() as patch:
        # Downloads the user has already are no secret, and some tests install packages.
        patch.setenv("PIP_CACHE_DIR", os.environ.get("PIP_CACHE_DIR") or str(Path.home() / ".cache" / "pip"))
        for name in list(os.environ):
            if name.startswith(FOREIGN) and name not in KEPT:
                patch.delenv(name)
        if endpoint:
            patch.setenv("DOCKER_HOST", endpoint)
        patch.setenv("HOME", str(home))
        patch.setenv("DOCKER_CONFIG", str(home / ".docker"))
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        # Without it a cloud SDK asks the machine's metadata address for credentials, and waits.
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("TZ", "UTC")
        patch.setenv("LC_ALL", "C.UTF-8")
        yield home

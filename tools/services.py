"""Brings up what the end-to-end tests need from the machine: programs, node packages and a Docker engine.

    tools/services.py up        install (Debian, as root, unless MLOPS_INSTALL=0) and start what is missing
    tools/services.py need PROGRAM…   install just these, where that can be done
    tools/services.py status    say what is there
    tools/services.py down      stop the engine that `up` started, and no other

Registries, object stores and the GitHub stand-in are not started here: each test session starts its own.
Standard library only. Everything made here lies under .cache/, but for Debian packages.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
PROGRAMS = CACHE / "bin"
PLUGINS = CACHE / "docker" / "cli-plugins"
ENGINE_PID = CACHE / "dockerd.pid"
ENGINE_LOG = CACHE / "dockerd.log"
ENGINE_SOCKET = Path("/var/run/docker.sock")
ENGINE_START_SECONDS = 60
POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True, slots=True)
class Program:
    """A program the tests call, the Debian package that has it, and what goes untested without it."""

    name: str
    package: str
    why: str
    newer_suite: str | None = None
    """The Debian release to take the one package from, into .cache/, when this release has none."""
    is_plugin: bool = False
    """Whether it is a plug-in of the docker command rather than a program on PATH."""


PROGRAMS_NEEDED = (
    Program("docker", "docker.io", "images built by an engine"),
    Program(
        "docker-buildx", "docker-buildx", "images built by BuildKit", newer_suite="trixie", is_plugin=True
    ),
    Program("docker-registry", "docker-registry", "pushes to a registry"),
    Program("skopeo", "skopeo", "reading our images and artifacts with somebody else's client"),
    Program("oras", "oras", "pulling our artifacts with somebody else's client", newer_suite="trixie"),
    Program("shellcheck", "shellcheck", "shell scripts"),
    Program("promtool", "prometheus", "alert rules as Prometheus reads them"),
    Program("prometheus", "prometheus", "alerts that a Prometheus fires"),
    Program("prometheus-pushgateway", "prometheus-pushgateway", "metrics pushed to a gateway"),
    Program("busybox", "busybox-static", "base images that can run a command"),
    Program("mmdebstrap", "mmdebstrap", "the runtime image, on a base that no registry has to give"),
    Program("java", "openjdk-17-jre-headless", "profiles and batch scoring on Spark"),
    Program("node", "nodejs", "GitHub's own workflow parser"),
    Program("npm", "npm", "GitHub's own workflow parser"),
)


def say(text: str) -> None:
    """One line on what happens, to stderr."""
    print(f"services: {text}", file=sys.stderr, flush=True)


class ServicesError(Exception):
    """Something could not be brought up; the text says what and what to do."""


def run(*command: str | Path, cwd: Path = ROOT, timeout: float = 600) -> str:
    """The command's standard output. Raises ServicesError with the end of what it said when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise ServicesError(f"`{shlex.join(map(str, command))}` ended with {done.returncode}:\n{said}")
    return done.stdout


def find(program: str) -> str | None:
    """Where the program lies: on PATH, in the system's folders, or among those put into .cache/bin."""
    folders = [str(PROGRAMS), os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"]
    return shutil.which(program, path=os.pathsep.join(folders))


def find_plugin(plugin: str) -> str | None:
    """Where the docker command's plug-in lies: in the folders it looks into, or put into .cache/."""
    user = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    system = [f"/usr/{part}/docker/cli-plugins" for part in ("local/lib", "local/libexec", "lib", "libexec")]
    return shutil.which(plugin, path=os.pathsep.join([str(PLUGINS), f"{user}/cli-plugins", *system]))


def find_needed(program: Program) -> str | None:
    """Where a program or a plug-in lies."""
    return find_plugin(program.name) if program.is_plugin else find(program.name)


def may_install() -> bool:
    """Whether packages may be installed: on Debian or a relative, as root, unless MLOPS_INSTALL=0."""
    with contextlib.suppress(OSError):
        release = dict(
            line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
        )
        family = {release.get("ID", "").strip('"'), *release.get("ID_LIKE", "").strip('"').split()}
        return "debian" in family and os.geteuid() == 0 and os.environ.get("MLOPS_INSTALL") != "0"
    return False


@contextlib.contextmanager
def no_daemons_started() -> Iterator[None]:
    """While packages are installed, no service starts: Debian's registry would listen on every address."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install(packages: Sequence[str]) -> None:
    """Installs Debian packages."""
    say(f"installing {' '.join(packages)}")
    run("apt-get", "update", "-qq")
    with no_daemons_started():
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def archive_mirror() -> str | None:
    """The address this machine takes Debian's main archive from, as its own sources name it."""
    for sources in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if sources.suffix not in {".list", ".sources"} or not sources.is_file():
            continue
        for line in sources.read_text().splitlines():
            words = line.split()
            addresses = [word for word in words if "://" in word and "security" not in word]
            if words and words[0] in {"URIs:", "deb"} and addresses and "debian" in addresses[0]:
                return addresses[0]
    return None


def unpack_from(suite: str, program: Program) -> None:
    """Unpacks one package of another Debian release under .cache/, and links its program into .cache/bin."""
    mirror = archive_mirror()
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if mirror is None or not keys.exists():
        raise ServicesError(
            f"this machine's package sources name no Debian archive to take {program.package} from"
        )
    say(f"unpacking {program.package} from Debian {suite} into .cache/")
    apt = CACHE / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb [signed-by={keys}] {mirror} {suite} main\n")
    options = [
        f"--option=Dir::Etc::SourceList={apt / 'sources.list'}",
        "--option=Dir::Etc::SourceParts=/dev/null",
        f"--option=Dir::State::Lists={apt / 'lists'}",
        f"--option=Dir::Cache={apt}",
        "--option=APT::Sandbox::User=root",
    ]
    run("apt-get", *options, "update", "-qq")
    run("apt-get", *options, "download", "-qq", program.package, cwd=apt)
    package = max(apt.glob(f"{program.package}_*.deb"))
    run("dpkg-deb", "-x", package, CACHE / "debian")
    unpacked = (
        CACHE
        / "debian"
        / "usr"
        / ("libexec/docker/cli-plugins" if program.is_plugin else "bin")
        / program.name
    )
    link = (PLUGINS if program.is_plugin else PROGRAMS) / program.name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(unpacked, link.parent))


def provide_programs() -> None:
    """Installs the programs that are missing, or says what goes untested without them."""
    missing = [program for program in PROGRAMS_NEEDED if find_needed(program) is None]
    if missing and not may_install():
        for program in missing:
            say(f"no {program.name}: tests of {program.why} are skipped (fail with CI=true)")
        return
    without_engine = engine_version() is None and find("dockerd") is None
    install_programs(missing, ["docker.io"] if without_engine else [])


def need(names: Sequence[str]) -> None:
    """Installs the programs of these names. Raises ServicesError when one is missing and cannot be."""
    missing = [each for each in PROGRAMS_NEEDED if each.name in names and find_needed(each) is None]
    if missing and not may_install():
        packages = " ".join(sorted({program.package for program in missing}))
        raise ServicesError(
            f"{', '.join(program.name for program in missing)} is missing; it is in the package {packages}"
            " of Debian and Ubuntu, and has to be on PATH"
        )
    install_programs(missing)


def install_programs(missing: Sequence[Program], more: Sequence[str] = ()) -> None:
    """Installs the packages of the programs, and ``more`` packages."""
    elsewhere = [program for program in missing if program.newer_suite and not is_in_archive(program.package)]
    packages = sorted({program.package for program in missing if program not in elsewhere} | set(more))
    if packages:
        install(packages)
    for program in elsewhere:
        unpack_from(program.newer_suite or "", program)
    shutil.rmtree(CACHE / "apt", ignore_errors=True)


def is_in_archive(package: str) -> bool:
    """Whether the machine's own Debian release has the package."""
    return (
        "Candidate: " in (known := run("apt-cache", "policy", package)) and "Candidate: (none)" not in known
    )


def provide_node_packages() -> None:
    """Runs `npm ci` beside every package-lock.json of the tests that is not installed as it says."""
    locks = [p for p in sorted((ROOT / "tests").rglob("package-lock.json")) if "node_modules" not in p.parts]
    for lock in locks:
        stamp = lock.parent / "node_modules" / ".installed"
        wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
        if stamp.is_file() and stamp.read_text() == wanted:
            continue
        npm = find("npm")
        if npm is None:
            say(f"no npm: tests that use {lock.parent.relative_to(ROOT)} are skipped (fail with CI=true)")
            continue
        say(f"installing the node packages of {lock.parent.relative_to(ROOT)}")
        run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=lock.parent)
        stamp.write_text(wanted)


def engine_version() -> str | None:
    """The version of the Docker engine the client reaches (DOCKER_HOST and contexts count), or None."""
    docker = find("docker")
    if docker is None:
        return None
    try:
        answer = json.loads(run(docker, "version", "--format", "{{json .Server}}", timeout=20))
    except (ServicesError, subprocess.TimeoutExpired, ValueError):
        return None
    return str(answer["Version"]) if answer else None


def engine_process() -> int | None:
    """The process id of a dockerd on this machine, whoever started it."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "comm").read_text().strip() == "dockerd":
                return int(entry.name)
    return None


def wait_for_engine(process: subprocess.Popen[bytes] | None) -> str:
    """The engine's version, as soon as it answers."""
    deadline = time.monotonic() + ENGINE_START_SECONDS
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            break
        if ENGINE_SOCKET.exists():
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(ENGINE_SOCKET))
                if version := engine_version():
                    return version
        time.sleep(0.1)
    tail = ENGINE_LOG.read_text(errors="replace").splitlines()[-15:] if ENGINE_LOG.exists() else []
    raise ServicesError("\n".join([f"no Docker engine answers; {ENGINE_LOG} ends with:", *tail]))


def provide_engine() -> None:
    """Starts a Docker engine unless one answers; never a second one: two break each other's network."""
    if version := engine_version():
        say(f"Docker engine {version} answers")
        return
    if os.environ.get("DOCKER_HOST") or not may_install() or find("dockerd") is None:
        say("no Docker engine answers: tests that need one are skipped (fail with CI=true)")
        return
    if (running := engine_process()) is not None:
        say(f"dockerd ({running}) is there but does not answer yet")
        say(f"Docker engine {wait_for_engine(None)} answers")
        return
    CACHE.mkdir(exist_ok=True)
    with ENGINE_LOG.open("wb") as log:
        # On its unix socket only, and in a session of its own, so that Ctrl-C in `make test` leaves it alone.
        process = subprocess.Popen(
            [str(find("dockerd")), "--host", f"unix://{ENGINE_SOCKET}", "--log-level", "warn"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    ENGINE_PID.write_text(f"{process.pid}\n")
    version = wait_for_engine(process)
    say(f"Docker engine {version} started (process {process.pid}; stop it: make services-stop)")


def stop_engine() -> None:
    """Stops the engine that `up` started, if it still runs."""
    if not ENGINE_PID.exists():
        say("no engine was started here")
        return
    pid = int(ENGINE_PID.read_text())
    if engine_process() == pid:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + ENGINE_START_SECONDS
        while engine_process() == pid:
            if time.monotonic() > deadline:
                raise ServicesError(f"dockerd ({pid}) does not stop; its log is {ENGINE_LOG}")
            time.sleep(0.1)
        say(f"Docker engine ({pid}) stopped")
    ENGINE_PID.unlink()


def status() -> None:
    """Says what is there."""
    for program in PROGRAMS_NEEDED:
        say(f"{program.name}: {find_needed(program) or f'missing ({program.why})'}")
    say(f"engine: {engine_version() or 'none answers'}")


def up() -> None:
    """Brings up everything it can. Raises ServicesError, at the end, when something would not come up."""
    failed = []
    for provide in (provide_programs, provide_node_packages, provide_engine):
        try:
            provide()
        except (ServicesError, OSError, subprocess.TimeoutExpired) as error:
            say(str(error))
            failed.append(provide.__name__.removeprefix("provide_").replace("_", " "))
    if failed:
        raise ServicesError(f"not all of it came up ({', '.join(failed)}): tests that need it will say so")


def main() -> int:
    """Exit code 0, or 3 when something could not be brought up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("up", "down", "status"):
        verbs.add_parser(name)
    verbs.add_parser("need").add_argument("programs", nargs="+", choices=[p.name for p in PROGRAMS_NEEDED])
    arguments = parser.parse_args()
    try:
        if arguments.verb == "need":
            need(arguments.programs)
        else:
            {"up": up, "down": stop_engine, "status": status}[arguments.verb]()
    except (ServicesError, OSError, subprocess.TimeoutExpired) as error:
        say(str(error))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

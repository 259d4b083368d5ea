"""Builds the runtime image from a wheelhouse: wheels that the lock names, each checked against its hash.

    python tools/runtime_image.py --tag ghcr.io/acme/mlops-runtime:1.0.0
    python tools/runtime_image.py --tag runtime:test --base-image my-python:3.11
    python tools/runtime_image.py --context-only build/runtime     what the build gets, without an engine

Only the wheelhouse needs a network, and only the first time: it is kept in .cache/. The base image must have
the Python this program runs with (its minor version), with the venv module, and libgomp1 for LightGBM.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "jobs.txt"
CACHE = ROOT / ".cache" / "wheelhouse"
ENTRY_POINTS = (
    "training_main.py",
    "inference_main.py",
    "monitoring_main.py",
    "retraining_main.py",
    "healthcheck.py",
)
COMMANDS = ("serve",)


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the context and has the engine build it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tag", default="mlops-runtime:local", metavar="NAME", help="default: mlops-runtime:local"
    )
    parser.add_argument("--base-image", metavar="IMAGE", help="default: the Dockerfile's")
    parser.add_argument(
        "--context-only", type=Path, metavar="DIR", help="write the build context here, and end"
    )
    arguments = parser.parse_args(argv)
    if arguments.context_only:
        make_context(arguments.context_only)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder) / "context"
        make_context(context)
        build(context, arguments.tag, arguments.base_image)
    return 0


def make_context(context: Path) -> None:
    """Writes everything the Dockerfile copies, and the Dockerfile, into a new folder."""
    context.mkdir(parents=True)
    house = wheelhouse()
    shutil.copytree(house, context / "wheelhouse", copy_function=_link_or_copy)
    (context / "wheelhouse" / "requirements.txt").write_bytes(LOCK.read_bytes())
    (context / "own").mkdir()
    wheel = own_wheel(context / "own")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    name, version = wheel.name.split("-")[:2]
    own = f"{name.replace('_', '-')}=={version} --hash=sha256:{digest}\n"
    (context / "own" / "requirements.txt").write_text(own)
    (context / "app" / "bin").mkdir(parents=True)
    for name in ENTRY_POINTS:
        shutil.copy(ROOT / "docker" / name, context / "app" / name)
    for name in COMMANDS:
        shutil.copy(ROOT / "docker" / name, context / "app" / "bin" / name)
    shutil.copy(ROOT / "docker" / "runtime.Dockerfile", context / "Dockerfile")


def wheelhouse() -> Path:
    """The folder with the lock's wheels for this Python and machine; downloaded when it is not there."""
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    folder = CACHE / f"{key}-{python}-{platform.machine()}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as partial:
        _pip(
            "download",
            "--dest",
            partial,
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--requirement",
            LOCK,
        )
        Path(partial).chmod(0o755)
        for older in CACHE.glob(f"*-{python}-{platform.machine()}"):
            shutil.rmtree(older)
        shutil.copytree(partial, folder, copy_function=_link_or_copy)
    return folder


def own_wheel(folder: Path) -> Path:
    """This package as a wheel."""
    with tempfile.TemporaryDirectory() as made:
        _pip("wheel", "--wheel-dir", made, "--no-deps", "--no-build-isolation", "--no-index", ROOT)
        (wheel,) = Path(made).glob("*.whl")
        return Path(shutil.copy(wheel, folder))


def build(context: Path, tag: str, base_image: str | None) -> None:
    """Has the engine build the context."""
    command = ["docker", "build", "--tag", tag, "--network", "none"]
    if base_image:
        command += ["--build-arg", f"BASE_IMAGE={base_image}"]
    if revision := _revision():
        command += ["--label", f"org.opencontainers.image.revision={revision}"]
    subprocess.run([*command, str(context)], check=True)


def _revision() -> str | None:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


if __name__ == "__main__":
    sys.exit(main())

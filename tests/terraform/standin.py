"""Lets Terraform work with no cloud: ``python -m tests.terraform.standin FOLDER`` prints the exports.

The folder then holds a mirror with both providers (``tests/terraform/provider``), Terraform's settings that
name the mirror, and ``cloud/``: what was "made", a file per object. The providers take any credentials.
"""

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.terraform import identity as identities

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".cache" / "provider" / "bin" / "python"
"""Its own, for the plug-in protocol's stubs need an older protobuf: ``make environments`` makes it."""
SCHEMAS = ROOT / "tests" / "terraform" / "schemas"
STARTING = ROOT / "tests" / "terraform" / "provider" / "starting.py"
_SOCKET = "preloaded"
VERSIONS: Mapping[str, str] = {"aws": "6.69.1", "google": "8.7.0"}
"""Of the providers whose schemas these are."""
_REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_BESIDE = ("dags", "docker", "requirements")
"""Folders of a checkout that the modules take files from."""
_LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'


@dataclass(frozen=True)
class Environment:
    """A prepared folder."""

    folder: Path
    variables: Mapping[str, str]
    """What Terraform's environment must hold."""

    @property
    def cloud(self) -> Path:
        """Where the objects lie."""
        return Path(self.variables["STANDIN_CLOUD"])

    def with_cloud(self, cloud: Path) -> "Environment":
        """The same mirror with another cloud, for tests that must not see each other's objects."""
        return Environment(self.folder, {**self.variables, "STANDIN_CLOUD": str(cloud)})


def prepare(folder: Path, schemas: Path = SCHEMAS) -> Environment:
    """Makes the mirror and the settings below ``folder``, and an empty cloud unless there is one.

    Raises ``FileNotFoundError`` when the Python that runs the providers is not there.
    """
    if not PYTHON.exists():
        raise FileNotFoundError(f"no {PYTHON}: run `make environments` first")
    folder = folder.resolve()
    identity = folder / "identity"
    identities.write(identity)
    system = f"{platform.system().lower()}_{_MACHINES.get(platform.machine(), platform.machine())}"
    for family, version in VERSIONS.items():
        command = [
            *(str(PYTHON), "-IS", str(STARTING), str(folder / _SOCKET), str(PYTHON)),
            *(family, str(schemas / f"{family}.json"), str(identity)),
        ]
        for registry in _REGISTRIES:
            place = folder / "mirror" / registry / "hashicorp" / family / version / system
            place.mkdir(parents=True, exist_ok=True)
            program = place / f"terraform-provider-{family}_v{version}"
            program.write_text(
                f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(command)}\n", "utf-8"
            )
            program.chmod(0o755)
    settings = folder / "terraform.tfrc"
    settings.write_text(
        "disable_checkpoint = true\n"
        "provider_installation {\n"
        f'  filesystem_mirror {{ path = "{folder / "mirror"}" }}\n'
        '  direct { exclude = ["registry.terraform.io/hashicorp/*", "registry.opentofu.org/hashicorp/*"] }\n'
        "}\n",
        encoding="utf-8",
    )
    (folder / "cloud").mkdir(exist_ok=True)
    return Environment(
        folder,
        {
            "TF_CLI_CONFIG_FILE": str(settings),
            "STANDIN_CLOUD": str(folder / "cloud"),
            "AWS_ACCESS_KEY_ID": "standin",
            "AWS_SECRET_ACCESS_KEY": "standin",
            "AWS_EC2_METADATA_DISABLED": "true",
            "GOOGLE_OAUTH_ACCESS_TOKEN": "standin",
        },
    )


@contextmanager
def preloaded(environment: Environment) -> Iterator[Environment]:
    """Inside, the providers of a prepared folder start in a fraction of the time."""
    path = environment.folder / _SOCKET
    command = [str(PYTHON), "-m", "tests.terraform.provider.preloaded", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{command} ended with exit code {process.wait()}")
            yield environment
        finally:
            process.terminate()
            path.unlink(missing_ok=True)


def stage(source: Path, target: Path) -> Path:
    """Copies a folder of modules to work in, and gives each root in it that has a backend its state on disk.

    What a run left (``.terraform``, state, plans) is not copied. What the modules take from their checkout is
    copied to beside ``target``, unless it is there. Returns ``target``.
    """
    left = shutil.ignore_patterns(
        ".terraform", ".terraform.lock.hcl", "*.tfstate*", "*.tfplan", "*.auto.tfvars.json"
    )
    shutil.copytree(source, target, ignore=left, dirs_exist_ok=True)
    for name in _BESIDE:
        if (source.parent / name).is_dir() and not (target.parent / name).exists():
            shutil.copytree(source.parent / name, target.parent / name)
    for file in target.rglob("*.tf"):
        if 'backend "' in file.read_text("utf-8") and file.name != "backend_override.tf":
            (file.parent / "backend_override.tf").write_text(_LOCAL_STATE, encoding="utf-8")
    return target


def main() -> None:
    """Prepares the folder given, and the staged ``terraform/`` in it; prints what to export."""
    parser = argparse.ArgumentParser(prog="python -m tests.terraform.standin", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    prepared = prepare(parser.parse_args().folder)
    for name, value in prepared.variables.items():
        print(f"export {name}={shlex.quote(value)}")
    if (ROOT / "terraform").is_dir():
        copy = stage(ROOT / "terraform", prepared.folder / "terraform")
        print(f"# terraform/ with its state on disk: {copy}")
    print(f"# what is made lies in {os.path.relpath(prepared.cloud)}", file=sys.stderr)


if __name__ == "__main__":
    main()

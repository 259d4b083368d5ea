"""Finds Terraform or OpenTofu, or puts the Terraform that the modules are tested with into .cache/bin.

    tools/terraform.py          says where it is; downloads HashiCorp's own build where there is none

The download is checked against its hash. Standard library only.
"""

import hashlib
import io
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / ".cache" / "bin"
VERSION = "1.11.4"
RELEASES = "https://releases.hashicorp.com/terraform"
SHA256 = {
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}
"""Of the archives, as HashiCorp published them."""
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
TIMEOUT_SECONDS = 60


def find() -> str | None:
    """Where ``terraform``, or else ``tofu``, lies: on PATH or in .cache/bin."""
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)])
    return shutil.which("terraform", path=path) or shutil.which("tofu", path=path)


def provide() -> str:
    """Where it lies by now. Raises OSError when it is not there and cannot be had."""
    if found := find():
        return found
    build = f"{platform.system().lower()}_{MACHINES.get(platform.machine().lower(), platform.machine())}"
    if build not in SHA256:
        raise OSError(f"there is no Terraform, and no hash of its build for {build}")
    address = f"{RELEASES}/{VERSION}/terraform_{VERSION}_{build}.zip"
    with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 it begins with https
        archive = answer.read()
    if (found := hashlib.sha256(archive).hexdigest()) != SHA256[build]:
        raise OSError(f"{address} has the SHA-256 {found}, not {SHA256[build]}")
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    program, arriving = PROGRAMS / "terraform", PROGRAMS / f"terraform.{os.getpid()}"
    with zipfile.ZipFile(io.BytesIO(archive)) as contents:
        arriving.write_bytes(contents.read("terraform"))
    arriving.chmod(0o755)
    arriving.replace(program)
    return str(program)


def main() -> int:
    """Exit code 0, or 3 when there is none and none can be had."""
    try:
        where = provide()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        print(f"terraform: {reason}", file=sys.stderr)
        print(
            "terraform: install Terraform 1.10 or later (developer.hashicorp.com/terraform/install)"
            " or OpenTofu (opentofu.org/docs/intro/install), and put it on PATH",
            file=sys.stderr,
        )
        return 3
    print(f"terraform: {where}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

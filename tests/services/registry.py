"""A real container registry (distribution 2.8) as a process of its own, on a free port of loopback."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services import unavailable
from tests.services.certificates import Certificate
from tests.services.processes import free_port, server

USER = "ada"
PASSWORD = "correct horse"
# The password's bcrypt hash, the only kind the registry reads.
_HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"


@dataclass(frozen=True)
class Registry:
    """A running registry: ``host`` is ``127.0.0.1:<port>``, ``data`` the folder it keeps its blobs in."""

    host: str
    data: Path

    def blob_path(self, digest: str) -> Path:
        """Where the registry keeps the bytes of a blob or manifest, for tests that tamper with them."""
        algorithm, _, hexdigest = digest.partition(":")
        blobs = self.data / "docker" / "registry" / "v2" / "blobs"
        return blobs / algorithm / hexdigest[:2] / hexdigest / "data"


@contextmanager
def running_registry(
    folder: Path, *, auth: str = "", certificate: Certificate | None = None
) -> Iterator[Registry]:
    """A registry that keeps everything under ``folder``, with TLS when it gets a certificate.

    ``auth`` is the YAML of its ``auth`` section.
    """
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        unavailable("no docker-registry on PATH (Debian: apt-get install docker-registry)")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    data = folder / "data"
    settings = folder / "registry.yml"
    files = f"certificate: '{certificate.certificate}', key: '{certificate.key}'" if certificate else ""
    tls = f", tls: {{{files}}}" if certificate else ""
    settings.write_text(
        "version: 0.1\n"
        "log: {level: warn, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{data}'}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'{tls}}}\n" + auth
    )
    with server([program, "serve", str(settings)], port, folder / "registry.log"):
        yield Registry(f"127.0.0.1:{port}", data)


def password_auth(folder: Path) -> str:
    """The ``auth`` section of a registry that asks for :data:`USER` and :data:`PASSWORD` by Basic."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "htpasswd"
    file.write_text(_HTPASSWD)
    return f"auth: {{htpasswd: {{realm: test, path: '{file}'}}}}\n"

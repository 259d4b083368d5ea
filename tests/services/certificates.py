"""A certificate of its own authority for 127.0.0.1, made with openssl for the length of a test session."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.services import unavailable


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate and its RSA key, as PEM files."""

    certificate: Path
    key: Path

    def sign(self, data: bytes) -> bytes:
        """The RSASSA-PKCS1-v1_5 signature with SHA-256 (JWT's RS256)."""
        command = [_openssl(), "dgst", "-sha256", "-sign", str(self.key)]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    def body(self) -> str:
        """The certificate's DER bytes in base64, as a JWT's ``x5c`` header has it."""
        lines = self.certificate.read_text().splitlines()
        return "".join(lines[lines.index("-----BEGIN CERTIFICATE-----") + 1 : -1])


def make_certificate(folder: Path) -> Certificate:
    """A new certificate in ``folder``, good for TLS on 127.0.0.1 and for signing tokens."""
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    settings = folder / "openssl.cnf"
    settings.write_text(
        "[req]\ndistinguished_name = name\nx509_extensions = extensions\nprompt = no\n"
        "[name]\nCN = mlops-config test\n"
        "[extensions]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = critical, CA:TRUE\n"
        "subjectKeyIdentifier = hash\nkeyUsage = critical, digitalSignature, keyCertSign\n"
    )
    command = [_openssl(), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-sha256"]
    files = ["-config", str(settings), "-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command + files, capture_output=True, check=True)
    return made


def _openssl() -> str:
    program = shutil.which("openssl")
    if program is None:
        unavailable("no openssl on PATH (Debian: apt-get install openssl)")
    return program

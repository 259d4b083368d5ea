"""A plan and what belongs to it as one file that only the holder of a key can read, and nobody can alter.

A saved plan holds every value in the clear, secrets too. Sealed, it may wait in a place that others can read,
such as the artifacts of a workflow run. AES-256-GCM (NIST SP 800-38D); the key comes from the passphrase by
scrypt (RFC 7914). The header stays readable, and is authenticated with the rest.
"""

import base64
import binascii
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_VARIABLE = "MLOPS_PLAN_KEY"
LEAST_CHARACTERS = 20

_MAGIC = b"mlops-config plan 1\n"
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 2**26, "dklen": 32}
"""32 MiB and about 0.1 s for each try of a passphrase. Fixed: a file cannot ask for more."""
_SALT_BYTES, _NONCE_BYTES = 16, 12
_LONGEST_HEADER = 65_536


class Header(BaseModel):
    """What anybody may read of a sealed plan: which one it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    release: str
    digest: str
    """Of the plan."""
    terraform_version: str


class _Envelope(Header):
    salt: str = ""
    nonce: str = ""
    sha256: str = ""
    """Of the content, where it is not encrypted."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file that was opened."""

    header: Header
    files: Mapping[str, bytes]
    encrypted: bool

    def require(self, *, environment: str, release: str) -> None:
        """Refuses a plan for something else.

        Raises:
            IntegrityError: it is of another environment or release.
        """
        found = self.header
        if (found.environment, found.release) != (environment, release):
            raise IntegrityError(
                f"this plan is for release {found.release} of {found.environment},"
                f" not for {release} of {environment}",
                hint="take the plan that was made for this release",
            )


def plan_key(variables: Mapping[str, str] | None = None) -> str | None:
    """The passphrase in :data:`KEY_VARIABLE`; ``None`` where there is none.

    Raises:
        UsageError: it is too short to keep anything secret.
    """
    key = (os.environ if variables is None else variables).get(KEY_VARIABLE, "").strip()
    if key and len(key) < LEAST_CHARACTERS:
        raise UsageError(
            f"{KEY_VARIABLE} has {len(key)} characters: {LEAST_CHARACTERS} are the least",
            hint="make one with: openssl rand -base64 32",
        )
    return key or None


def seal(files: Mapping[str, bytes], header: Header, key: str | None) -> bytes:
    """The files under one seal; without a key in the clear, with a digest against accidents only.

    Raises:
        UsageError: a key is given, and the library that encrypts is not installed.
    """
    content = json.dumps({name: base64.b64encode(data).decode() for name, data in sorted(files.items())})
    plain = content.encode()
    about = header.model_dump()
    if key is None:
        return _packed(_Envelope(**about, sha256=sha256_of(plain)), plain)
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    envelope = _Envelope(**about, salt=salt.hex(), nonce=nonce.hex())
    return _packed(envelope, _cipher(key, salt).encrypt(nonce, plain, _packed(envelope, b"")))


def unseal(data: bytes, key: str | None) -> Sealed:
    """What :func:`seal` was given.

    Raises:
        UsageError: this is no sealed plan, or its key is not given.
        IntegrityError: the key is another one, or the file was altered or cut short.
    """
    envelope, start = _opened(data)
    header = Header(**envelope.model_dump(include=set(Header.model_fields)))
    if not envelope.nonce:
        if sha256_of(data[start:]) != envelope.sha256:
            raise IntegrityError("the plan file was altered or cut short", hint=_AGAIN)
        return Sealed(header, _unpacked(data[start:]), encrypted=False)
    if key is None:
        raise UsageError(f"the plan is encrypted, and {KEY_VARIABLE} is not set", hint="give its key")
    from cryptography.exceptions import InvalidTag

    cipher = _cipher(key, bytes.fromhex(envelope.salt))
    try:
        plain = cipher.decrypt(bytes.fromhex(envelope.nonce), data[start:], data[:start])
    except InvalidTag as error:
        raise IntegrityError(
            f"the plan cannot be opened: {KEY_VARIABLE} is not its key, or the file was altered", hint=_AGAIN
        ) from error
    return Sealed(header, _unpacked(plain), encrypted=True)


def write_private(path: Path, data: bytes) -> None:
    """Puts ``data`` at ``path``, as a whole, for this user only (mode 0600); folders are made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 from the start
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


_AGAIN = "plan anew"


def _packed(envelope: _Envelope, content: bytes) -> bytes:
    return _MAGIC + envelope.model_dump_json(exclude_defaults=True).encode() + b"\n" + content


def _opened(data: bytes) -> tuple[_Envelope, int]:
    """The header, and where the content begins."""
    end = data.find(b"\n", len(_MAGIC), len(_MAGIC) + _LONGEST_HEADER)
    if not data.startswith(_MAGIC) or end < 0:
        raise UsageError("this file is no plan of mlops-config", hint="deploy --plan writes plan.sealed")
    try:
        envelope = _Envelope.model_validate_json(data[len(_MAGIC) : end])
        lengths = (len(bytes.fromhex(envelope.salt)), len(bytes.fromhex(envelope.nonce)))
    except (ValidationError, ValueError) as error:
        raise IntegrityError("the header of the plan file was altered", hint=_AGAIN) from error
    if lengths not in ((0, 0), (_SALT_BYTES, _NONCE_BYTES)):
        raise IntegrityError("the header of the plan file was altered", hint=_AGAIN)
    return envelope, end + 1


def _unpacked(content: bytes) -> dict[str, bytes]:
    try:
        return {str(name): base64.b64decode(text) for name, text in json.loads(content).items()}
    except (ValueError, AttributeError, TypeError, binascii.Error) as error:
        raise IntegrityError("the content of the plan file is not what was sealed", hint=_AGAIN) from error


def _cipher(key: str, salt: bytes) -> "AESGCM":
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise UsageError(
            "sealing a plan needs the package cryptography",
            hint="pip install 'mlops-config-action[terraform]'",
        ) from error
    return AESGCM(hashlib.scrypt(key.encode(), salt=salt, **_SCRYPT))

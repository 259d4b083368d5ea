"""A store in a folder, ``file:///folder``: files appear whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.store.interface import ObjectExistsError
from mlops_config.store.locks import exclusive
from mlops_config.store.objects import OBJECT_LIMIT_BYTES, ObjectStore, StoredObject

_WRITE_ONCE_MODE = 0o644 if os.name == "nt" else 0o444
"""Windows refuses to remove a read-only file, and the temporary name has to go."""
_POINTER_MODE = 0o644
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EACCES}
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class LocalStore(ObjectStore):
    """Objects are files below ``root``. Symbolic links below it are refused; ``root`` itself may be one.

    Names that start with a dot are the store's own (files being written, locks) and never objects.
    """

    def __init__(self, root: Path, uri: str) -> None:
        self._root = root
        self.uri = uri

    def get(self, key: str) -> StoredObject | None:
        with _disk_errors(f"reading {self.address(key)}"):
            data = self._read(self._path(key))
        return None if data is None else StoredObject(data, sha256_of(data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with _disk_errors(f"writing {self.address(key)}"):
            path = self._path(key)
            stored = self._read(path)
            if stored is None:
                self._make_folder(path.parent)
                with _finished_file(path, data, _WRITE_ONCE_MODE) as temporary:
                    if self._link(temporary, path):
                        return True
                stored = self._read(path)
        if stored != data:
            raise ObjectExistsError(
                f"{self.address(key)} is there with other content:"
                f" it has {sha256_of(stored or b'')}, this is {sha256_of(data)}",
                hint="nothing is overwritten: find out who wrote it, or give the release a new name",
            )
        return False

    def compare_and_swap(self, key: str, data: bytes, expected: str | None) -> str | None:
        with _disk_errors(f"writing {self.address(key)}"):
            path = self._path(key)
            self._make_folder(path.parent)
            with exclusive(self._lock(path)):
                stored = self._read(path)
                if (None if stored is None else sha256_of(stored)) != expected:
                    return None
                with _finished_file(path, data, _POINTER_MODE) as temporary:
                    temporary.replace(path)
                _sync_folder(path.parent)
        return sha256_of(data)

    def keys(self, prefix: str) -> Iterator[str]:
        folder = self._path(prefix.rstrip("/"))
        with _disk_errors(f"listing {self.address(prefix)}"):
            try:
                entries = sorted(folder.iterdir())
            except FileNotFoundError:
                return
        for entry in entries:
            if not entry.name.startswith("."):
                yield prefix + entry.name

    def address(self, key: str) -> str:
        folder = key.endswith("/")
        return (self._root / key).as_uri() + ("/" if folder else "")

    def _path(self, key: str) -> Path:
        """The object's file, after a look at every folder on the way: none may be a symbolic link."""
        path = self._root
        for part in key.split("/"):
            path /= part
            if path.is_symlink():
                raise IntegrityError(
                    f"{path} is a symbolic link, and a store holds none: it could lead anywhere",
                    hint="remove it, or give the store another folder",
                )
        return path

    def _read(self, path: Path) -> bytes | None:
        try:
            handle = os.open(path, os.O_RDONLY | _NO_FOLLOW | _BINARY)
        except FileNotFoundError:
            return None
        try:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode):
                raise IntegrityError(f"{path} is not a file, so this store did not write it")
            if state.st_size > OBJECT_LIMIT_BYTES:
                raise IntegrityError(
                    f"{path} has {state.st_size} bytes; this store writes nothing that large"
                )
            with os.fdopen(handle, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(handle)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)

    def _link(self, temporary: Path, path: Path) -> bool:
        """Gives the finished file its name, unless that is taken; a hard link does both in one step."""
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            with exclusive(self._lock(path)):
                if path.exists():
                    return False
                temporary.replace(path)
        _sync_folder(path.parent)
        return True

    @staticmethod
    def _lock(path: Path) -> Path:
        return path.with_name(f".{path.name}.lock")


@contextmanager
def _finished_file(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """A temporary file beside ``path``, all of ``data`` on the disk; gone afterwards, whatever happens."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
    try:
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Puts the folder's new names on the disk, where the system can (Windows cannot)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise ServiceError(
                f"{doing} failed: {reason}; nothing half-written is left there",
                hint="free some space and run the same command again: it goes on from there",
            ) from error
        if error.errno == errno.ELOOP:
            raise IntegrityError(f"{doing} failed: a symbolic link is in its place") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            hint = f"let {_user()} write there, or give the store another folder"
            raise ServiceError(f"{doing} failed: {reason}", hint=hint) from error
        raise ServiceError(f"{doing} failed: {reason}") from error


def _user() -> str:
    return f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"

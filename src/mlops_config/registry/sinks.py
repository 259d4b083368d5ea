"""Where downloaded bytes go: memory with a limit, or a file that is hashed while it is written."""

import hashlib
import io
from typing import IO, Any

from mlops_config.errors import IntegrityError


class CappedMemory(io.BytesIO):
    """Memory that takes no more than ``limit`` bytes."""

    def __init__(self, limit: int, name: str) -> None:
        super().__init__()
        self._limit = limit
        self._name = name

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self._limit:
            raise IntegrityError(
                f"{self._name} is larger than the {self._limit} bytes it should have at most"
            )
        return super().write(data)


class HashingFile:
    """Passes what is written to a file and hashes it on the way."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def seek(self, offset: int) -> int:
        self._hash, self.size = hashlib.sha256(), 0
        return self._file.seek(offset)

    def truncate(self) -> int:
        return self._file.truncate()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

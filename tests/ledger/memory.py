"""A store in memory, for tests that make thousands of ledgers."""

from collections.abc import Iterator

from mlops_config.store.interface import ObjectExistsError
from mlops_config.store.objects import ObjectStore, StoredObject


class MemoryStore(ObjectStore):
    uri = "memory:"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.reads: list[str] = []

    def get(self, key: str) -> StoredObject | None:
        self.reads.append(key)
        data = self.objects.get(key)
        return None if data is None else StoredObject(data, "")

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if self.objects.setdefault(key, data) is data:
            return True
        if self.objects[key] != data:
            raise ObjectExistsError(f"{key} is there with other content")
        return False

    def compare_and_swap(self, key: str, data: bytes, expected: str | None) -> str | None:
        raise NotImplementedError("a ledger replaces nothing")

    def keys(self, prefix: str) -> Iterator[str]:
        yield from [key for key in self.objects if key.startswith(prefix)]

    def address(self, key: str) -> str:
        return f"memory:{key}"

"""The cloud: a folder with a file of JSON per object, which a person or a test may read, edit and delete.

``<folder>/<type>/<name>.json`` holds an object's attributes. ``calls.log`` gets a line per call, such as
``aws_s3_bucket.create acme-models``. ``faults.json``, when there, says which calls fail and how:
``{"aws_mwaa_environment.create": {"summary": "…", "detail": "…", "after": 1, "tainted": true}}``.
``after``: so many such calls succeed first; ``tainted``: the object is there all the same, half made;
``"hang": true``: the call waits until Terraform is interrupted.
"""

import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class CloudError(Exception):
    """What the provider reports as an error; ``made`` says that the object is there all the same."""

    def __init__(self, summary: str, detail: str = "", *, made: bool = False) -> None:
        super().__init__(summary)
        self.summary, self.detail, self.made = summary, detail, made


class Cloud:
    """The objects below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stopping = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)

    def call(self, kind: str, operation: str, name: str) -> None:
        """Notes the call, and fails it when a fault is on order for it."""
        call = f"{kind}.{operation}"
        with (self.folder / "calls.log").open("a+", encoding="utf-8") as log:
            # Terraform calls in parallel; each call must see those before it.
            fcntl.flock(log, fcntl.LOCK_EX)
            log.seek(0)
            before = sum(line.split(" ")[0] == call for line in log)
            log.write(f"{call} {name}\n")
        fault = self._faults().get(call)
        if fault is None or before < fault.get("after", 0):
            return
        if fault.get("hang"):
            self.stopping.wait()
            raise CloudError(f"waiting for {kind} ({name}) to {operation}: context canceled")
        raise CloudError(fault["summary"], fault.get("detail", ""), made=fault.get("tainted", False))

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object's attributes; ``None`` when it is not there (any more)."""
        try:
            found: dict[str, Any] = json.loads(self._path(kind, name).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found

    def write(self, kind: str, name: str, values: Mapping[str, Any]) -> None:
        """Puts an object, at once as a whole."""
        path = self._path(kind, name)
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        draft.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(path)

    def delete(self, kind: str, name: str) -> None:
        """Removes an object; one that is gone already is no error, as with the providers."""
        self._path(kind, name).unlink(missing_ok=True)

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a type."""
        return [json.loads(path.read_text("utf-8")) for path in sorted((self.folder / kind).glob("*.json"))]

    def _path(self, kind: str, name: str) -> Path:
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_.")
        if readable != name:
            readable = f"{readable[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        return self.folder / kind / f"{readable}.json"

    def _faults(self) -> dict[str, Any]:
        try:
            faults: dict[str, Any] = json.loads((self.folder / "faults.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return faults

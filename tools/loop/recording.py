"""What one run of the loop did, as ``loop.json`` keeps it: for the report page, and for tests to assert on.

Every ``start``, ``end`` and ``at`` is in seconds since :attr:`Recording.started`; ledger entries and trace
are as the commands print them.

    steps        key, title, start, end, outcome (succeeded, failed, interrupted), found (a sentence), facts,
                 notes
    requests     total, failed, rows, failures, seconds [second, requests, failed, rows, statuses, versions,
                 p50_ms, p95_ms]
    windows      window_id, traffic (quiet, shifted), start, end, rows, model_version, signals, features
    contests     at, accepted, challenger, metrics, champion_metrics, reasons
    alerts       at, name, state (inactive, pending, firing): each change
    dag_runs     dag_id, run_id, run_type, state, start, end, url, tasks [task_id, state, start, end, tries]
    ledger       entries, oldest first
    trace        prediction_id, and the document of `mlops-config trace`
    rollback     dry_run and done: what each printed
    headline     drift_found_at, redeployed_at, drift_to_redeployed_seconds, requests, failed_requests
    listening    checked, processes, addresses beyond loopback
    cpu_seconds  of all processes together
    services, links name, url
    files        title, path: relative to the folder of loop.json
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE_NAME = "loop.json"
SCHEMA_VERSION = 1


@dataclass
class Recording:
    """Filled in while the loop runs."""

    run: str
    short: bool
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    since: float = field(default_factory=time.monotonic)
    """``time.monotonic()`` at :attr:`started`."""
    ended: datetime | None = None
    outcome: str = "running"
    steps: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[str, Any] = field(default_factory=dict)
    """The other keys of the file."""

    def now(self) -> float:
        """Seconds since the loop began."""
        return round(time.monotonic() - self.since, 3)

    def at(self, moment: datetime) -> float:
        """The seconds of a moment that somebody else's clock took."""
        return round((moment - self.started).total_seconds(), 3)

    def at_text(self, moment: str | None) -> float | None:
        """The seconds of a moment in ISO-8601."""
        return self.at(datetime.fromisoformat(moment)) if moment else None

    def add(self, part: str, **values: Any) -> None:
        """One more element of a list."""
        self.parts.setdefault(part, []).append(values)

    def put(self, part: str, value: Any) -> None:
        """A key as a whole."""
        self.parts[part] = value

    def document(self) -> Mapping[str, Any]:
        """The file."""
        return {
            "schema_version": SCHEMA_VERSION,
            "run": self.run,
            "short": self.short,
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat() if self.ended else None,
            "seconds": self.now() if self.ended is None else self.at(self.ended),
            "outcome": self.outcome,
            "steps": self.steps,
            **self.parts,
        }

    def end(self, outcome: str) -> None:
        """The loop is over."""
        self.ended, self.outcome = datetime.now(UTC), outcome

    def write(self, folder: Path) -> Path:
        """Replaces the file in one step; its path."""
        path = folder / FILE_NAME
        text = json.dumps(self.document(), indent=1, ensure_ascii=False, allow_nan=False, default=str)
        new = path.with_suffix(f".{os.getpid()}.new")
        new.write_text(text + "\n", encoding="utf-8")
        new.replace(path)
        return path

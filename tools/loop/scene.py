"""Everything that is there while the story is told: project, servers, traffic, and what is recorded."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.ledger.ledger import Ledger
from mlops_config.runtime.monitoring.report import MonitoringReport
from mlops_config.store import open_store
from tools.loop import command
from tools.loop.airflow_runs import AirflowRuns
from tools.loop.alerts import AlertWatcher
from tools.loop.progress import Progress, Step
from tools.loop.project import ENVIRONMENT, MODEL_NAME, PROJECT, Project
from tools.loop.recording import Recording
from tools.loop.servers import Server, Servers
from tools.loop.servers_airflow import Airflow
from tools.loop.traffic import Answer, Traffic

T = TypeVar("T")

_POLL_SECONDS = 0.2


class StoryError(Exception):
    """The story did not go as it should: what was expected, and what was found."""


@dataclass
class Scene:
    """Filled in by the steps of the story, one after the other."""

    folder: Path
    """Of this run; the project, the servers' data and logs lie in it."""
    short: bool
    recording: Recording
    progress: Progress
    servers: Servers
    variables: Mapping[str, str]
    """Of every command."""
    project: Project
    mlflow: Server
    airflow: Airflow
    runs: AirflowRuns
    prometheus: Server | None = None
    alerts: AlertWatcher | None = None
    traffic: Traffic | None = None
    commit: str = ""
    """Of the first release."""
    config_digest: str = ""
    """Of the first release."""
    traced: Answer | None = None
    """The prediction whose origin is told in the end."""
    window_start: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Where the next window begins: a whole second."""

    @property
    def clients(self) -> Traffic:
        """The traffic, once it flows."""
        return known(self.traffic, "the traffic")

    def run(self, *words: str, step: Step | None = None, codes: tuple[int, ...] = (0,)) -> command.Said:
        """``mlops-config`` with ``words`` in the project; its progress is the step's.

        Raises:
            CommandError: it ended with none of ``codes``.
        """
        show = step.progress if step else lambda _line: None
        return command.run(
            *words, folder=self.project.folder, variables=self.variables, codes=codes, on_line=show
        )

    def ledger(self, *events: Event) -> list[LedgerEntry]:
        """The ledger's entries of these events, or all, oldest first."""
        store = open_store((self.project.folder / ".mlops-config" / "store").as_uri())
        entries = Ledger(store, PROJECT, MODEL_NAME, ENVIRONMENT).entries()
        return [entry for entry in entries if not events or entry.event in events]

    def report(self, window_id: str) -> MonitoringReport:
        """The report on a window."""
        path = self.project.folder / "build" / ENVIRONMENT / "reports" / window_id / "report.json"
        return MonitoringReport.model_validate_json(path.read_bytes())

    def until(
        self,
        what: str,
        look: Callable[[], T | None],
        *,
        step: Step,
        limit: float,
        every: float = _POLL_SECONDS,
    ) -> T:
        """What ``look`` returns once that is true; ``limit`` is in seconds.

        Raises:
            StoryError: it never came.
        """
        deadline = time.monotonic() + limit
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > deadline:
                raise StoryError(f"waited {limit:.0f} s for {what}, in vain")
            step.progress(f"waiting for {what}")
            time.sleep(every)

    def require(self, condition: object, otherwise: str) -> None:
        """An assertion of the story.

        Raises:
            StoryError: ``condition`` is false.
        """
        if not condition:
            raise StoryError(otherwise)

    def require_no_failed_request(self) -> None:
        """Every request so far was answered.

        Raises:
            StoryError: one was not.
        """
        failures = self.clients.document()["failures"]
        self.require(not self.clients.failed, f"requests failed: {json.dumps(failures[:3])}")


def known(value: T | None, what: str) -> T:
    """A value that an earlier step has made.

    Raises:
        StoryError: it has not.
    """
    if value is None:
        raise StoryError(f"{what} is not there")
    return value


def shown(document: Any) -> str:
    """A value in an assertion's sentence."""
    return json.dumps(document, default=str)[:600]

"""A project with a batch to predict."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_config.console import TerminalConsole
from mlops_config.kinds import Kind
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.inference.job import InferenceOutcome, PartsOutcome, run
from mlops_config.runtime.inference.planning import PlanOutcome
from mlops_config.runtime.opening import Request, open_context
from tests.runtime.projects import Project
from tests.runtime.serving.scenes import trips

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 7, tzinfo=UTC)
VERSION = 3
PARTS = ("date=2026-11-18/a", "date=2026-11-19/a", "date=2026-11-19/b")


class Scene:
    """A project with three files of ten trips each, and the job to run on them."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        folder.mkdir()
        nothing = folder.parent / f"{folder.name}.csv"
        nothing.touch()
        self.project = Project(folder, nothing)
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        self.project.edit(
            Kind.INFERENCE, "input_uri: file://./data/trips.csv", "input_uri: file://./data/in/"
        )
        self.project.edit(Kind.INFERENCE, "format: csv", "format: parquet")
        self.edit_batch("max_invalid_fraction: 0.5")
        for number, name in enumerate(PARTS):
            self.write(name, self.rows(number))

    @staticmethod
    def rows(number: int) -> pd.DataFrame:
        rows = trips(10, seed=number)
        ids = [f"T{number}-{row}" for row in range(10)]
        return rows.assign(trip_id=ids, pickup_time="2026-11-18T12:00:00Z", note="extra")

    def write(self, name: str, rows: pd.DataFrame, **options: Any) -> None:
        path = self.folder / "data" / "in" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path, **options)

    def harm(self) -> None:
        """Three rows of the first file break the schema, one of them twice."""
        rows = self.rows(0).astype({"pickup_zone": object})
        rows.loc[2, "pickup_zone"] = "</script>nowhere"
        rows.loc[2, "distance_km"] = -1
        rows.loc[5, "expected_minutes"] = float("nan")
        rows.loc[7, "distance_km"] = float("inf")
        self.write(PARTS[0], rows)

    def edit_batch(self, line: str) -> None:
        self.project.edit(Kind.INFERENCE, "  schedule: {cron: ", f"  {line}\n  schedule: {{cron: ")

    def context(self, now: datetime = NOW) -> JobContext:
        request = Request(environment="dev", root=self.folder, now=now)
        return open_context(request, TerminalConsole(quiet=True))

    def run(self, now: datetime = NOW, **options: Any) -> InferenceOutcome:
        outcome = self.work(now, **options)
        assert isinstance(outcome, InferenceOutcome)
        return outcome

    def work(self, now: datetime = NOW, **options: Any) -> InferenceOutcome | PlanOutcome | PartsOutcome:
        """As :meth:`run`, for a plan or some parts."""
        return run(self.context(now), package=str(self.model), model_version=VERSION, **options)

    def files(self) -> dict[str, bytes]:
        """Everything written, by name; temporary files count, since they must not stay."""
        output = self.folder / "build" / "dev" / "predictions"
        return {
            path.relative_to(output).as_posix(): path.read_bytes()
            for path in sorted(output.rglob("*"))
            if path.is_file()
        }

    def table(self, outcome: InferenceOutcome, name: str) -> pd.DataFrame:
        folder = self.folder / "build" / "dev" / "predictions" / f"run={outcome.job_id}"
        found: pd.DataFrame = pq.read_table(folder / name, partitioning=None).to_pandas()
        return found

    def success(self, outcome: InferenceOutcome) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files()[f"run={outcome.job_id}/_SUCCESS.json"])
        return found

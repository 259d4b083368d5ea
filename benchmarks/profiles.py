"""How fast a window is profiled and compared, against SQL by hand, pandas and Evidently."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import peers

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "benchmarks" / "profile_once.py"
COLUMNS = 20
LABELS = {
    "sql": "DuckDB, SQL by hand: the same counts",
    "ours": "**our profile** and comparison",
    "describe": "`DataFrame.describe`: neither counts nor a comparison",
    "evidently": "Evidently, `DataDriftPreset`",
}
BASELINE = "sql"
SLOW = "evidently"
"""Left out where it would take many minutes."""
ROUNDS = 3


def ours(window: Any, reference: Any) -> Callable[[], Any]:
    """The window's profile, and its comparison with the reference's."""
    import pyarrow as pa

    from mlops_config.runtime.drift.comparing import compare
    from mlops_config.runtime.profile.making import profile, reference_profile

    training, monitoring = configs(window)
    baseline = reference_profile(reference, training)
    table = pa.Table.from_pandas(window, preserve_index=False)

    def run(rows: pa.Table) -> object:
        return compare(profile(rows, baseline), baseline, training, monitoring)

    run(table.slice(0, 2_000))  # so that libraries are imported
    return lambda: run(table)


def sql(window: Any, reference: Any) -> Callable[[], Any]:
    """The same counts by SQL as one would write it by hand, for one table and once."""
    import duckdb
    import pyarrow as pa

    from mlops_config.runtime.profile.making import reference_profile

    training, _ = configs(window)
    table = pa.Table.from_pandas(window, preserve_index=False)
    counted, queries = [], []
    for column in reference_profile(reference, training).columns:
        name = f'"{column.name}"'
        if column.kind == "numeric":
            ends = f"'[{', '.join(map(repr, column.grid))}]'::DOUBLE[]"
            counted += [f"count({name})", f"min({name})", f"max({name})", f"histogram({name}, {ends})"]
        else:
            queries.append(f"SELECT {name}, count(*) FROM rows GROUP BY 1")  # noqa: S608 the names are made above
    queries.append(f"SELECT {', '.join(counted)} FROM rows")  # noqa: S608 the names are made above
    connection = duckdb.connect()
    connection.register("rows", table)

    def run() -> list[object]:
        return [connection.execute(query).fetchall() for query in queries]

    connection.execute("SELECT count(*) FROM rows").fetchall()
    return run


def configs(window: Any) -> tuple[Any, Any]:
    """Training and monitoring files for the columns of ``window``."""
    from mlops_config.contract.models.by_kind import MonitoringConfig, TrainingConfig

    def type_of(name: str) -> str:
        return {"x": "fractional", "n": "integral", "s": "string"}[name[0]]

    header: dict[str, Any] = {
        "schema_version": 1,
        "metadata": {"project": "bench", "model_name": "bench", "environment": "dev", "owner": "bench"},
    }
    training = header | {
        "kind": "training",
        "data": {"source": {"uri": "file://./rows.parquet"}},
        "schema": {
            "features": [{"name": name, "type": type_of(name)} for name in window.columns],
            "target": {"name": "y", "problem_type": "regression"},
        },
        "estimator": {"name": "ridge"},
        "evaluation": {"metrics": ["rmse"], "primary": "rmse", "thresholds": {"rmse": {"threshold": 1.0}}},
        "tracking": {"registered_model_name": "bench-dev"},
        "random_seed": 1,
    }
    monitoring = header | {
        "kind": "monitoring",
        "schedule": {"cron": "0 6 * * *"},
        "prediction_drift": {"enabled": False},
        "report": {"destination_uri": "file://./reports/"},
    }
    return TrainingConfig.model_validate(training), MonitoringConfig.model_validate(monitoring)


def measure() -> str:
    """The Markdown section with the tables."""
    sections = [
        "## Profiles: a window of 20 columns against its reference\n\n"
        "14 fractional, 3 integral and 3 text columns in memory (Arrow for DuckDB, pandas for the others), a "
        "reference of 100,000 rows. Each row of a table is the median of three processes, in turns; "
        "memory is what the process held at most, its data included, and how much of it came while "
        "measured. The goals: at most 1.5 times the SQL, and a tenth of Evidently's time.\n"
    ]
    for rows, labels in ((1_000_000, [*LABELS]), (10_000_000, [each for each in LABELS if each != SLOW])):
        sections.append(f"### {rows:,} rows, {ROUNDS} processes each\n")
        sections.append(_table(_measured(rows, labels), rows))
    sections.append("Evidently is left out of the second table: it would take about ten times as long.\n")
    return "\n".join(sections)


def _measured(rows: int, labels: Sequence[str]) -> dict[str, list[dict[str, float]]]:
    theirs = peers.environment() / "bin" / "python"
    found: dict[str, list[dict[str, float]]] = {label: [] for label in labels}
    for _ in range(ROUNDS):
        for label in labels:
            python = str(theirs) if label == "evidently" else sys.executable
            command = [python, "-W", "ignore", str(PROGRAM), label, str(rows)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
            found[label].append(json.loads(answer.stdout.splitlines()[-1]))
    return found


def _table(found: dict[str, list[dict[str, float]]], rows: int) -> str:
    lines = [
        "| what | wall (s) | CPU (s) | million values/s | to baseline | memory (MiB) | of it more (MiB) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    walls = {label: statistics.median(each["wall"] for each in runs) for label, runs in found.items()}
    for label, runs in found.items():
        cpu, peak, more = (
            statistics.median(each[field] for each in runs) for field in ("cpu", "peak_mib", "more_mib")
        )
        wall = walls[label]
        ratio = "1 (baseline)" if label == BASELINE else f"{wall / walls[BASELINE]:.2f}"
        speed = f"{rows * COLUMNS / wall / 1e6:.1f}"
        memory = f"{peak:,.0f} | {more:,.0f}"
        lines.append(f"| {LABELS[label]} | {wall:.2f} | {cpu:.2f} | {speed} | {ratio} | {memory} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(measure())

"""One measurement of benchmarks/profiles.py, in a process of its own: prints seconds and the peak of memory.

Runs under the environment of the peers too, so it imports nothing of ours before it has to.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

REFERENCE_ROWS = 100_000
NUMBERS, WHOLE, TEXTS = 14, 3, 3


def frame(rows: int, seed: int) -> Any:
    """``rows`` of 20 columns as a pandas frame."""
    import pandas as pd

    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for number in range(NUMBERS):
        columns[f"x{number}"] = random.lognormal(0, 0.5, rows) if number % 2 else random.normal(0, 1, rows)
    for number in range(WHOLE):
        columns[f"n{number}"] = random.poisson(4, rows)
    zones = pd.Index([f"zone {number:02}" for number in range(20)])
    for number in range(TEXTS):
        columns[f"s{number}"] = pd.Categorical.from_codes(random.integers(0, 20, rows), zones).astype(str)
    return pd.DataFrame(columns)


def ours(window: Any, reference: Any) -> Callable[[], Any]:
    """The window's profile, and its comparison with the reference's."""
    import profiles

    return profiles.ours(window, reference)


def sql(window: Any, reference: Any) -> Callable[[], Any]:
    """The same counts by SQL as one would write it by hand."""
    import profiles

    return profiles.sql(window, reference)


def describe(window: Any, _: Any) -> Callable[[], Any]:
    """``DataFrame.describe`` of every column: no counts by bin, no comparison."""
    return lambda: window.describe(include="all")


def evidently(window: Any, reference: Any) -> Callable[[], Any]:
    """Evidently's data drift preset with its defaults."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    numbers = [name for name in window.columns if not name.startswith("s")]
    texts = [name for name in window.columns if name.startswith("s")]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    current, before = (Dataset.from_pandas(each, definition) for each in (window, reference))
    few = Dataset.from_pandas(window.head(2_000), definition)
    Report([DataDriftPreset()]).run(few, few).dict()  # so that libraries are imported
    return lambda: Report([DataDriftPreset()]).run(current, before).dict()


PROGRAMS = {"ours": ours, "sql": sql, "describe": describe, "evidently": evidently}


def main() -> None:
    """``profile_once.py WHAT ROWS``."""
    what, rows = sys.argv[1], int(sys.argv[2])
    program = PROGRAMS[what](frame(rows, 2), frame(REFERENCE_ROWS, 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    program()
    wall, user = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"wall": wall, "cpu": user, "peak_mib": peak / 1024, "more_mib": (peak - before) / 1024}
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()

"""How often each method alarms without drift, and how often with drift that was planted, beside Evidently.

Both judge the same draws, one column of a reference and a window, by every method at its default threshold.
Evidently runs in the environment of the peers, by ``drift_evidently.py``, and draws the same numbers.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import drift_draws
import numpy as np
import peers
import profiles

from mlops_config.contract.models.by_kind import MonitoringConfig
from mlops_config.runtime.drift.comparing import compare
from mlops_config.runtime.profile.binning import MOST_CELLS, choose
from mlops_config.runtime.profile.columns import CategoricalColumn, NumericColumn
from mlops_config.runtime.profile.profile import Profile

ROOT = Path(__file__).resolve().parent.parent
NUMERIC = ("psi", "jensen_shannon", "wasserstein", "ks")
CATEGORICAL = ("psi", "jensen_shannon", "l_infinity", "chi_square")
NOMINAL = {"ks": 0.05, "chi_square": 0.05}
"""Of the tests; the distances may alarm in one window of 1000."""


def measure(draws: int = drift_draws.NULL_DRAWS) -> str:
    """The Markdown section with the tables."""
    theirs = _evidently(draws)
    sections = [
        "## Drift: false alarms and power\n\n"
        f"One column, a reference of {drift_draws.REFERENCE_ROWS:,} rows and a window of "
        f"{drift_draws.WINDOW_ROWS:,}, the default of `min_samples`; every method at its default threshold "
        "and without correction, since one column is one test. Evidently chooses its method itself by "
        "its defaults (Wasserstein and Jensen-Shannon for references this large, both at 0.1), and judges "
        f"the same draws. Of {draws:,} draws at a level of 0.05, 81 to 120 (0.0405 to 0.0600) alarm in 19 of "
        "20 such tables.\n",
        f"### Without drift: share of {draws:,} draws that alarm\n",
        "| values | method | nominal | ours | Evidently's default |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for case, draw in drift_draws.NULL.items():
        found = _alarms(draw, draws)
        for method, share in found.items():
            nominal = NOMINAL.get(method, 0.001)
            sections.append(f"| {case} | {method} | {nominal:g} | {share:.4f} | {theirs['null'][case]:.4f} |")
    sections.append(f"\n### With drift: share of {drift_draws.POWER_DRAWS:,} draws that alarm\n")
    for case, sizes in drift_draws.POWER.items():
        methods = CATEGORICAL if case in drift_draws.OF_CATEGORIES else NUMERIC
        sections.append(f"| {case} | {' | '.join(methods)} | Evidently's default |")
        sections.append(f"| --- | {'---: | ' * len(methods)}---: |")
        for size, draw in sizes.items():
            shares = _alarms(draw, drift_draws.POWER_DRAWS)
            ours = " | ".join(f"{shares[method]:.3f}" for method in methods)
            sections.append(f"| {size} | {ours} | {theirs['power'][case][size]:.3f} |")
        sections.append("")
    return "\n".join(sections)


def _evidently(draws: int) -> Mapping[str, Any]:
    python = str(peers.environment() / "bin" / "python")
    program = str(ROOT / "benchmarks" / "drift_evidently.py")
    answer = subprocess.run(
        [python, "-W", "ignore", program, str(draws)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _alarms(draw: "Callable[[np.random.Generator], tuple[Any, Any]]", draws: int) -> dict[str, float]:
    """Method → share of draws in which it alarms."""
    reference, _ = draw(drift_draws.generator(0))
    numeric = not isinstance(reference[0], str)
    methods = NUMERIC if numeric else CATEGORICAL
    files = [(method, *_configs(method, numeric)) for method in methods]
    alarms = dict.fromkeys(methods, 0)
    for number in range(draws):
        old, new = (_numeric if numeric else _categorical)(*draw(drift_draws.generator(number)))
        for method, training, monitoring in files:
            (found,) = compare(_profile(new), _profile(old), training, monitoring)
            alarms[method] += bool(found.drifted)
    return {method: count / draws for method, count in alarms.items()}


def _configs(method: str, numeric: bool) -> tuple[Any, Any]:
    training, monitoring = profiles.configs(_Columns(["x0" if numeric else "s0"]))
    family = "numeric" if numeric else "categorical"
    document = monitoring.model_dump(mode="json", by_alias=True, exclude_unset=True)
    document["drift"] = {family: {"method": method}, "multiple_testing": "none"}
    return training, MonitoringConfig.model_validate(document)


class _Columns:
    """Stands where a frame's columns are asked for."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns


def _profile(column: NumericColumn | CategoricalColumn) -> Profile:
    return Profile(rows=column.rows, columns=(column,))


def _numeric(reference: Any, window: Any) -> tuple[NumericColumn, NumericColumn]:
    """Both columns as their profiles have them, without an engine: that is a thing of throughput."""
    binning = choose(reference, bins=10, quantiles=True, cells=MOST_CELLS)

    def column(values: Any) -> NumericColumn:
        places = np.searchsorted(binning.grid, values)
        return NumericColumn(
            name="x0",
            grid=binning.grid,
            edges=binning.edges,
            exact=binning.exact,
            mean=binning.mean,
            std=binning.std,
            counts=tuple(np.bincount(places, minlength=len(binning.grid) + 1).tolist()),
            minimum=float(values.min()),
            maximum=float(values.max()),
        )

    return column(reference), column(window)


def _categorical(reference: Any, window: Any) -> tuple[CategoricalColumn, CategoricalColumn]:
    known = tuple(sorted({*reference.tolist()}))

    def column(values: Any) -> CategoricalColumn:
        labels, counts = np.unique(values, return_counts=True)
        rows = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        of_known = tuple(rows.get(label, 0) for label in known)
        other = len(values) - sum(of_known)
        return CategoricalColumn(name="s0", categories=known, truncated=False, counts=of_known, other=other)

    return column(reference), column(window)


if __name__ == "__main__":
    print(measure())

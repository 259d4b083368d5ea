"""Writes down what Evidently makes of seeded samples, for the tests to compare with.

Evidently does not go with our pandas, so this runs in the environment of the benchmarks' peers:

    python benchmarks/peers.py && .cache/bench/bin/python tests/runtime/drift/record_evidently.py
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests.chisquare_stattest import _chi_stat_test
from evidently.legacy.calculations.stattests.jensenshannon import _jensenshannon
from evidently.legacy.calculations.stattests.ks_stattest import _ks_stat_test
from evidently.legacy.calculations.stattests.psi import _psi
from evidently.legacy.calculations.stattests.wasserstein_distance_norm import _wasserstein_distance_norm
from evidently.legacy.core import ColumnType

PAGE = Path(__file__).with_name("evidently.json")
NUMERIC = {"psi": _psi, "jensen_shannon": _jensenshannon, "ks": _ks_stat_test}
NUMERIC["wasserstein"] = _wasserstein_distance_norm
CATEGORICAL = {"psi": _psi, "jensen_shannon": _jensenshannon, "chi_square": _chi_stat_test}


def samples() -> dict[str, tuple[list[Any], list[Any]]]:
    """Name → reference and window."""
    random = np.random.default_rng(20261)

    def numbers(values: Any) -> list[float]:
        return [round(float(value), 3) for value in values]

    def texts(rows: int, shares: list[float]) -> list[str]:
        return [str(value) for value in random.choice(list("abcdef")[: len(shares)], rows, p=shares)]

    return {
        "normal, alike": (numbers(random.normal(0, 1, 300)), numbers(random.normal(0, 1, 200))),
        "normal, moved": (numbers(random.normal(0, 1, 300)), numbers(random.normal(0.6, 1, 200))),
        "lognormal, wider": (numbers(random.lognormal(0, 1, 300)), numbers(random.lognormal(0, 1.4, 200))),
        "apart": (numbers(random.normal(0, 1, 300)), numbers(random.normal(9, 1, 200))),
        "few values": (numbers(random.integers(0, 8, 300)), numbers(random.integers(1, 9, 200))),
        "constant, moved": ([2.0] * 50, [2.0] * 30 + [2.5] * 20),
        "categories, alike": (texts(300, [0.5, 0.3, 0.2]), texts(200, [0.5, 0.3, 0.2])),
        "categories, swapped": (texts(300, [0.6, 0.3, 0.1]), texts(200, [0.1, 0.3, 0.6])),
        "categories, one is new": (texts(300, [0.6, 0.4]), texts(200, [0.5, 0.3, 0.2])),
        "categories, one is gone": (texts(300, [0.5, 0.3, 0.2]), texts(200, [0.6, 0.4])),
    }


def main() -> None:
    """Writes the page."""
    cases = []
    for name, (reference, window) in samples().items():
        numeric = isinstance(reference[0], float)
        kind = ColumnType.Numerical if numeric else ColumnType.Categorical
        values = {
            method: float(test(pd.Series(reference), pd.Series(window), kind, 0.1)[0])
            for method, test in (NUMERIC if numeric else CATEGORICAL).items()
        }
        # No JSON number says infinite, which Evidently's chi-square statistic is with a new category.
        case = {"name": name, "reference": reference, "window": window, "values": values}
        cases.append(case)
    lines = ",\n".join(json.dumps(case, allow_nan=False) for case in cases)
    PAGE.write_text(f'{{"evidently": "{version("evidently")}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()

"""What Evidently says to the draws of benchmarks/drift.py, in an environment where it can be installed."""

import json
import sys
from typing import Any

import drift_draws
import pandas as pd
from evidently.legacy.calculations.stattests.registry import get_stattest
from evidently.legacy.core import ColumnType


def alarms(draw: drift_draws.Draw, draws: int) -> float:
    """Share of draws in which the method that Evidently chooses alarms."""
    count = 0
    for number in range(draws):
        reference, window = (pd.Series(each) for each in draw(drift_draws.generator(number)))
        kind: Any = ColumnType.Categorical if reference.dtype.kind not in "fi" else ColumnType.Numerical
        test = get_stattest(reference, window, kind, None)
        count += bool(test(reference, window, kind, None).drifted)
    return count / draws


def main() -> None:
    """Prints both tables as JSON."""
    null = {case: alarms(draw, int(sys.argv[1])) for case, draw in drift_draws.NULL.items()}
    power = {
        case: {size: alarms(draw, drift_draws.POWER_DRAWS) for size, draw in sizes.items()}
        for case, sizes in drift_draws.POWER.items()
    }
    print(json.dumps({"null": null, "power": power}))


if __name__ == "__main__":
    main()

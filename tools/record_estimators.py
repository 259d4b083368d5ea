"""Writes ``tests/contract/estimator_parameters.json``: what the installed libraries say of their estimators.

Run it where scikit-learn, LightGBM and XGBoost are installed. The models are tested against the file,
so that the tests need none of the three. It holds each parameter's default and, of scikit-learn, its choices.
"""

import json
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from mlops_config.contract.registry import ESTIMATORS, EstimatorEntry

RECORD = Path(__file__).resolve().parent.parent / "tests" / "contract" / "estimator_parameters.json"


def recorded(entry: EstimatorEntry) -> dict[str, Any]:
    """One estimator's parameters by name."""
    module, _, name = entry.python_class.rpartition(".")
    python_class = getattr(import_module(module), name)
    constraints = getattr(python_class, "_parameter_constraints", {})
    return {
        parameter: {"default": _plain(default), **_choices(constraints.get(parameter, ()))}
        for parameter, default in sorted(python_class().get_params().items())
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) and value == value else None


def _choices(constraints: Any) -> dict[str, list[str]]:
    options = [
        sorted(each.options) for each in constraints if type(each).__name__ in ("StrOptions", "Options")
    ]
    return {"choices": sorted({option for each in options for option in each})} if options else {}


def main() -> int:
    """Writes the record."""
    record = {
        "versions": {
            name: metadata.version(name)
            for name in sorted({each.distribution for each in ESTIMATORS.values()})
        },
        "estimators": {name: recorded(entry) for name, entry in ESTIMATORS.items()},
    }
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""No value that a model accepts makes a rule fail."""

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from tests.contract.rules.example_configs import change, configs, raw_configs

from mlops_config.contract.models.by_kind import MODELS
from mlops_config.contract.rules.catalog import RULES
from mlops_config.contract.rules.engine import check
from mlops_config.contract.rules.walk import nodes
from mlops_config.findings import ConfigPath, format_path
from mlops_config.kinds import Kind

EXTREMES: tuple[Any, ...] = (
    0,
    1,
    100,
    2**31 - 1,
    1_000_000_000,
    5e-324,
    1e-300,
    1e-9,
    0.9999999999,
    1e308,
    -1e308,
    True,
    None,
    "x",
    "PT0S",
    "PT1S",
    "P3650D",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "0 0 29 2 *",
    "* * * * *",
    "0 0 L * *",
    "s3://abc/*",
    "file://./x",
    [],
    {},
)


@pytest.mark.parametrize("kind", Kind)
def test_rules_stand_every_value_that_a_model_accepts(kind: Kind) -> None:
    others = vars(configs()["prod"])
    document = raw_configs()["prod"][kind]
    tried = 0
    for path in [path for path, _ in nodes(document) if path]:
        original = _exchange(document, path, None)
        for value in EXTREMES:
            _exchange(document, path, value)
            try:
                model = MODELS[kind].model_validate(document)
            except ValidationError:
                continue
            tried += 1
            list(check({"prod": SimpleNamespace(**{**others, kind.value: model})}))
        _exchange(document, path, original)
    assert tried > 100


def _exchange(document: Any, path: ConfigPath, value: Any) -> Any:
    for step in path[:-1]:
        document = document[step]
    before = document[path[-1]]
    document[path[-1]] = value
    return before


@pytest.mark.parametrize("method", ["psi", "jensen_shannon", "l_infinity"])
@pytest.mark.parametrize("threshold", [5e-324, 1e-300, 1e-9, 3e-8])
@pytest.mark.parametrize("reference", ["training_baseline", "previous_window"])
def test_the_smallest_thresholds_are_told_from_noise_too(
    method: str, threshold: float, reference: str
) -> None:
    found = list(
        check(
            configs(
                [
                    change("prod", "monitoring", "reference", {"type": reference}),
                    change(
                        "prod", "monitoring", "drift.categorical", {"method": method, "threshold": threshold}
                    ),
                ]
            ),
            rules=[rule for rule in RULES if rule.code == "X07"],
        )
    )
    assert [format_path(each.path) for each in found] == ["drift.categorical.threshold"]

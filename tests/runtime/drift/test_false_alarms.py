"""Without drift nothing alarms more often than it should: seeded draws, hence always the same answer."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from mlops_config.runtime.drift.comparing import compare
from tests.runtime.drift.windows import categories, counted, monitoring, numbers, of, profile
from tests.runtime.profile.tables import training

DRAWS = 300
SHAPES = ("normal", "lognormal", "poisson")


def most(level: float) -> int:
    """Alarms that a method which alarms with probability ``level`` stays within in 999 of 1000 such tests."""
    return int(binom.ppf(0.999, DRAWS, level))


def draw(random: np.random.Generator, shape: str, rows: int) -> Any:
    return random.poisson(4, rows) if shape == "poisson" else getattr(random, shape)(size=rows)


@pytest.mark.parametrize(("reference_rows", "rows"), [(100, 50), (1_500, 1_000), (20_000, 1_000)])
@pytest.mark.parametrize(
    ("method", "level"), [("psi", 0.001), ("jensen_shannon", 0.001), ("wasserstein", 0.001), ("ks", 0.05)]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_raise_no_more_alarms_than_named(
    shape: str, method: str, level: float, reference_rows: int, rows: int
) -> None:
    random = np.random.default_rng(SHAPES.index(shape))
    file = monitoring({"numeric": {"method": method}, "min_samples": 30})
    alarms = 0
    for _ in range(DRAWS):
        reference = numbers("amount", draw(random, shape, reference_rows), cells=200)
        window = counted(reference, draw(random, shape, rows))
        (found,) = compare(profile(window), profile(reference), training({"amount": "fractional"}), file)
        alarms += bool(found.drifted)
    assert alarms <= most(level)


@pytest.mark.parametrize(("reference_rows", "rows"), [(100, 50), (1_500, 1_000), (20_000, 1_000)])
@pytest.mark.parametrize(
    ("method", "level"),
    [("psi", 0.001), ("jensen_shannon", 0.001), ("l_infinity", 0.001), ("chi_square", 0.05)],
)
def test_categories_raise_no_more_alarms_than_named(
    method: str, level: float, reference_rows: int, rows: int
) -> None:
    random = np.random.default_rng(9)
    names = [f"zone {number:02}" for number in range(40)]
    shares = 0.8 ** np.arange(40)
    shares /= shares.sum()
    file = monitoring({"categorical": {"method": method}, "min_samples": 30})
    alarms = 0
    for _ in range(DRAWS):
        old, new = (random.multinomial(each, shares).tolist() for each in (reference_rows, rows))
        reference = categories("zone", {name: count for name, count in zip(names, old, strict=True) if count})
        window = of(reference, dict(zip(names, new, strict=True)))
        (found,) = compare(profile(window), profile(reference), training({"zone": "string"}), file)
        alarms += bool(found.drifted)
    assert alarms <= most(level)

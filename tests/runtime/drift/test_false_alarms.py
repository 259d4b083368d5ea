"""Without drift nothing alarms more often than it should: seeded draws, hence always the same answer."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from mlops_config.runtime.drift.comparing import compare
from mlops_config.runtime.profile.profile import Profile
from tests.runtime.drift.windows import categories, counted, monitoring, numbers, of, profile
from tests.runtime.profile.tables import training

DRAWS = 300
LEVELS = {
    "numeric": {"psi": 0.001, "jensen_shannon": 0.001, "wasserstein": 0.001, "ks": 0.05},
    "categorical": {"psi": 0.001, "jensen_shannon": 0.001, "l_infinity": 0.001, "chi_square": 0.05},
}
"""How often each method may alarm without drift."""
ROWS = [(100, 50), (1_500, 1_000), (6_000, 300)]
"""Of reference and window."""
SHAPES = ("normal", "lognormal", "poisson")


def most(level: float) -> int:
    """Alarms that a method which alarms with probability ``level`` stays within in 999 of 1000 such tests."""
    return int(binom.ppf(0.999, DRAWS, level))


def no_more_alarms_than_named(kind: str, pairs: Iterator[tuple[Profile, Profile]]) -> None:
    """Judges the same references and windows by every method."""
    file = training({"it": "fractional" if kind == "numeric" else "string"})
    judges = {each: monitoring({kind: {"method": each}, "min_samples": 30}) for each in LEVELS[kind]}
    alarms: Counter[str] = Counter()
    for reference, window in pairs:
        for method, judge in judges.items():
            (found,) = compare(window, reference, file, judge)
            assert found.method == method
            alarms[method] += bool(found.drifted)
    allowed = {method: most(level) for method, level in LEVELS[kind].items()}
    assert not {method: number for method, number in alarms.items() if number > allowed[method]}


def draw(random: np.random.Generator, shape: str, rows: int) -> Any:
    return random.poisson(4, rows) if shape == "poisson" else getattr(random, shape)(size=rows)


@pytest.mark.parametrize(("reference_rows", "rows"), ROWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_raise_no_more_alarms_than_named(shape: str, reference_rows: int, rows: int) -> None:
    random = np.random.default_rng(SHAPES.index(shape))

    def pairs() -> Iterator[tuple[Profile, Profile]]:
        for _ in range(DRAWS):
            reference = numbers("it", draw(random, shape, reference_rows), cells=200)
            yield profile(reference), profile(counted(reference, draw(random, shape, rows)))

    no_more_alarms_than_named("numeric", pairs())


@pytest.mark.parametrize(("reference_rows", "rows"), ROWS)
def test_categories_raise_no_more_alarms_than_named(reference_rows: int, rows: int) -> None:
    random = np.random.default_rng(9)
    names = [f"zone {number:02}" for number in range(40)]
    shares = 0.8 ** np.arange(40)
    shares /= shares.sum()

    def pairs() -> Iterator[tuple[Profile, Profile]]:
        for _ in range(DRAWS):
            old, new = (random.multinomial(each, shares).tolist() for each in (reference_rows, rows))
            reference = categories(
                "it", {name: count for name, count in zip(names, old, strict=True) if count}
            )
            yield profile(reference), profile(of(reference, dict(zip(names, new, strict=True))))

    no_more_alarms_than_named("categorical", pairs())

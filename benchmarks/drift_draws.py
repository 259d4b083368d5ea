"""The seeded draws that our methods and Evidently's are judged on; needs nothing but numpy."""

from collections.abc import Callable
from typing import Any

import numpy as np

REFERENCE_ROWS, WINDOW_ROWS = 5_000, 1_000
NULL_DRAWS, POWER_DRAWS = 2_000, 200
Draw = Callable[[np.random.Generator], tuple[Any, Any]]

ZONES = np.array([f"zone {number:02}" for number in range(12)])
SHARES = 0.75 ** np.arange(12) / sum(0.75 ** np.arange(12))


def generator(number: int) -> np.random.Generator:
    """The source of a draw's random numbers."""
    return np.random.default_rng([20261, number])


def numbers(shape: str, *, move: float = 0.0, widen: float = 1.0) -> Draw:
    """A reference of standard ``shape``, and a window that is widened and moved, in standard deviations."""
    std = {"normal": 1.0, "lognormal": 2.1612, "poisson": 2.0}[shape]

    def sample(random: np.random.Generator, rows: int) -> Any:
        if shape == "poisson":
            return random.poisson(4, rows).astype(float)
        return getattr(random, shape)(size=rows)

    def draw(random: np.random.Generator) -> tuple[Any, Any]:
        return sample(random, REFERENCE_ROWS), sample(random, WINDOW_ROWS) * widen + move * std

    return draw


def zones(swapped: float = 0.0) -> Draw:
    """Zones of falling frequency; in the window a share of the most frequent one's rows is the second's."""
    shares = SHARES.copy()
    shares[0], shares[1] = SHARES[0] * (1 - swapped), SHARES[1] + SHARES[0] * swapped

    def draw(random: np.random.Generator) -> tuple[Any, Any]:
        return random.choice(ZONES, REFERENCE_ROWS, p=SHARES), random.choice(ZONES, WINDOW_ROWS, p=shares)

    return draw


NULL: dict[str, Draw] = {
    "normal": numbers("normal"),
    "lognormal": numbers("lognormal"),
    "Poisson, mean 4": numbers("poisson"),
    "12 categories": zones(),
}
OF_CATEGORIES = ("share of the first category's rows that became the second's",)
POWER: dict[str, dict[str, Draw]] = {
    "mean moved by (standard deviations), normal": {
        f"{move:g}": numbers("normal", move=move) for move in (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
    },
    "standard deviation times, normal": {
        f"{widen:g}": numbers("normal", widen=widen) for widen in (1.05, 1.1, 1.2, 1.3, 1.5)
    },
    "mean moved by (standard deviations), lognormal": {
        f"{move:g}": numbers("lognormal", move=move) for move in (0.05, 0.1, 0.2, 0.3)
    },
    OF_CATEGORIES[0]: {f"{share:g}": zones(share) for share in (0.05, 0.1, 0.2, 0.4, 0.8)},
}

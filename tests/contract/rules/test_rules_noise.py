"""The noise floor is what drift measures reach by chance, no more and no less."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from mlops_config.contract.rules.noise import (
    NOISE_LEVEL,
    BinnedMeasure,
    chi_square_quantile,
    noise_floor,
    rows_needed,
)

MEASURES: tuple[BinnedMeasure, ...] = ("psi", "jensen_shannon", "l_infinity")
measures = st.sampled_from(MEASURES)
bins = st.integers(2, 60)
rows = st.integers(30, 10_000_000)


@given(st.floats(1e-6, 1 - 1e-9), st.integers(1, 5000))
def test_the_chi_square_quantile_is_scipys(level: float, degrees: int) -> None:
    assert chi_square_quantile(level, degrees) == pytest.approx(stats.chi2.ppf(level, degrees), rel=1e-9)


@pytest.mark.parametrize(("level", "degrees"), [(0.0, 1), (1.0, 1), (-0.1, 1), (0.5, 0)])
def test_there_is_no_quantile_outside_of_the_distribution(level: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="no chi-square quantile"):
        chi_square_quantile(level, degrees)


def test_the_floor_of_psi_is_the_published_quantile() -> None:
    assert noise_floor("psi", 10, 10_000, 500) == pytest.approx(
        stats.chi2.ppf(0.999, 9) * (1 / 10_000 + 1 / 500), rel=1e-9
    )


@given(measures, bins, rows, rows)
def test_more_rows_never_raise_the_floor(
    measure: BinnedMeasure, count: int, reference: int, current: int
) -> None:
    assert noise_floor(measure, count, reference, current + 1) <= noise_floor(
        measure, count, reference, current
    )


@given(measures, bins, rows, rows)
def test_more_bins_never_lower_the_floor(
    measure: BinnedMeasure, count: int, reference: int, current: int
) -> None:
    assert noise_floor(measure, count + 1, reference, current) >= noise_floor(
        measure, count, reference, current
    )


@settings(max_examples=300)
@given(measures, bins, st.one_of(st.none(), rows), st.floats(0.001, 0.99))
def test_the_rows_needed_are_the_fewest_that_do(
    measure: BinnedMeasure, count: int, reference: int | None, threshold: float
) -> None:
    needed = rows_needed(measure, count, reference, threshold)
    if needed is None:
        assert reference is not None
        assert noise_floor(measure, count, reference, 10**15) >= threshold
        return
    assert noise_floor(measure, count, reference or needed, needed) < threshold
    if needed > 1:
        fewer = needed - 1
        assert noise_floor(measure, count, reference or fewer, fewer) >= threshold * (1 - 1e-9)


def _psi(p: list[float], q: list[float]) -> float:
    return sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))


def _jensen_shannon(p: list[float], q: list[float]) -> float:
    divergence = sum(
        0.5 * a * math.log2(2 * a / (a + b)) + 0.5 * b * math.log2(2 * b / (a + b))
        for a, b in zip(p, q, strict=True)
    )
    return math.sqrt(divergence)


def _l_infinity(p: list[float], q: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize(
    ("measure", "compute"), [("psi", _psi), ("jensen_shannon", _jensen_shannon), ("l_infinity", _l_infinity)]
)
def test_samples_of_one_distribution_stay_below_the_floor_as_often_as_promised(
    measure: BinnedMeasure, compute: object
) -> None:
    drawn = random.Random(20261)  # noqa: S311 - a simulation, not a secret
    weights = [0.05, 0.1, 0.15, 0.2, 0.1, 0.1, 0.2, 0.1]
    reference_rows, current_rows, windows = 4000, 1000, 3000

    def shares(count: int) -> list[float]:
        counts = [0] * len(weights)
        for index in drawn.choices(range(len(weights)), weights, k=count):
            counts[index] += 1
        return [each / count for each in counts]

    references = [shares(reference_rows) for _ in range(300)]
    floor = noise_floor(measure, len(weights), reference_rows, current_rows)
    values = [compute(references[n % 300], shares(current_rows)) for n in range(windows)]  # type: ignore[operator]  # one of the three above
    above = sum(value > floor for value in values)
    expected = windows * (1 - NOISE_LEVEL)
    assert above <= expected + 5 * math.sqrt(expected)
    if measure != "l_infinity":  # that floor is an upper bound, the other two are what chance reaches
        assert sum(value > 0.8 * floor for value in values) > expected

"""What a profile says of numbers is exact on its grid, and otherwise off by no more than it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlops_config.runtime.drift import statistics
from mlops_config.runtime.drift.comparing import places
from mlops_config.runtime.profile.columns import NumericColumn
from tests.runtime.drift.windows import counted, numbers


def distances(reference: NumericColumn, window: NumericColumn) -> tuple[float, float]:
    """Kolmogorov-Smirnov and Wasserstein distance of two profiles, the latter in the values' unit."""
    moved = statistics.wasserstein(reference.counts, window.counts, places(reference), 1.0)
    return statistics.ks(reference.counts, window.counts).statistic, moved


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=2, max_size=50), st.data())
def test_values_of_the_grid_lose_nothing(values: list[int], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=50))
    reference = numbers("x", values)
    assert reference.exact
    ks, moved = distances(reference, counted(reference, rows))
    assert ks == pytest.approx(stats.ks_2samp(values, rows, method="asymp").statistic, abs=1e-9)
    assert moved == pytest.approx(stats.wasserstein_distance(values, rows), abs=1e-9)


@pytest.mark.parametrize("cells", [100, 1000])
@pytest.mark.parametrize("shape", ["normal", "lognormal", "uniform"])
def test_any_values_are_off_by_less_than_a_cell(shape: str, cells: int) -> None:
    random = np.random.default_rng(cells)
    draw = getattr(random, shape)
    values = draw(size=20_000)
    reference = numbers("x", values, cells=cells)
    assert not reference.exact
    for move, widen in ((0.0, 1.0), (0.1, 1.0), (0.0, 1.3), (-0.5, 0.9)):
        rows = draw(size=3_000) * widen + move
        window = counted(reference, rows)
        ks, moved = distances(reference, window)
        exact = stats.ks_2samp(values, rows, method="asymp").statistic
        # Between two points no distribution function leaves the gap that the smaller share opens.
        least = np.minimum(np.array(reference.counts) / 20_000, np.array(window.counts) / 3_000)
        assert exact - least.max() - 1e-12 <= ks <= exact + 1e-12
        assert least.max() <= 1 / cells + 1e-9
        # Every row moves within its cell; so does the distance, by the mean of both moves at most.
        points = np.array(places(reference))
        cells_of = (np.searchsorted(reference.grid, each) for each in (values, rows))
        off = sum(
            np.abs(points[place] - each).mean() for place, each in zip(cells_of, (values, rows), strict=True)
        )
        assert abs(moved - stats.wasserstein_distance(values, rows)) <= off + 1e-12
        assert (move, widen) != (0.0, 1.0) or off < 0.1 * values.std()


def test_values_far_beyond_the_reference_stay_apart() -> None:
    reference = numbers("x", np.random.default_rng(1).normal(size=5_000))
    found = [distances(reference, counted(reference, np.full(100, far)))[1] for far in (5.0, 50.0, 500.0)]
    assert 5 <= found[0] <= 10 < 50 <= found[1] <= 100 < 500 <= found[2] <= 1_000

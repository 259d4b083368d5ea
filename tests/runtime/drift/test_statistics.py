"""Every statistic is what scipy makes of the same samples, and Evidently too except where it says so."""

import json
from math import log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from mlops_config.runtime.drift import statistics

TOLERANCE = 1e-9
RECORDED = json.loads(Path(__file__).with_name("evidently.json").read_text("utf-8"))["cases"]
NUMERIC = [case for case in RECORDED if not case["name"].startswith("categories")]
CATEGORICAL = [case for case in RECORDED if case["name"].startswith("categories")]


def near(value: float) -> Any:
    """Equal to 1e-9, of the value where that is large."""
    return pytest.approx(value, abs=TOLERANCE, rel=TOLERANCE)


def names(case: dict[str, Any]) -> str:
    return str(case["name"])


_NUMBERS = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=60)
_FEW_NUMBERS = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=60)


@st.composite
def counts(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Rows of reference and window by category, at least one on either side."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12))
    reference, window = (list(each) for each in zip(*pairs, strict=True))
    return (reference, window) if sum(reference) and sum(window) else ([*reference, 1], [*window, 1])


@pytest.mark.filterwarnings("ignore:ks_2samp:RuntimeWarning")
@settings(max_examples=60, deadline=None)
@given(st.one_of(_NUMBERS, _FEW_NUMBERS), st.one_of(_NUMBERS, _FEW_NUMBERS))
def test_numbers_differ_as_scipy_says(reference: list[float], window: list[float]) -> None:
    points, old, new = statistics.counted(reference, window)
    test, expected = statistics.ks(old, new), stats.ks_2samp(reference, window)
    assert test.statistic == near(expected.statistic)
    assert test.p_value == near(expected.pvalue)
    std = float(np.std(reference))
    distance = statistics.wasserstein(old, new, points, std)
    assert distance * (std or statistics.CONSTANT_UNIT) == near(stats.wasserstein_distance(reference, window))


@pytest.mark.parametrize(("rows", "others"), [(12_000, 900), (10_001, 10_001), (300, 20_000)])
def test_large_samples_get_scipys_asymptotic_p_value(rows: int, others: int) -> None:
    random = np.random.default_rng(rows)
    for shift in (0.0, 0.02, 0.05):
        reference, window = random.normal(0, 1, rows), random.normal(shift, 1, others)
        _, old, new = statistics.counted(reference, window)
        expected = stats.ks_2samp(reference, window)
        test = statistics.ks(old, new)
        assert (test.statistic, test.p_value) == (near(expected.statistic), near(expected.pvalue))


def test_a_p_value_that_scipy_cannot_compute_exactly_is_the_one_it_falls_back_on() -> None:
    random = np.random.default_rng(3)
    reference, window = random.normal(0, 1, 7_001), random.normal(0.04, 1, 6_999)
    _, old, new = statistics.counted(reference, window)
    assert 0 < statistics.ks(old, new).p_value < 1


@settings(max_examples=100, deadline=None)
@given(counts())
def test_categories_differ_as_scipy_says(pair: tuple[list[int], list[int]]) -> None:
    reference, window = pair
    p, q = (np.array(each) / sum(each) for each in pair)
    # The root of a difference of nearly equal sums keeps half of their digits.
    assert statistics.jensen_shannon(reference, window) ** 2 == near(jensenshannon(p, q, 2) ** 2)
    assert statistics.l_infinity(reference, window) == near(float(np.abs(p - q).max()))
    table = np.array([pair[0], pair[1]])
    table = table[:, table.sum(axis=0) > 0]
    expected = stats.chi2_contingency(table, correction=False)
    test = statistics.chi_square(reference, window)
    assert (test.statistic, test.p_value) == (near(expected.statistic), near(expected.pvalue))


@settings(max_examples=100, deadline=None)
@given(counts())
def test_the_stability_index_is_the_sum_of_both_relative_entropies(pair: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(each) / sum(each) for each in pair)
    held = (p > 0) | (q > 0)
    p, q = (np.where(share > 0, share, statistics.EMPTY_SHARE)[held] for share in (p, q))
    # scipy's rel_entr is p·ln(p/q); what it leaves out by not adding up to 1 cancels in the sum.
    from scipy.special import rel_entr

    assert statistics.psi(*pair) == near(float(np.sum(rel_entr(p, q) + rel_entr(q, p))))


@pytest.mark.parametrize("case", NUMERIC, ids=names)
def test_evidently_finds_the_same_distance_and_p_value(case: dict[str, Any]) -> None:
    reference, window, theirs = case["reference"], case["window"], case["values"]
    points, old, new = statistics.counted(reference, window)
    assert statistics.ks(old, new).p_value == near(theirs["ks"])
    assert statistics.wasserstein(old, new, points, float(np.std(reference))) == near(theirs["wasserstein"])


@pytest.mark.parametrize("case", RECORDED, ids=names)
def test_evidently_finds_the_same_over_its_own_bins(case: dict[str, Any]) -> None:
    """Its bins are those of reference and window together, by Sturges' rule; its logarithms are natural."""
    old, new = evidently_bins(case["reference"], case["window"])
    assert statistics.psi(old, new) == near(case["values"]["psi"])
    assert statistics.jensen_shannon(old, new) * sqrt(log(2)) == near(case["values"]["jensen_shannon"])


@pytest.mark.parametrize("case", CATEGORICAL, ids=names)
def test_evidently_takes_the_reference_for_the_truth(case: dict[str, Any]) -> None:
    """Its chi-square p-value is ours for a reference that is as large as if it were known exactly."""
    old, new = evidently_bins(case["reference"], case["window"])
    if 0 in old:  # then theirs divides by 0
        assert case["values"]["chi_square"] == 0.0
        assert statistics.chi_square(old, new).p_value < 1e-10
        return
    enlarged = statistics.chi_square([10**11 * count for count in old], new).p_value
    assert enlarged == near(case["values"]["chi_square"])
    assert statistics.chi_square(old, new).p_value > enlarged


def evidently_bins(reference: list[Any], window: list[Any]) -> tuple[list[int], list[int]]:
    """Rows by the bins that Evidently 0.7 makes of numbers with more than 20 values, by value otherwise."""
    if isinstance(reference[0], float) and len(set(reference)) > 20:
        edges = np.histogram_bin_edges([*reference, *window], bins="sturges")
        old, new = (np.histogram(values, edges)[0].tolist() for values in (reference, window))
        return old, new
    values = sorted({*reference, *window})
    return [reference.count(value) for value in values], [window.count(value) for value in values]


def test_an_empty_share_stands_for_one_in_ten_thousand() -> None:
    assert statistics.psi([50, 50, 0], [50, 0, 50]) == near(2 * (0.5 - 1e-4) * log(0.5 / 1e-4))


def test_what_is_empty_on_both_sides_counts_for_nothing() -> None:
    assert statistics.psi([5, 0, 5], [3, 0, 7]) == statistics.psi([5, 5], [3, 7])
    assert statistics.chi_square([5, 0, 5], [3, 0, 7]) == statistics.chi_square([5, 5], [3, 7])


def test_one_category_alone_is_no_test() -> None:
    assert statistics.chi_square([9], [4]) == (0.0, 1.0)


def test_the_rarest_categories_are_pooled_until_each_is_expected_five_times() -> None:
    old, new = statistics.pooled([1000, 900, 3, 2, 1], [100, 90, 1, 0, 2])
    assert sorted(zip(old, new, strict=True)) == [(906, 93), (1000, 100)]
    assert statistics.pooled([40, 30, 30], [40, 30, 30]) == ([30, 30, 40], [30, 30, 40])


def test_two_categories_are_left_as_they_are() -> None:
    assert statistics.pooled([1, 5000], [1, 30]) == ([1, 5000], [1, 30])

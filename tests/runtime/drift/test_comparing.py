"""Each feature is judged by its method, or not at all and with the reason."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from mlops_config.errors import UsageError
from mlops_config.runtime.drift.comparing import MOST_PLOTTED, OTHER, buckets, compare, compare_predictions
from mlops_config.runtime.monitoring.report import Comparison
from mlops_config.runtime.profile.profile import Profile
from tests.runtime.drift.windows import categories, counted, monitoring, numbers, of, profile
from tests.runtime.profile.tables import training

RANDOM = np.random.default_rng(5)
NORMAL = RANDOM.normal(10, 2, 20_000)
AMOUNT = numbers("amount", NORMAL)
ZONE = categories("zone", {"north": 600, "south": 395, "rare": 5})
ONE_NUMBER, ONE_TEXT = training({"amount": "fractional"}), training({"zone": "string"})


def judged(values: Any, method: dict[str, Any], **drift: Any) -> Comparison:
    """The one comparison of a window of numbers."""
    window = profile(counted(AMOUNT, values))
    (found,) = compare(window, profile(AMOUNT), ONE_NUMBER, monitoring({"numeric": method} | drift))
    return found


@pytest.mark.parametrize(
    ("method", "others"),
    [("psi", {}), ("ks", {}), ("wasserstein", {}), ("jensen_shannon", {"threshold": 0.15})],
)
def test_numbers_drift_when_they_moved_and_do_not_otherwise(method: str, others: dict[str, Any]) -> None:
    still = judged(RANDOM.normal(10, 2, 2_000), {"method": method} | others)
    moved = judged(RANDOM.normal(12, 2, 2_000), {"method": method} | others)
    assert (still.drifted, moved.drifted) == (False, True)
    assert moved.rows == 2_000
    assert moved.reference_rows == 20_000
    assert sum(moved.plot["window"]) == pytest.approx(1)
    assert len(moved.plot["labels"]) == len(moved.plot["reference"]) == 10


@pytest.mark.parametrize("method", ["psi", "chi_square", "jensen_shannon", "l_infinity"])
def test_categories_drift_when_they_swap_and_do_not_otherwise(method: str) -> None:
    file = monitoring({"categorical": {"method": method}})
    found = [
        compare(profile(of(ZONE, counts)), profile(ZONE), ONE_TEXT, file)[0]
        for counts in ({"north": 1_210, "south": 780, "rare": 10}, {"north": 400, "south": 1_600})
    ]
    assert [each.drifted for each in found] == [False, True]


def test_a_new_category_is_drift_once_it_is_frequent() -> None:
    (found,) = compare(profile(of(ZONE, {"north": 600, "new": 900})), profile(ZONE), ONE_TEXT, monitoring())
    assert found.drifted
    assert found.plot["labels"] == ["north", "south", OTHER]
    assert found.plot["window"] == [0.4, 0.0, 0.6]


def test_rare_and_new_categories_share_one_bucket() -> None:
    window = of(ZONE, {"north": 90, "rare": 4, "new": 6})
    assert buckets(ZONE, window, 0.01) == (["north", "south", OTHER], [600, 395, 5], [90, 0, 10])
    assert buckets(ZONE, window, 0.0) == (
        ["north", "rare", "south", OTHER], [600, 5, 395, 0], [90, 4, 0, 6],
    )  # fmt: skip
    assert buckets(categories("zone", {"a": 5}), of(categories("zone", {"a": 5}), {"a": 3}), 0.01)[0] == ["a"]


def test_a_window_with_too_few_values_is_not_judged() -> None:
    found = judged(NORMAL[:999], {"method": "psi"})
    assert (found.value, found.drifted) == (None, None)
    assert found.reason == "the window has 999 rows with a value, and fewer than 1000 are not judged"


def test_a_feature_the_window_lacks_is_not_judged() -> None:
    window = profile(AMOUNT.emptied(absent=5_000), rows=5_000)
    (found,) = compare(window, profile(AMOUNT), ONE_NUMBER, monitoring())
    assert (found.drifted, found.reason) == (None, "the window does not have the column")


def test_a_feature_without_a_value_is_not_judged() -> None:
    empty = AMOUNT.emptied(absent=0).model_copy(update={"nulls": 5_000})
    (window,) = compare(profile(empty, rows=5_000), profile(AMOUNT), ONE_NUMBER, monitoring())
    assert (window.drifted, window.reason) == (None, "the window has no value in the column")
    nothing = numbers("amount", [])
    (found,) = compare(profile(counted(nothing, NORMAL)), profile(nothing), ONE_NUMBER, monitoring())
    assert (found.drifted, found.reason) == (None, "the reference has no value in the column")


@pytest.mark.parametrize("method", ["psi", "ks", "wasserstein", "jensen_shannon"])
def test_a_constant_drifts_when_it_is_another_one_and_no_number_is_missing(method: str) -> None:
    constant = numbers("amount", np.full(3_000, 7.0))
    file = monitoring({"numeric": {"method": method}})
    found = [
        compare(profile(counted(constant, np.full(2_000, value))), profile(constant), ONE_NUMBER, file)[0]
        for value in (7.0, 6.5, 7.5)
    ]
    assert [each.drifted for each in found] == [False, True, True]
    assert all(each.value is not None for each in found)


def test_ignored_features_and_timestamps_are_not_compared() -> None:
    file = training({"amount": "fractional", "zone": "string", "at": "timestamp"})
    both = profile(AMOUNT, ZONE)
    found = compare(both, both, file, monitoring({"features": {"zone": {"ignore": True}}}))
    assert [each.name for each in found] == ["amount"]


def test_a_feature_has_its_own_method_and_may_be_important() -> None:
    file = training({"amount": "fractional", "zone": "string"})
    own = {"amount": {"numeric": {"method": "wasserstein", "threshold": 0.4}}}
    both = profile(AMOUNT, ZONE)
    found = compare(both, both, file, monitoring({"features": own, "important_features": ["zone"]}))
    assert [(each.method, each.threshold, each.important) for each in found] == [
        ("wasserstein", 0.4, False),
        ("psi", 0.2, True),
    ]


@pytest.mark.parametrize("correction", ["none", "bonferroni", "benjamini_hochberg"])
def test_p_values_are_corrected_together_and_distances_left_alone(correction: str) -> None:
    features = {f"x{number}": "fractional" for number in range(6)}
    columns = [AMOUNT.model_copy(update={"name": name}) for name in features]
    moved = [counted(column, NORMAL[:3_000] + 0.03 * place) for place, column in enumerate(columns)]
    own = {"x5": {"numeric": {"method": "psi"}}}
    file = monitoring({"numeric": {"method": "ks"}, "features": own, "multiple_testing": correction})
    found = compare(profile(*moved), profile(*columns), training(features), file)
    values = [each.value for each in found[:-1]]
    assert len({*values}) == 5
    expected: list[float | None] = {
        "none": [None] * 5,
        "bonferroni": [min(1.0, 5 * (value or 0.0)) for value in values],
        "benjamini_hochberg": stats.false_discovery_control(values).tolist(),
    }[correction]
    assert [each.adjusted for each in found[:-1]] == expected
    for each in found[:-1]:
        assert each.drifted == ((each.value if each.adjusted is None else each.adjusted) < 0.05)
    assert (found[-1].method, found[-1].adjusted) == ("psi", None)


def test_a_distance_that_chance_reaches_is_no_drift() -> None:
    reference = numbers("amount", NORMAL[:60])
    window = counted(reference, NORMAL[2_000:2_040])
    file = monitoring({"min_samples": 30, "numeric": {"method": "psi", "threshold": 0.01}})
    (found,) = compare(profile(window), profile(reference), ONE_NUMBER, file)
    assert found.value is not None
    assert found.value > 0.01
    assert found.drifted is False
    assert found.reason is not None
    assert found.reason.startswith("above the threshold, but with 40 rows against 60 chance alone reaches")


def test_predictions_are_judged_alone() -> None:
    label = numbers("label", NORMAL)
    moved = profile(counted(label, NORMAL[:2_000] + 3))
    found = compare_predictions(moved, profile(label), ONE_NUMBER, monitoring())
    assert found is not None
    assert (found.name, found.drifted) == ("label", True)
    off = monitoring(prediction_drift={"enabled": False})
    assert compare_predictions(moved, profile(label), ONE_NUMBER, off) is None
    assert compare_predictions(moved, profile(AMOUNT), ONE_NUMBER, monitoring()) is None


def test_profiles_after_different_references_are_not_compared() -> None:
    other = numbers("amount", NORMAL[:500])
    with pytest.raises(UsageError, match="different references"):
        compare(profile(AMOUNT), profile(other), ONE_NUMBER, monitoring())


def test_a_feature_profiled_as_another_family_is_refused() -> None:
    both = profile(ZONE.model_copy(update={"name": "amount"}), rows=5_000)
    with pytest.raises(UsageError, match="not profiled as the numeric feature"):
        compare(both, both, ONE_NUMBER, monitoring({"min_samples": 30}))


def test_an_empty_window_is_not_judged() -> None:
    (found,) = compare(
        Profile(rows=0, columns=(AMOUNT.emptied(absent=0),)), profile(AMOUNT), ONE_NUMBER, monitoring()
    )
    assert found.drifted is None


def test_a_plot_shows_the_most_frequent_categories_and_sums_up_the_others() -> None:
    many = categories("zone", {f"zone {number:03}": 1_000 - number for number in range(90)})
    file = monitoring({"categorical": {"method": "psi", "other_bucket_fraction": 0.0}})
    (found,) = compare(profile(many), profile(many), ONE_TEXT, file)
    assert found.plot["labels"] == [f"zone {number:03}" for number in range(MOST_PLOTTED)] + [OTHER]
    assert sum(found.plot["reference"]) == pytest.approx(1)

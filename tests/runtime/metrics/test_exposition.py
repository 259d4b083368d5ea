"""The text a Prometheus reads: labels, escapes, and how many features have series of their own."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.alerting.series import (
    DRIFT_SHARE,
    FEATURE_DRIFT,
    FEATURE_DRIFTED,
    PERFORMANCE,
    ROWS_PREDICTED,
)
from mlops_config.errors import UsageError
from mlops_config.runtime.metrics.exposition import OTHER_FEATURES, Sample, families_in, limited, text_of
from tests.runtime.metrics.configs import metrics, monitoring


def drift(feature, value, method="psi"):
    return Sample(FEATURE_DRIFT, value, {"feature": feature, "method": method})


def drifted(feature, value):
    return Sample(FEATURE_DRIFTED, value, {"feature": feature})


def samples_in(text):
    return {
        (each.name, *sorted(each.labels.items())): each.value
        for family in families_in(text)
        for each in family.samples
    }


def test_every_series_says_which_model_it_is_about():
    text = text_of([Sample(DRIFT_SHARE, 0.25)], metrics(namespace="fares", labels={"team": "fares"}))

    labels = 'environment="dev",model="trip-fare",project="city-taxi",team="fares"'
    assert text == (
        "# HELP fares_drift_share_fraction Share of the features that drift, 0 to 1.\n"
        "# TYPE fares_drift_share_fraction gauge\n"
        f"fares_drift_share_fraction{{{labels}}} 0.25\n"
    )


def test_a_counter_keeps_its_name():
    text = text_of([Sample(ROWS_PREDICTED, 7)], metrics())

    assert "# TYPE mlops_rows_predicted_total counter\n" in text
    assert samples_in(text) == {
        (
            "mlops_rows_predicted_total",
            ("environment", "dev"),
            ("model", "trip-fare"),
            ("project", "city-taxi"),
        ): 7.0
    }


def test_the_samples_of_one_series_stand_together_under_one_heading():
    samples = [drift("a", 0.1), Sample(DRIFT_SHARE, 0.5), drift("b", 0.2)]

    lines = text_of(samples, metrics()).splitlines()

    assert [line.split("{")[0].split(" ")[-1] for line in lines if not line.startswith("# HELP")] == [
        "gauge",
        "mlops_feature_drift_value",
        "mlops_feature_drift_value",
        "gauge",
        "mlops_drift_share_fraction",
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_label_value_comes_back_as_it_was(value):
    text = text_of([Sample(PERFORMANCE, 1.0, {"metric": value})], metrics())

    [family] = families_in(text)
    [sample] = family.samples
    assert sample.labels["metric"] == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e-300, 0.1 + 0.2])
def test_any_number_comes_back_as_it_was(value):
    [family] = families_in(text_of([Sample(DRIFT_SHARE, value)], metrics()))

    [sample] = family.samples
    assert sample.value == value or (math.isnan(sample.value) and math.isnan(value))


@pytest.mark.parametrize("label", ["project", "environment", "feature", "mlops_job", "job", "instance", "le"])
def test_a_label_of_the_file_that_we_set_is_refused(label):
    with pytest.raises(UsageError, match=f"sets {label}, which the series have already"):
        text_of([Sample(DRIFT_SHARE, 0.0)], metrics(labels={label: "mine"}))


@pytest.mark.parametrize("labels", [{}, {"metric": "rmse", "feature": "a"}, {"feature": "a"}])
def test_a_sample_with_other_labels_than_its_series_is_a_mistake(labels):
    with pytest.raises(ValueError, match="performance has the labels"):
        text_of([Sample(PERFORMANCE, 1.0, labels)], metrics())


def test_two_samples_of_one_series_are_a_mistake():
    with pytest.raises(ValueError, match="two samples of feature_drifted"):
        text_of([drifted("a", 1), drifted("a", 0)], metrics())


def test_features_beyond_the_limit_are_summed_up():
    samples = [drift(name, 0.1 * n) for n, name in enumerate("abcd")]
    samples += [drifted(name, float(n > 0)) for n, name in enumerate("abcd")]

    kept = limited(samples, metrics(max_feature_series=2))

    assert kept == (
        *samples[:2],
        *samples[4:6],
        drifted(OTHER_FEATURES, 2.0),
        drift(OTHER_FEATURES, 0.1 * 3),
    )


def test_of_a_test_the_smallest_p_value_stands_for_the_rest():
    samples = [drift("a", 0.5, "ks"), drift("b", 0.2, "ks"), drift("c", math.nan, "ks"), drift("d", 0.3)]

    kept = limited(samples, metrics(max_feature_series=0))

    assert kept == (drift(OTHER_FEATURES, 0.2, "ks"), drift(OTHER_FEATURES, 0.3, "psi"))


def test_features_that_an_alert_watches_or_that_are_important_keep_their_series():
    alert = {"name": "d-drifts", "signal": "drift", "feature": "d"}
    config = monitoring(
        (("metrics",), {"max_feature_series": 1}),
        (("drift", "important_features"), ["c"]),
        (("alerts",), [alert]),
    )

    kept = limited([drifted(name, 1.0) for name in "abcd"], config)

    assert kept == (drifted("c", 1.0), drifted("d", 1.0), drifted(OTHER_FEATURES, 2.0))


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), unique_by=lambda each: each[0]),
    st.integers(0, 12),
)
def test_the_number_of_drifting_features_is_the_same_with_any_limit(features, limit):
    samples = [drifted(f"f{number}", float(drifts)) for number, drifts in features]

    kept = limited(samples, metrics(max_feature_series=limit))

    assert sum(each.value for each in kept) == sum(drifts for _, drifts in features)
    assert len(kept) <= limit + 1


def test_without_features_nothing_is_added():
    assert limited([Sample(DRIFT_SHARE, 0.0)], metrics(max_feature_series=0)) == (Sample(DRIFT_SHARE, 0.0),)

"""Each alert says the very number it fires at, wherever in the files that number stands."""

import pytest

from mlops_config.kinds import Kind
from mlops_config.release.thresholds import Limit, thresholds

TRAINING = {
    "schema": {
        "features": [{"name": "distance_km", "type": "fractional"}, {"name": "zone", "type": "string"}],
        "target": {"problem_type": "regression"},
    }
}
INFERENCE = {
    "service_level": {"p95_latency_ms": 200.0, "error_rate_max_fraction": 0.005, "availability_percent": 99.9}
}
PSI = {"method": "psi", "threshold": 0.15, "direction": "above"}
CHI = {"method": "chi_square", "threshold": 0.05, "direction": "below"}
MONITORING = {
    "drift": {
        "numeric": PSI,
        "categorical": CHI,
        "features": {},
        "drift_share_fraction": 0.3,
        "important_features": ["distance_km"],
    },
    "prediction_drift": {"enabled": True, "numeric": PSI, "categorical": CHI},
    "quality": {"completeness_min_fraction": 0.99, "freshness_max_age": "PT12H"},
    "performance": {"thresholds": {"rmse": {"threshold": 3.0}, "r2": {"threshold": 0.9}}},
    "violation_policy": {"evaluation_windows": 4, "violation_windows": 3, "newest_must_violate": True},
    "alerts": [],
}


def in_force(monitoring=None, inference=INFERENCE, training=TRAINING):
    return thresholds(
        {
            Kind.MONITORING: MONITORING | (monitoring or {}),
            Kind.INFERENCE: inference,
            Kind.TRAINING: training,
        }
    )


def alert(monitoring=None, **fields):
    entry = {"name": "a", "severity": "page", "for": "PT5M", "op": None, "threshold": None} | fields
    (found,) = in_force((monitoring or {}) | {"alerts": [entry]}).alerts
    return found


def worded(limit):
    return (limit.measure, limit.subject, limit.sign, limit.threshold)


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ({"signal": "latency"}, ("95th percentile of latency", None, ">", 200.0)),
        ({"signal": "errors"}, ("share of failed requests", None, ">", 0.005)),
        ({"signal": "availability"}, ("availability", None, "<", 99.9)),
        ({"signal": "performance", "metric": "rmse"}, ("metric", "rmse", ">", 3.0)),
        ({"signal": "performance", "metric": "r2"}, ("metric", "r2", "<", 0.9)),
        ({"signal": "drift"}, ("share of features that drift", None, "≥", 0.3)),
        (
            {"signal": "drift", "feature": "distance_km"},
            ("population stability index of", "distance_km", ">", 0.15),
        ),
        ({"signal": "drift", "feature": "zone"}, ("chi-square p-value of", "zone", "<", 0.05)),
        (
            {"signal": "prediction_drift"},
            ("population stability index of the predictions", None, ">", 0.15),
        ),
    ],
)
def test_without_a_threshold_of_its_own_an_alert_has_the_configurations(signal, expected):
    assert worded(alert(**signal).limit) == expected


@pytest.mark.parametrize("signal", ["quality", "integrity", "staleness"])
def test_some_alerts_have_no_number(signal):
    found = alert(signal=signal)
    assert found.limit is None
    assert found.event


def test_a_threshold_of_its_own_wins():
    found = alert(signal="latency", threshold=150.0)
    assert worded(found.limit) == ("95th percentile of latency", None, ">", 150.0)
    assert found.limit.path == "monitoring: alerts[a].threshold"


def test_so_does_a_comparison_of_its_own():
    assert alert(signal="errors", op="ge").limit.sign == "≥"
    assert alert(signal="errors", op="ge", threshold=0.1).limit.sign == "≥"


def test_an_alert_without_a_number_may_give_itself_one():
    found = alert(signal="staleness", threshold=3.0)
    assert worded(found.limit) == ("staleness value", None, ">", 3.0)
    assert found.event is None


def test_a_feature_with_a_method_of_its_own_is_judged_by_it():
    own = {"method": "wasserstein", "threshold": 0.1, "direction": "above"}
    drift = MONITORING["drift"] | {"features": {"distance_km": {"ignore": False, "numeric": own}}}
    found = alert({"drift": drift}, signal="drift", feature="distance_km")
    assert worded(found.limit) == ("Wasserstein distance of", "distance_km", ">", 0.1)
    assert found.limit.path == "monitoring: drift.features.distance_km.numeric.threshold"


def test_predictions_of_a_class_are_judged_as_categories():
    training = {"schema": {"target": {"problem_type": "binary_classification"}}}
    limits = in_force(training=training).limits
    assert ("chi-square p-value of the predictions", None, "<", 0.05) in [worded(limit) for limit in limits]


def test_every_limit_says_where_it_stands():
    assert [limit.path for limit in in_force().limits] == [
        "monitoring: drift.drift_share_fraction",
        "monitoring: drift.numeric.threshold",
        "monitoring: drift.categorical.threshold",
        "monitoring: prediction_drift.numeric.threshold",
        "monitoring: quality.completeness_min_fraction",
        "monitoring: quality.freshness_max_age",
        "monitoring: performance.thresholds.rmse.threshold",
        "monitoring: performance.thresholds.r2.threshold",
        "inference: service_level.p95_latency_ms",
        "inference: service_level.error_rate_max_fraction",
        "inference: service_level.availability_percent",
    ]


def test_what_is_switched_off_is_left_out():
    found = in_force(
        {
            "enabled": False,
            "prediction_drift": {"enabled": False, "numeric": PSI},
            "drift": {"features": {"distance_km": {"ignore": True, "numeric": PSI}}},
            "performance": None,
        }
    )
    assert not found.monitored
    assert not [limit for limit in found.limits if "drift" in limit.path or "performance" in limit.path]


def test_important_features_come_with_the_share():
    assert in_force().limits[0] == Limit(
        "share of features that drift",
        "≥",
        0.3,
        "monitoring: drift.drift_share_fraction",
        any_of=("distance_km",),
    )


def test_the_violation_policy():
    assert in_force().windows == (3, 4, True)


def test_a_contract_of_another_shape_gives_what_can_be_read():
    assert thresholds({}).alerts == ()
    assert in_force({"alerts": [{"signal": "odd"}]}).alerts[0].event == "its signal is bad"

"""The series that a report makes."""

from mlops_config.alerting.series import FEATURE_DRIFT
from mlops_config.runtime.metrics.exposition import OTHER_FEATURES, limited
from mlops_config.runtime.monitoring.samples import samples
from tests.runtime.metrics.configs import monitoring
from tests.runtime.retraining.scenes import report

FEATURES = ("d", "a", "c", "b")


def features_with_series(*drifted: str) -> list[str]:
    """The features of a window in which these drift."""
    watched = monitoring(
        (("metrics",), {"max_feature_series": 2}), (("drift", "important_features"), []), (("alerts",), [])
    )
    kept = limited(samples(report(features=FEATURES, drifted=drifted), None), watched)
    return [each.labels["feature"] for each in kept if each.series is FEATURE_DRIFT]


def test_series_stay_the_same_features_whatever_drifts() -> None:
    assert features_with_series() == ["d", "a", OTHER_FEATURES]
    assert features_with_series("b", "c") == ["d", "a", OTHER_FEATURES]

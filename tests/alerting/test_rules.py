"""Which rules are made of a configuration: thresholds with their one home, directions, switches, labels."""

import re
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.alerting.generating import generate
from mlops_config.alerting.promql import human_span, number, quoted, span, untemplated
from mlops_config.alerting.rules import alert_rules
from mlops_config.errors import UsageError
from mlops_config.kinds import Kind
from tests.alerting.environments import example, with_alerts, with_changes
from tests.contract.documents import ROOT


def rules_by_name(configs):
    """The alerting rules as Prometheus gets them; of two of one name the first."""
    document = yaml.safe_load(generate(configs).rules)
    rules = {}
    for rule in document["groups"][1]["rules"]:
        rules.setdefault(rule["alert"], rule)
    return rules


def compared(rule):
    """Operator and number of the rule's first comparison."""
    found = re.search(r" (<=|>=|<|>) (\S+)$", rule["expr"].splitlines()[0])
    return found[1], float(found[2])


def test_a_threshold_comes_from_its_home_and_says_so():
    rules = rules_by_name(example("prod"))

    found = {
        name: (*compared(rule), rule["annotations"]["threshold"])
        for name, rule in rules.items()
        if name[0] == "f"
    }

    prod = "configs/prod/prod_"
    assert {name: value[:2] for name, value in found.items()} == {
        "fare-errors": (">", 0.005),
        "fare-latency": (">", 0.2),
        "fare-availability": ("<", 99.9),
        "fare-integrity": (">", 0),
        "fare-rmse": (">", 3),
        "fare-drift": (">=", 0.3),
        "fare-prediction-drift": (">", 0.15),
        "fare-quality": (">", 0),
        "fare-monitoring-silent": (">", 43200),
    }
    for name, origin in {
        "fare-latency": (
            f"{prod}inference_config.yaml",
            "p95_latency_ms: 200",
            "service_level.p95_latency_ms",
        ),
        "fare-rmse": (
            f"{prod}monitoring_config.yaml",
            "rmse: {threshold: 3.0}",
            "performance.thresholds.rmse",
        ),
        "fare-drift": (
            f"{prod}monitoring_config.yaml",
            "drift_share_fraction: 0.3",
            "drift.drift_share_fraction",
        ),
        "fare-monitoring-silent": (f"{prod}monitoring_config.yaml", 'cron: "30 */6 * * *"', "schedule.cron"),
    }.items():
        file, text, path = origin
        where = re.search(r"\((\S+):(\d+) (\S+)\)", found[name][2])
        assert where[1] == file
        assert text in (ROOT / file).read_text().splitlines()[int(where[2]) - 1]
        assert where[3].startswith(path)


def test_a_default_is_named_as_one():
    configs = with_alerts("dev", {"name": "some-drift", "signal": "drift"})

    assert rules_by_name(configs)["some-drift"]["annotations"]["threshold"] == (
        "0.5 (default of Drift.drift_share_fraction drift.drift_share_fraction)"
    )


@pytest.mark.parametrize(
    ("numeric", "expected"),
    [
        ({"method": "psi", "threshold": 0.3}, (">", 0.3)),
        ({"method": "ks", "threshold": 0.01}, ("<", 0.01)),
        ({"method": "wasserstein", "threshold": 0.4}, (">", 0.4)),
        ({"method": "jensen_shannon", "threshold": 0.2}, (">", 0.2)),
    ],
)
def test_a_feature_drifts_in_the_direction_of_its_method(numeric, expected):
    alert = {"name": "one-feature", "signal": "drift", "feature": "distance_km"}
    configs = with_changes(
        "dev", (Kind.MONITORING, ("alerts",), [alert]), (Kind.MONITORING, ("drift", "numeric"), numeric)
    )

    rule = rules_by_name(configs)["one-feature"]

    assert compared(rule) == expected
    assert f'feature="distance_km", method="{numeric["method"]}"' in rule["expr"]


def test_a_features_own_method_comes_before_that_of_all():
    configs = with_alerts("prod", {"name": "own-method", "signal": "drift", "feature": "expected_minutes"})

    rule = rules_by_name(configs)["own-method"]

    assert compared(rule) == (">", 0.1)
    assert 'method="wasserstein"' in rule["expr"]
    assert "drift.features.expected_minutes.numeric.threshold" in rule["annotations"]["threshold"]


def test_a_feature_drifts_only_where_monitoring_says_so():
    alert = {"name": "one-feature", "signal": "drift", "feature": "pickup_zone"}

    rule = rules_by_name(with_alerts("prod", alert))["one-feature"]

    value, verdict = rule["expr"].splitlines()
    assert "fares_feature_drift_value{" in value
    assert re.fullmatch(
        r'and max by \(.*\) \(fares_feature_drifted\{.*feature="pickup_zone"\}\) == 1', verdict
    )
    assert rule["annotations"]["description"].endswith(
        "the alert fires above 0.15; monitoring finds it more than chance alone makes of so many rows."
    )


@pytest.mark.parametrize("own", [{"threshold": 0.3}, {"op": "ge"}])
def test_with_a_limit_of_its_own_the_value_of_a_feature_decides(own):
    alert = {"name": "one-feature", "signal": "drift", "feature": "pickup_zone", **own}

    assert "feature_drifted" not in rules_by_name(with_alerts("prod", alert))["one-feature"]["expr"]


def test_a_metric_that_should_be_large_is_bad_when_it_is_small():
    configs = with_changes(
        "prod",
        (Kind.MONITORING, ("performance", "thresholds"), {"r2": {"threshold": 0.9}}),
        (Kind.MONITORING, ("alerts",), [{"name": "worse-fit", "signal": "performance", "metric": "r2"}]),
    )

    assert compared(rules_by_name(configs)["worse-fit"]) == ("<", 0.9)


def test_a_metric_judged_against_the_champion_is_left_to_monitoring():
    configs = with_changes(
        "prod",
        (Kind.MONITORING, ("performance", "thresholds"), {"rmse": {"min_relative_change": 0.1}}),
        (Kind.MONITORING, ("alerts",), [{"name": "worse-fit", "signal": "performance", "metric": "rmse"}]),
    )

    rule = rules_by_name(configs)["worse-fit"]

    assert " > " not in rule["expr"]
    assert 'signal="performance"}) == 1' in rule["expr"]
    assert rule["annotations"]["threshold"].startswith("as monitoring judges it (")
    assert "min_relative_change" in rule["annotations"]["threshold"]


def test_an_alert_with_a_threshold_of_its_own_does_not_wait_for_the_violation_policy():
    alert = {"name": "own-limit", "signal": "drift", "threshold": 0.7, "op": "gt"}

    rule = rules_by_name(with_alerts("prod", alert))["own-limit"]

    assert compared(rule) == (">", 0.7)
    assert "signal_confirmed" not in rule["expr"]


def test_units_of_a_threshold_are_those_of_the_configuration():
    alerts = [
        {"name": "too-slow", "signal": "latency", "threshold": 350},
        {"name": "too-old", "signal": "staleness", "threshold": 7200, "op": "ge"},
    ]

    rules = rules_by_name(with_alerts("prod", *alerts))

    assert compared(rules["too-slow"]) == (">", 0.35)
    assert rules["too-slow"]["annotations"]["threshold"].startswith("350 ms")
    assert compared(rules["too-old"]) == (">=", 7200)


def switches(configs):
    return {
        (rule.name, "absent" in rule.labels): rule.for_
        for rule in alert_rules(configs).rules
        if rule.name[0] == "M"
    }


def test_silence_is_an_alert_even_where_none_is_written():
    day = timedelta(days=1)

    assert switches(example("dev")).keys() >= {("MlopsMonitoringSilent", False), ("MlopsServerAbsent", False)}
    assert switches(example("prod")) == {
        ("MlopsRetrainingSilent", False): timedelta(0),
        ("MlopsRetrainingSilent", True): 2 * day,
        ("MlopsBatchSilent", False): timedelta(0),
        ("MlopsBatchSilent", True): 2 * day,
    }


def test_what_is_switched_off_or_not_there_is_not_missed():
    alerts = [{"name": "too-slow", "signal": "latency"}, {"name": "silent-job", "signal": "staleness"}]
    configs = with_changes(
        "dev",
        (Kind.MONITORING, ("alerts",), alerts),
        (Kind.MONITORING, ("enabled",), False),
        (Kind.INFERENCE, ("mode",), "batch"),
        (Kind.INFERENCE, ("batch",), None),
        (Kind.RETRAIN, ("triggers",), [{"type": "manual"}]),
    )

    found = alert_rules(configs)

    assert found.rules == ()
    assert found.unwatched == (
        "too-slow watches the server's latency, but inference.mode is batch",
        "silent-job watches for monitoring that did not run, but monitoring is not enabled",
    )


def test_the_retraining_trigger_that_comes_round_most_often_counts():
    triggers = [{"type": "schedule", "cron": "0 2 1 * *"}, {"type": "schedule", "cron": "0 3 * * MON"}]
    configs = with_changes("dev", (Kind.RETRAIN, ("triggers",), triggers))

    assert compared(rules_by_name(configs)["MlopsRetrainingSilent"]) == (">", 14 * 86400)


def test_every_rule_says_who_it_is_about_and_none_by_the_release():
    rules = yaml.safe_load(generate(example("prod")).rules)["groups"][1]["rules"]

    for rule in rules:
        assert rule["labels"].keys() - {"mlops_job", "absent"} == {
            *("project", "model", "environment", "team", "severity", "signal")
        }
        assert rule["annotations"].keys() >= {"summary", "description", "threshold", "config_digest"}
    pages = [rule for rule in rules if rule["labels"]["severity"] == "page"]
    assert pages
    assert all("runbook_url" in rule["annotations"] for rule in pages)


def test_a_feature_that_is_not_compared_cannot_be_watched():
    alert = {"name": "no-feature", "signal": "drift", "feature": "weekday"}

    with pytest.raises(UsageError, match="watches weekday, which monitoring does not compare"):
        generate(with_alerts("dev", alert))


def test_a_label_of_the_file_that_we_set_is_refused():
    configs = with_changes("dev", (Kind.MONITORING, ("metrics",), {"labels": {"severity": "high"}}))

    with pytest.raises(UsageError, match="sets severity"):
        generate(configs)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_as_what_it_is(value):
    assert float(number(value)) == value
    assert "e" not in number(value)


@given(st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_duration_is_written_to_the_millisecond(value):
    sizes = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
    parts = re.findall(r"(\d+)(ms|[dhms])", span(value))

    assert sum(int(count) * sizes[unit] for count, unit in parts) == pytest.approx(
        value.total_seconds(), abs=6e-4
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (3660, "1h 1m 0s"), (90061, "1d 1h 1m 1s"), (-60, "-1m 0s")],
)
def test_a_duration_for_people_is_that_of_prometheus(seconds, text):
    assert human_span(seconds) == text


def test_text_is_escaped_where_prometheus_would_read_more_into_it():
    assert quoted('a"b\\c\nd') == '"a\\"b\\\\c\\nd"'
    assert untemplated("{{ .Labels }}") == '{{ "{{" }} .Labels }}'

"""promtool passes the generated rules with their own tests, and fails them when a rule is changed."""

import json
import random
import re
from datetime import timedelta

import pytest
import yaml

from mlops_config.alerting.generating import generate
from mlops_config.kinds import Kind
from tests.alerting.environments import example, generated, promtool_tests, with_alerts, with_changes, write
from tests.alerting.golden_files import held_against
from tests.contract.documents import ENVIRONMENTS
from tests.services.prometheus import promtool


def passes(folder, *tests):
    """promtool finds no fault with the rules in the folder, and its tests pass."""
    rules = sorted(folder.glob("*.rules.*"))
    checked = promtool("check", "rules", *rules)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", *(tests or promtool_tests(folder)))
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_generated_files_are_those_that_were_reviewed(environment):
    for name, text in generated(environment).files.items():
        held_against(name, text)


def test_the_rules_of_all_environments_pass_their_tests_side_by_side(tmp_path):
    for environment in ENVIRONMENTS:
        write(tmp_path, generated(environment))

    passes(tmp_path)


def test_rules_of_several_environments_do_not_clash(tmp_path):
    """Staging's tests pass with the rules of all three loaded: none sees another's series."""
    for environment in ENVIRONMENTS:
        write(tmp_path, generated(environment))
    test = tmp_path / "staging_alerts_test.yaml"
    document = yaml.safe_load(test.read_text())
    document["rule_files"] = [f"{environment}_alerts.rules.yaml" for environment in ENVIRONMENTS]
    for case in document["tests"]:
        # The other environments have no series here, and their switches against silence say so.
        case["alert_rule_test"] = [
            check for check in case["alert_rule_test"] if not check["alertname"].startswith("Mlops")
        ]
    test.write_text(yaml.safe_dump(document))

    passes(tmp_path, test)


def test_rules_as_json_pass_too(tmp_path):
    files = generate(example("dev"), "json", watchdog=True)
    for name, text in files.files.items():
        json.loads(text)
        assert name.endswith(".json")
    write(tmp_path, files)

    passes(tmp_path)


SIGNALS = (
    {"signal": "drift"},
    {"signal": "drift", "feature": "distance_km"},
    {"signal": "drift", "feature": "expected_minutes"},
    {"signal": "drift", "feature": "pickup_zone"},
    {"signal": "prediction_drift"},
    {"signal": "performance", "metric": "rmse"},
    {"signal": "quality"},
    {"signal": "latency"},
    {"signal": "errors"},
    {"signal": "availability"},
    {"signal": "integrity"},
    {"signal": "staleness"},
)
METHODS = (
    {"method": "psi", "threshold": 0.31},
    {"method": "ks", "threshold": 0.01},
    {"method": "wasserstein", "threshold": 0.7},
    {"method": "jensen_shannon", "threshold": 0.23},
)
CATEGORICAL = (
    {"method": "chi_square", "threshold": 0.02},
    {"method": "l_infinity", "threshold": 0.17},
    {"method": "psi", "threshold": 0.4},
)
IMPORTANT = ([], ["passengers"], ["raining", "pickup_zone"])
TEAMS = ("a b", 'quo"ted', "{{ .Labels }}", "é\\n")


def drawn(seed):
    """A monitoring file of chance."""
    dice = random.Random(seed)  # noqa: S311 the same files each time
    alerts = []
    for number in range(dice.randint(2, 9)):
        alert = {
            "name": f"alert-{number}",
            **dice.choice(SIGNALS),
            "severity": dice.choice(["page", "ticket"]),
        }
        if dice.random() < 0.5:
            alert["threshold"] = dice.choice([0.0, 1.0, 0.25, 99.5, 1e-05, 7200.0, round(dice.random(), 6)])
        if dice.random() < 0.4:
            alert["op"] = dice.choice(["gt", "ge", "lt", "le"])
        if dice.random() < 0.6:
            alert["for"] = dice.choice(["PT90S", "PT1M", "PT7M", "PT1H30M", "PT1S", "P1D"])
        alerts.append(alert)
    drift = ("drift",)
    return with_changes(
        "prod",
        (Kind.MONITORING, ("alerts",), alerts),
        (Kind.MONITORING, (*drift, "numeric"), dice.choice(METHODS)),
        (Kind.MONITORING, (*drift, "categorical"), dice.choice(CATEGORICAL)),
        (
            Kind.MONITORING,
            (*drift, "important_features"),
            dice.choice([[], ["passengers"], ["raining", "pickup_zone"]]),
        ),
        (Kind.MONITORING, ("prediction_drift", "numeric"), dice.choice(METHODS)),
        (Kind.MONITORING, ("violation_policy", "newest_must_violate"), dice.random() < 0.7),
        (Kind.MONITORING, ("schedule", "cron"), dice.choice(["0 * * * *", "30 6 * * *", "0 3 * * MON"])),
        (
            Kind.MONITORING,
            ("metrics", "labels"),
            {"team": dice.choice(["a b", 'quo"ted', "{{ .Labels }}", "é\\n"])},
        ),
        (Kind.INFERENCE, ("mode",), dice.choice(["both", "endpoint", "batch"])),
        (Kind.INFERENCE, ("service_level", "p95_latency_ms"), dice.choice([37.5, 200, 12345.0])),
        (Kind.INFERENCE, ("service_level", "error_rate_max_fraction"), dice.choice([0.0, 0.1, 1.0])),
    )


@pytest.mark.parametrize("seed", range(3))
def test_rules_of_any_monitoring_file_pass_their_tests(tmp_path, seed):
    write(tmp_path, generate(drawn(seed), watchdog=seed % 2 == 0))

    passes(tmp_path)


def test_the_same_configuration_gives_the_same_bytes():
    assert generate(example("prod")).files == generate(example("prod")).files


# What a slip in the rules could look like; promtool has to notice each, in every alert it can happen to.


def scaled(factor):
    def change(expr):
        return re.sub(
            r"(<=|>=|<|>) ([1-9][0-9.]*|0\.[0-9]+)(?=\n|$)",
            lambda found: f"{found[1]} {float(found[2]) * factor!r}",
            expr,
            count=1,
        )

    return lambda rule: {**rule, "expr": change(rule["expr"])}


def swapped(pairs):
    def change(found):
        return f" {pairs[found[1]]} {found[2]}"

    return lambda rule: {
        **rule,
        "expr": re.sub(r" (<=|>=|<|>) ([0-9.]+)(?=\n|$)", change, rule["expr"], count=1),
    }


def waiting(change):
    def mutate(rule):
        if "for" not in rule:
            return rule
        parts = {unit: int(count) for count, unit in re.findall(r"(\d+)([dhm])", rule["for"])}
        minutes = parts.get("d", 0) * 1440 + parts.get("h", 0) * 60 + parts.get("m", 0)
        return {**rule, "for": f"{change(minutes)}m"}

    return mutate


def replaced(old, new):
    return lambda rule: {**rule, "expr": re.sub(old, new, rule["expr"])}


def labelled(rule):
    return {**rule, "labels": {**rule["labels"], "severity": "nobody"}}


def digested(rule):
    return {**rule, "annotations": {**rule["annotations"], "threshold": "somewhere"}}


CHANGES = {
    "a looser threshold": scaled(1.02),
    "a tighter threshold": scaled(0.98),
    "another strictness": swapped({">": ">=", ">=": ">", "<": "<=", "<=": "<"}),
    "the other direction": swapped({">": "<", ">=": "<=", "<": ">", "<=": ">="}),
    "a longer wait": waiting(lambda minutes: minutes + 1),
    "a shorter wait": waiting(lambda minutes: minutes // 2),
    "no violation policy": replaced(r"\nand max by .*signal_confirmed.*$", ""),
    "no important feature": replaced(r"distance_km\|pickup_zone", "distance_km"),
    "another job": replaced(r'mlops_job="\w+"', 'mlops_job="nothing"'),
    "another environment": replaced(r'environment="prod"', 'environment="elsewhere"'),
    "a rule that never fires": lambda rule: {**rule, "expr": "vector(0) > 1"},
    "a rule that always fires": lambda rule: {**rule, "expr": "vector(1)"},
    "another severity": labelled,
    "another origin": digested,
}


@pytest.fixture(scope="module")
def proven(tmp_path_factory):
    """The rules of prod and their tests, in a folder."""
    folder = tmp_path_factory.mktemp("proven")
    write(folder, generated("prod"))
    return folder


SLOW = {"a longer wait", "a shorter wait", "another job"}
"""Slips of alerts that take hours; they have tests of their own, in larger steps."""


@pytest.mark.parametrize("slip", CHANGES)
def test_promtool_notices_a_slip_in_every_alert_it_can_happen_to(tmp_path, proven, slip):
    rules_file = "prod_alerts.rules.yaml"
    document = yaml.safe_load((proven / rules_file).read_text())
    rules = document["groups"][0]["rules"]
    changed = [CHANGES[slip](rule) for rule in rules]
    slipped = {old["alert"] for old, new in zip(rules, changed, strict=True) if old != new}
    document["groups"][0]["rules"] = changed
    (tmp_path / rules_file).write_text(yaml.safe_dump(document))
    hours = ["prod_alerts_15m_test.yaml", "prod_alerts_1h_test.yaml"] if slip in SLOW else []
    for name in ["prod_alerts_test.yaml", *hours]:
        (tmp_path / name).write_bytes((proven / name).read_bytes())

    tested = promtool("test", "rules", *promtool_tests(tmp_path))

    assert slipped
    assert tested.returncode == 1
    noticed = set(re.findall(r"alertname: ?([\w-]+)", tested.stdout + tested.stderr))
    assert slipped <= noticed


def test_promtool_notices_an_alert_that_fires_where_the_feature_did_not_drift(tmp_path):
    alert = {"name": "one-feature", "signal": "drift", "feature": "distance_km"}
    write(tmp_path, generate(with_alerts("prod", alert)))
    passes(tmp_path)
    rules = tmp_path / "prod_alerts.rules.yaml"
    text = rules.read_text()
    rules.write_text(re.sub(r"\n +and max by .*feature_drifted.* == 1", "", text))
    assert rules.read_text() != text

    tested = promtool("test", "rules", tmp_path / "prod_alerts_test.yaml")

    assert tested.returncode == 1, tested.stdout + tested.stderr
    assert "one-feature" in tested.stdout + tested.stderr


RECORDING_SLIPS = {
    "another percentile": (r"0\.95", "0.9"),
    "what clients do wrong": (r"5\.\.", "[45].."),
    "no guard against no traffic": (r" > 0\)", " >= 0)"),
    "silence is no number": (r" or vector\(0\)", ""),
    "never failed is no number": (r" or 0 \* [^)]*", ""),
    "every server counts": (r"clamp_max\((.*), 1\)", r"\1"),
    "a fraction": (r"100 \* ", ""),
    "the oldest run": (r"- max by", "- min by"),
    "all environments": (r', environment="dev"', ""),
}


@pytest.mark.parametrize("slip", RECORDING_SLIPS)
def test_promtool_notices_a_slip_in_a_recording_rule(tmp_path, slip):
    old, new = RECORDING_SLIPS[slip]
    write(tmp_path, generated("dev"))
    rules = tmp_path / "dev_recording.rules.yaml"
    text = rules.read_text()
    rules.write_text(re.sub(old, new, text))
    assert rules.read_text() != text

    tested = promtool("test", "rules", tmp_path / "dev_rules_test.yaml")

    assert tested.returncode == 1, tested.stdout + tested.stderr


def test_alerts_that_take_days_are_tested_in_few_steps():
    files = generate(with_alerts("prod", {"name": "slow-one", "signal": "errors", "for": "P30D"})).files
    test = next(text for name, text in files.items() if name.startswith("prod_alerts_4h"))

    assert timedelta(days=30) / timedelta(hours=4) < 200
    assert "slow-one" in test

"""The Grafana dashboard: its structure, its queries as Prometheus parses them, its thresholds.

No Grafana runs here: what Grafana makes of the file is not tested. The structure is that of its published
dashboard kind (kinds/dashboard/dashboard_kind.cue in grafana/grafana).
"""

import json
import re

import pytest
import yaml

from mlops_config.alerting.dashboard import dashboard
from mlops_config.alerting.recording import Names, recording_rules
from mlops_config.alerting.series import ALL, REQUEST_SECONDS
from mlops_config.kinds import Kind
from tests.alerting.environments import example, generated, with_changes
from tests.contract.documents import ENVIRONMENTS
from tests.services.prometheus import promtool


@pytest.fixture(params=ENVIRONMENTS)
def environment(request):
    return request.param


def shown(environment):
    return json.loads(generated(environment).files[f"{environment}_dashboard.json"])


def queries(document):
    return [target["expr"] for panel in document["panels"] for target in panel.get("targets", [])]


def panel(document, title):
    [found] = [each for each in document["panels"] if each["title"] == title]
    return found


def limits(document, title):
    steps = panel(document, title)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [(step["value"], step["color"]) for step in steps]


def test_prometheus_parses_every_query(environment, tmp_path):
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$environment", environment)}
        for number, query in enumerate(queries(shown(environment)))
    ]
    file = tmp_path / "queries.rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    checked = promtool("check", "rules", file)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules)} rules found" in checked.stdout


def names_in(query):
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", query)
    return set(re.findall(r"([a-zA-Z_:][\w:]*)\{", outside))


def test_every_series_of_a_query_is_one_that_we_make(environment):
    configs = example(environment)
    namespace = configs.monitoring.metrics.namespace
    made = {series.name(namespace) for series in ALL} | {"ALERTS"}
    made |= {rule.record for rule in recording_rules(Names.of(configs.monitoring), configs.inference)}

    used = set().union(*map(names_in, queries(shown(environment))))

    assert used <= made


def test_every_series_that_we_make_is_shown():
    namespace = example("prod").monitoring.metrics.namespace
    used = set().union(*map(names_in, queries(shown("prod"))))

    assert {series.name(namespace) for series in ALL if series is not REQUEST_SECONDS} <= used
    assert f"{namespace}:request_duration_seconds:p95_5m" in used


def test_every_query_is_about_the_chosen_environment_of_this_model(environment):
    for query in queries(shown(environment)):
        selectors = re.findall(r"\{[^}]*\}", query)
        assert selectors
        for selector in selectors:
            assert 'project="city-taxi", model="trip-fare", environment="$environment"' in selector


def test_thresholds_are_those_of_the_configuration():
    document = shown("prod")

    assert limits(document, "Latency") == [(None, "green"), (0.2, "red")]
    assert limits(document, "Failed requests") == [(None, "green"), (0.005, "red")]
    assert limits(document, "Availability") == [(None, "red"), (99.9, "green")]
    assert limits(document, "Share of features that drift") == [(None, "green"), (0.3, "red")]
    assert limits(document, "Prediction drift") == [(None, "green"), (0.15, "red")]
    assert limits(document, "Drift by feature") == [(None, "green"), (0.1, "red"), (0.15, "red")]
    assert limits(document, "Performance: rmse") == [(None, "green"), (3.0, "red")]
    assert limits(document, "Rows in the newest window") == [(None, "red"), (2000, "green")]


def test_a_p_value_is_bad_when_it_is_small():
    method = {"method": "ks", "threshold": 0.02}
    configs = with_changes("prod", (Kind.MONITORING, ("prediction_drift", "numeric"), method))

    assert limits(dashboard(configs), "Prediction drift") == [(None, "red"), (0.02, "green")]


def test_what_is_not_there_is_not_shown():
    configs = with_changes(
        "prod",
        (Kind.INFERENCE, ("mode",), "batch"),
        (Kind.MONITORING, ("performance",), None),
        (Kind.MONITORING, ("prediction_drift", "enabled"), False),
    )

    titles = {each["title"] for each in dashboard(configs)["panels"]}

    assert not titles & {"Service", "Latency", "Prediction drift", "Performance: rmse"}
    assert "Drift by feature" in titles


def test_panels_are_numbered_and_do_not_overlap(environment):
    document = shown(environment)
    places = set()

    for each in document["panels"]:
        at = each["gridPos"]
        assert 0 <= at["x"] < at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places
        places |= cells
    assert [each["id"] for each in document["panels"]] == list(range(1, len(document["panels"]) + 1))


def test_the_structure_is_that_of_grafanas_dashboard_kind(environment):
    document = shown(environment)

    assert 8 <= len(document["uid"]) <= 40
    assert document["schemaVersion"] == 36
    assert [variable["name"] for variable in document["templating"]["list"]] == ["datasource", "environment"]
    assert document["templating"]["list"][1]["current"]["value"] == environment
    for each in document["panels"]:
        assert each["type"] in {"row", "timeseries", "stat", "table"}
        assert each["title"]
        if each["type"] == "row":
            continue
        assert each["description"]
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert [target["refId"] for target in each["targets"]] == ["A", "B", "C"][: len(each["targets"])]
        thresholds = each["fieldConfig"]["defaults"]["thresholds"]
        values = [step["value"] for step in thresholds["steps"]]
        assert values[0] is None
        assert values[1:] == sorted(values[1:])


def test_dashboards_of_environments_have_names_of_their_own():
    assert len({shown(environment)["uid"] for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)

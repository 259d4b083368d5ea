"""An alert over recording rules and the same one written out fire on the same series: Prometheus says so."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_config.alerting.documents import recording_document
from mlops_config.alerting.recording import Names, RecordingRule, recording_rules
from mlops_config.contract.validation import EnvironmentConfigs
from mlops_config.infrastructure.alert_variables import alert_values, recording_values, written_out
from mlops_config.kinds import Kind
from tests.alerting.environments import example, with_changes
from tests.services.prometheus import promtool

MINUTES = (6, 14, 15, 19, 31, 45)
"""While all is well, as requests begin to fail, while the server is gone, and after that."""


def series(names: Names) -> list[dict[str, str]]:
    """What a server and jobs expose: failures from the 10th minute, silence from the 20th to the 35th."""
    served = [
        ("requests_total", {"code": "200"}, "0+60x19 _x15 0+60x30"),
        ("requests_total", {"code": "503"}, "0x9 0+3x9 _x15 0+1x30"),
        ("serving_info", {"model_version": "3"}, "1x19 stale _x14 1x30"),
        ("request_duration_seconds_count", {}, "0+60x19 _x15 0+60x30"),
        *(
            ("request_duration_seconds_bucket", {"le": le}, f"0+{each}x19 _x15 0+{each}x30")
            for le, each in (("0.1", 20), ("0.25", 50), ("1", 57), ("+Inf", 60))
        ),
    ]
    jobs = [
        ("job_last_success_timestamp_seconds", {"mlops_job": job}, f"{at}x60")
        for job, at in (("monitoring", 30), ("inference", 90), ("retraining", 0))
    ]
    return [
        {"series": names.raw(suffix, **labels), "values": values}
        for suffix, labels, values in [*served, *jobs]
    ]


def prove(folder: Path, configs: EnvironmentConfigs, pairs: list[tuple[str, str]]) -> None:
    """That of each pair both have the same samples, labels and all, at every one of :data:`MINUTES`."""
    names = Names.of(configs.monitoring)
    rules = recording_rules(names, configs.inference)
    (folder / "rules.yaml").write_text(yaml.safe_dump(recording_document(names, rules)), encoding="utf-8")
    wrong = [
        expr
        for one, other in pairs
        for expr in (
            f"({one}) unless ({other})",
            f"({other}) unless ({one})",
            f"abs(({one}) - ({other})) > 1e-9",
        )
    ]
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series(names),
                "promql_expr_test": [
                    {"expr": expr, "eval_time": f"{minute}m", "exp_samples": []}
                    for expr in wrong
                    for minute in MINUTES
                ],
            }
        ],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(test), encoding="utf-8")
    finished = promtool("test", "rules", folder / "test.yaml")
    assert finished.returncode == 0, finished.stdout + finished.stderr


def recorded(configs: EnvironmentConfigs) -> list[tuple[RecordingRule, str]]:
    """Each recording rule with the selector of what it records."""
    names = Names.of(configs.monitoring)
    return [
        (rule, names.recorded(rule.record.removeprefix(f"{names.namespace}:")))
        for rule in recording_rules(names, configs.inference)
    ]


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_every_recorded_series_has_the_values_of_what_is_written_for_it(
    tmp_path: Path, environment: str
) -> None:
    configs = example(environment)
    names = Names.of(configs.monitoring)
    rules = recording_rules(names, configs.inference)
    pairs = [(selector, written_out(selector, rules, names)) for _, selector in recorded(configs)]
    assert len(pairs) == 8
    prove(tmp_path, configs, pairs)


def test_a_series_that_is_different_is_seen_to_be(tmp_path: Path) -> None:
    configs = example("prod")
    up = Names.of(configs.monitoring).recorded("server:up")
    with pytest.raises(AssertionError, match="FAILED"):
        prove(tmp_path, configs, [(up, f"{up} * 0.9")])


def test_all_that_is_compared_is_there(tmp_path: Path) -> None:
    configs = example("prod")
    names = Names.of(configs.monitoring)
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump(recording_document(names, recording_rules(names, configs.inference)))
    )
    test: dict[str, Any] = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series(names),
                "promql_expr_test": [
                    {
                        "expr": f"count({selector}) > bool 0",
                        "eval_time": "15m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                    for _, selector in recorded(configs)
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    finished = promtool("test", "rules", tmp_path / "test.yaml")
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("labels", [{}, {"odd": 'a "quoted" {brace}'}], ids=["plain", "quoted"])
def test_every_alert_fires_on_the_same_series_both_ways(tmp_path: Path, labels: dict[str, str]) -> None:
    changes = [(Kind.MONITORING, ("metrics", "labels"), labels)] if labels else []
    configs = with_changes("prod", *changes)
    values = alert_values(configs)
    assert {"fare-errors", "fare-latency", "fare-availability", "fare-monitoring-silent"} <= values.keys()
    pairs = [(str(each["expr"]), str(each["query"])) for each in values.values()]
    assert sum(one != other for one, other in pairs) >= 5
    prove(tmp_path, configs, pairs)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_no_alert_that_is_written_out_reads_a_recorded_series(environment: str) -> None:
    configs = example(environment)
    for name, values in alert_values(configs).items():
        assert not any(record in str(values["query"]) for record in recording_values(configs)), name

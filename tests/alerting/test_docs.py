"""docs/alerts.md names what there is: signals, switches, files."""

import re
from typing import get_args

import pytest

from mlops_config.alerting.rules import WATCHDOG, alert_rules
from mlops_config.contract.models.monitoring import DriftAlert, Metrics, PerformanceAlert, ServiceAlert
from mlops_config.kinds import Kind
from tests.alerting.environments import example, generated, with_changes
from tests.contract.documents import ROOT

PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
FIRST_CELLS = set(re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE))


@pytest.mark.parametrize("alert", [DriftAlert, PerformanceAlert, ServiceAlert])
def test_every_signal_has_its_line(alert):
    assert set(get_args(alert.model_fields["signal"].annotation)) <= FIRST_CELLS


def test_every_transport_has_its_line():
    assert set(get_args(Metrics.model_fields["transport"].annotation)) <= FIRST_CELLS


def test_every_rule_against_silence_has_its_line():
    bare = with_changes("prod", (Kind.MONITORING, ("alerts",), []))
    names = {rule.name for rule in alert_rules(bare).rules}

    assert len(names) == 4
    assert names <= FIRST_CELLS
    assert f"`{WATCHDOG}`" in PAGE


def test_the_example_lists_the_files_that_are_written():
    shown = re.findall(r"^wrote prometheus/(\S+)$", PAGE, re.MULTILINE)

    assert shown == list(generated("prod").files)
    assert example("prod").monitoring.metrics.transport == "pushgateway"

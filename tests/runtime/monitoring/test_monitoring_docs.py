"""What the page about monitoring says is what the job does."""

import re
from datetime import timedelta

from mlops_config.contract.models.monitoring import Performance
from mlops_config.runtime.monitoring import stored
from mlops_config.runtime.monitoring.judging import MOST_PLOTTED
from mlops_config.runtime.monitoring.performance import due_at, final_at
from mlops_config.runtime.monitoring.windows import MOST_CAUGHT_UP
from tests.runtime.monitoring.scenes import ROOT, WINDOW

PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
QUALITY = (ROOT / "src/mlops_config/runtime/monitoring/quality.py").read_text(encoding="utf-8")


def test_every_file_of_a_window_is_named() -> None:
    named = re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE)
    assert named == [stored.REPORT, stored.PAGE, stored.PROFILE, stored.PERFORMANCE]


def test_every_check_of_quality_is_named() -> None:
    table = PAGE.partition("| check | violated when |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.partition(" | ")[0])}
    made = set(re.findall(r'_(?:check|outside)\(\s*"(\w+)"', QUALITY))
    assert named == made


def test_the_numbers_told_are_those_of_the_code() -> None:
    assert f"at most {MOST_CAUGHT_UP} (or" in PAGE
    assert f"plots the {MOST_PLOTTED} worst features" in PAGE


def test_late_truth_is_waited_for_as_told() -> None:
    for delay, waited in (("PT0S", 1), ("P3D", 3), ("P30D", 7)):
        wanted = Performance.model_validate(
            {"labels_uri": "file://./t/", "label_delay": delay, "thresholds": {"rmse": {"threshold": 1.0}}}
        )
        assert final_at(WINDOW, wanted) - due_at(WINDOW, wanted) == timedelta(days=waited)

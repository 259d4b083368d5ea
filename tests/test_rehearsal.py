"""`make rehearse` as people run it: what it shows is what happened, and each mistake is told."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tools.rehearsal.breakages import BREAKAGES
from tools.rehearsal.project import CONFIGS, ENVIRONMENTS, Project
from tools.rehearsal.steps import error_lines

from tests.services import unavailable
from tests.terraform import standin as preparing

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 80
MISTAKES = 10
"""At least so many are shown."""


@pytest.fixture(scope="module")
def _prepared(terraform: Path) -> None:
    """Ends the test where Terraform or the stand-ins' Python is missing."""
    if not preparing.PYTHON.exists():
        unavailable(f"no {preparing.PYTHON}: run `make provider` first, for {terraform} to have providers")


class Rehearsed(NamedTuple):
    """A run that went as it should."""

    folder: Path
    shown: str
    steps: dict[str, dict[str, Any]]


def rehearse(folder: Path, *words: str) -> Rehearsed:
    """``python -m tools.rehearsal`` in a terminal of 80 columns, with somebody's own credentials near."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.rehearsal", "--folder", str(folder), *words],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": str(COLUMNS), "AWS_PROFILE": "mine", "TF_CLI_ARGS_plan": "-destroy"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    document = json.loads((folder / "rehearsal.json").read_text("utf-8"))
    assert document["outcome"] == "succeeded"
    return Rehearsed(folder, done.stderr, {each["key"]: each for each in document["steps"]})


@pytest.fixture(scope="module", name="short")
def short_form(_prepared: None, tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    """The short form."""
    return rehearse(tmp_path_factory.mktemp("rehearsal") / "run", "--short")


@pytest.fixture(scope="module", name="broken")
def with_mistakes(_prepared: None, tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    """Every mistake but the ones after which the rest is applied."""
    return rehearse(tmp_path_factory.mktemp("mistakes") / "run", "--break", "--short")


def test_what_was_planned_is_what_was_made(short: Rehearsed) -> None:
    objects = list((short.folder / "clouds" / "aws-dev").glob("*/*.json"))
    assert short.steps["dev"]["facts"]["created"] == short.steps["dev"]["facts"]["objects"] == len(objects)
    assert any(path.parent.name == "aws_mwaa_environment" for path in objects)


def test_the_plan_of_a_change_is_shown_whole_and_names_the_key(short: Rehearsed) -> None:
    because = short.steps["change"]["facts"]["because"]
    assert because == "monitoring.drift.drift_share_fraction 0.5 → 0.4"
    assert f"because {because}" in short.shown


def test_another_plan_than_the_reviewed_one_is_refused_and_that_one_applied(short: Rehearsed) -> None:
    assert short.steps["refuse"]["facts"]["code"] == 4
    assert "this is not the plan of dev that was reviewed" in short.shown
    rules = next((short.folder / "clouds" / "aws-dev" / "aws_prometheus_rule_group_namespace").glob("*.json"))
    assert "at or above 0.4" in rules.read_text("utf-8")


def test_drift_is_shown_with_both_values(short: Rehearsed) -> None:
    assert "versioning_configuration[0].status: Enabled → Suspended" in short.shown
    assert short.steps["drift"]["facts"]["code"] == 1


def test_it_fits_a_narrow_terminal_but_for_what_is_one_word(short: Rehearsed) -> None:
    """Lines of its own; a plan's values, such as PromQL, are shown as they are."""
    own = [line for line in short.shown.splitlines() if re.match(r"✓| {12}\S", line)]
    assert len(own) > 10
    assert [line for line in own if len(line) > COLUMNS and not re.search(r"\S{64}", line)] == []


def test_somebody_can_go_on_by_hand(short: Rehearsed) -> None:
    said = subprocess.run(
        [
            "sh",
            "-c",
            ". ./shell.env && cd terraform/environments/dev/aws && terraform output -raw airflow_url",
        ],
        cwd=short.folder / "aws",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "mwaa://city-taxi-trip-fare-dev"


def test_each_mistake_is_told(broken: Rehearsed) -> None:
    quick = [breakage for breakage in BREAKAGES if not breakage.mended]
    assert len(quick) >= MISTAKES
    for number, breakage in enumerate(quick, 1):
        facts = broken.steps[str(number)]["facts"]
        assert facts["code"] == breakage.code
        assert breakage.told in " ".join(facts["told"].split())
        assert breakage.title in broken.shown


def test_a_mistake_leaves_nothing_behind(broken: Rehearsed) -> None:
    said = subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=broken.folder / "aws",
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line for line in said.stdout.splitlines() if ".terraform.lock.hcl" not in line] == []


def test_an_error_is_found_in_the_progress_and_wrapped() -> None:
    said = "✗ plan  failed\nerror: it is not there\n  main.tf:1: of which\n hint: put it there again"
    assert error_lines(said, 34) == [
        "error: it is not",
        "  there",
        "  main.tf:1: of",
        "    which",
        " hint: put it there",
        "   again",
    ]


@pytest.mark.parametrize("cloud", CONFIGS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_threshold_that_is_changed_is_a_valid_key_of_every_environment(
    cloud: str, environment: str, tmp_path: Path
) -> None:
    source = CONFIGS[cloud] / environment / f"{environment}_monitoring_config.yaml"
    target = tmp_path / "configs" / environment / source.name
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    before, after = Project(tmp_path, cloud, tmp_path).lower_drift_share(environment)
    assert 0 < after < before
    assert f"\n  drift_share_fraction: {after}" in target.read_text("utf-8")

"""Severities and waivers from the settings, and what is found about the settings themselves."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mlops_config.contract.validation import Validation, validate
from mlops_config.findings import Severity
from mlops_config.settings import Settings, Waiver, load_settings

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 10, 1)
BROKEN = "configs/prod/prod_inference_config.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The examples, with X01 broken in prod."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    file = tmp_path / BROKEN
    file.write_text(file.read_text().replace("model_name: trip-fare", "model_name: trip-fares", 1))
    return tmp_path


def run(root: Path, text: str = "", **options: Any) -> Validation:
    if text:
        (root / "mlops-config.yaml").write_text(text)
    return validate(root, load_settings(root), today=TODAY, **options)


def found(validation: Validation) -> dict[str, Severity]:
    return {each.code: each.severity for each in validation.findings}


def waiver(rule: str = "X01", expires: str = "2026-10-01", **more: str) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return f'waivers:\n- {{rule: {rule}, reason: known and agreed, expires: "{expires}"{extra}}}\n'


def test_without_settings_nothing_changes(root: Path) -> None:
    assert found(run(root)) == {"X01": Severity.ERROR}


@pytest.mark.parametrize("severity", ["error", "warning", "note"])
def test_a_rule_weighs_what_the_settings_say(root: Path, severity: str) -> None:
    assert found(run(root, f"severity: {{X01: {severity}}}\n")) == {"X01": Severity(severity)}


def test_a_rule_can_be_turned_off(root: Path) -> None:
    assert found(run(root, 'severity: {X01: "off"}\n')) == {}


def test_a_warning_can_be_made_an_error(root: Path) -> None:
    (root / "configs" / "prod" / "notes.txt").touch()
    assert found(run(root, "severity: {F03: error}\n"))["F03"] is Severity.ERROR


@pytest.mark.parametrize("lower", ["warning", '"off"'])
def test_what_leaves_no_valid_file_stays_an_error(root: Path, lower: str) -> None:
    (root / BROKEN).write_text("a: 1\na: 2\n")
    validation = run(root, f"schema_version: 1\nseverity:\n  Y05: {lower}\n")
    assert found(validation)["Y05"] is Severity.ERROR
    finding = next(each for each in validation.findings if each.code == "W04")
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == ("mlops-config.yaml", 3)


def test_a_waiver_holds_to_the_end_of_its_last_day(root: Path) -> None:
    validation = run(root, waiver(expires="2026-10-01"))
    assert found(validation) == {}
    ((waived, held),) = validation.waived
    assert (waived.code, held.reason) == ("X01", "known and agreed")


def test_an_expired_waiver_is_a_finding_beside_what_it_covered(root: Path) -> None:
    validation = run(root, waiver(expires="2026-09-30"))
    assert found(validation) == {"X01": Severity.ERROR, "W01": Severity.WARNING}
    assert validation.waived == ()
    expired = next(each for each in validation.findings if each.code == "W01")
    assert "2026-09-30" in expired.message
    assert expired.place is not None
    assert expired.place.line == 2


@pytest.mark.parametrize(
    ("limits", "covers"),
    [
        ({}, True),
        ({"environment": "prod"}, True),
        ({"environment": "dev"}, False),
        ({"path": "metadata"}, True),
        ({"path": "metadata.model_name"}, True),
        ({"path": "metadata.model"}, False),
        ({"path": "data"}, False),
        ({"environment": "prod", "path": "metadata"}, True),
    ],
)
def test_a_waiver_covers_only_what_it_names(root: Path, limits: dict[str, str], covers: bool) -> None:
    validation = run(root, waiver(**limits))
    assert ("X01" not in found(validation)) == covers


def test_a_waiver_that_covers_nothing_is_a_note(root: Path) -> None:
    assert found(run(root, waiver("X02")))["W02"] is Severity.NOTE


def test_of_a_waiver_for_what_was_not_checked_nothing_is_said(root: Path) -> None:
    text = waiver("X02", environment="prod")
    assert "W02" not in found(run(root, text, environments=["dev"]))
    (root / BROKEN).write_text("a: [\n")
    assert "W02" not in found(run(root, text))


def test_an_unknown_code_is_a_warning_with_the_near_one(root: Path) -> None:
    validation = run(root, 'severity: {X99: "off"}\n' + waiver("X98"))
    unknown = [each for each in validation.findings if each.code == "W03"]
    assert [each.message for each in unknown] == ["there is no code X99", "there is no code X98"]
    assert all("did you mean X" in (each.hint or "") for each in unknown)


def test_an_error_of_a_file_cannot_be_waived(root: Path) -> None:
    (root / BROKEN).write_text("a: 1\na: 2\n")
    assert {"Y05", "W04"} <= set(found(run(root, waiver("Y05"))))


def test_settings_from_elsewhere_have_no_place(root: Path) -> None:
    settings = Settings(waivers=(Waiver("X02", "known and agreed", date(2026, 12, 31)),))
    validation = validate(root, settings, today=TODAY)
    (finding,) = (each for each in validation.findings if each.code == "W02")
    assert finding.place is None

"""Validation of whole trees: every file's findings side by side, rules where their files are valid."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_config.contract.validation import Validation, validate
from mlops_config.errors import UsageError
from mlops_config.findings import Finding, Severity
from mlops_config.kinds import Kind
from mlops_config.settings import Settings

ROOT = Path(__file__).parents[2]
TRAINING = "configs/prod/prod_training_config.yaml"

Edit = Callable[[str, str, str], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    return tmp_path


@pytest.fixture
def edit(root: Path) -> Edit:
    """Replaces the first ``old`` in a file by ``new``."""

    def replace(path: str, old: str, new: str) -> None:
        file = root / path
        text = file.read_text()
        assert old in text, f"{path} no longer holds {old!r}"
        file.write_text(text.replace(old, new, 1))

    return replace


def run(root: Path, *environments: str, light: bool = False) -> Validation:
    return validate(root, Settings(), environments or None, light=light)


def only(validation: Validation) -> Finding:
    assert len(validation.findings) == 1, validation.findings
    return validation.findings[0]


@pytest.mark.parametrize("light", [False, True])
def test_the_examples_are_valid_without_a_word(light: bool) -> None:
    validation = run(ROOT, light=light)
    assert validation.findings == ()
    assert validation.files_read == 12
    assert list(validation.environments) == ["dev", "staging", "prod"]
    assert all(configs.complete for configs in validation.environments.values())


def test_a_file_keeps_its_bytes_its_path_and_its_places() -> None:
    file = run(ROOT, "prod").environment("prod").files[Kind.TRAINING]
    assert file.path == TRAINING
    assert file.data == (ROOT / TRAINING).read_bytes()
    assert file.model.metadata.environment == "prod"
    assert file.positions.value(("metadata", "environment")) is not None


def test_the_models_of_an_environment_go_by_their_kind() -> None:
    configs = run(ROOT, "dev").environment("dev")
    models = (configs.training, configs.inference, configs.monitoring, configs.retrain)
    assert [model.kind for model in models] == list(Kind)


def test_one_environment_can_be_asked_for() -> None:
    validation = run(ROOT, "dev")
    assert (validation.files_read, list(validation.environments)) == (4, ["dev"])


@pytest.mark.parametrize("name", ["prd", "../prod", "", "prod/../dev"])
def test_an_unknown_environment_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError, match="there is no environment") as caught:
        run(ROOT, name)
    assert "dev, staging, prod" in (caught.value.hint or "")


def test_a_near_name_of_an_environment_is_offered() -> None:
    with pytest.raises(UsageError) as caught:
        run(ROOT, "prd")
    assert (caught.value.hint or "").startswith("did you mean prod?")


def test_an_environment_that_was_not_validated_cannot_be_had() -> None:
    with pytest.raises(UsageError):
        run(ROOT, "dev").environment("prod")


def test_a_bad_file_hides_nothing_about_the_others(root: Path, edit: Edit) -> None:
    (root / "configs/dev/dev_training_config.yaml").write_text("a: [1\n")
    (root / "configs/dev/dev_inference_config.yaml").write_bytes(b"\x00\x01")
    (root / "configs/staging/staging_training_config.yaml").unlink()
    edit(TRAINING, "random_seed:", "random_sed:")
    edit("configs/prod/prod_retrain_config.yaml", "environment: prod", "environment: dev")
    validation = run(root)
    found = {(each.place.file.split("/")[-1], each.code) for each in validation.findings if each.place}
    assert found == {
        ("dev_training_config.yaml", "Y01"),
        ("dev_inference_config.yaml", "Y09"),
        ("staging_training_config.yaml", "F02"),
        ("prod_training_config.yaml", "S02"),
        ("prod_retrain_config.yaml", "F10"),
    }
    assert not any(configs.complete for configs in validation.environments.values())


def test_findings_come_in_the_order_of_reading(root: Path, edit: Edit) -> None:
    edit(TRAINING, "random_seed:", "random_sed:")
    edit(TRAINING, "project:", "Project:")
    (root / "configs/dev/dev_training_config.yaml").write_text("")
    places = [(each.place.file, each.place.line) for each in run(root).findings if each.place]
    assert places == sorted(places)


def test_a_wrong_environment_in_a_header_names_both(root: Path, edit: Edit) -> None:
    edit(TRAINING, "environment: prod", "environment: staging")
    finding = only(run(root))
    assert (finding.code, finding.path, finding.replacement) == ("F10", ("metadata", "environment"), "prod")
    assert "staging" in finding.message
    assert "prod" in finding.message
    assert finding.place is not None
    line = (root / TRAINING).read_text().splitlines()[finding.place.line - 1]
    assert line[finding.place.column - 1 :].startswith("staging")


def test_a_file_of_another_kind_is_one_finding_not_a_flood(root: Path) -> None:
    shutil.copy(root / "configs/prod/prod_retrain_config.yaml", root / TRAINING)
    finding = only(run(root))
    assert (finding.code, finding.replacement) == ("F11", "training")


def test_a_missing_environment_is_offered_the_folders_name(root: Path, edit: Edit) -> None:
    edit(TRAINING, "  environment: prod\n", "")
    assert only(run(root)).hint == "add `environment: prod`"


def test_a_rule_across_files_points_at_the_value_and_shows_the_other(root: Path, edit: Edit) -> None:
    edit("configs/prod/prod_inference_config.yaml", "model_name: trip-fare", "model_name: trip-fares")
    findings = [each for each in run(root).findings if each.code == "X01"]
    assert len(findings) == 1
    place, related = findings[0].place, findings[0].related
    assert place is not None
    assert place.file == "configs/prod/prod_inference_config.yaml"
    assert related[0].place.file == TRAINING


def test_rules_wait_for_the_files_they_need(root: Path, edit: Edit) -> None:
    edit("configs/prod/prod_inference_config.yaml", "model_name: trip-fare", "model_name: trip-fares")
    edit(TRAINING, "random_seed:", "random_sed:")
    assert {each.code for each in run(root).findings} == {"S02"}


def test_warnings_about_spelling_leave_a_file_valid(root: Path, edit: Edit) -> None:
    edit(TRAINING, "learning_rate: 0.08", "learning_rate: 8e-2")
    validation = run(root)
    assert [(each.code, each.severity) for each in validation.findings] == [("Y21", Severity.WARNING)]
    assert validation.environment("prod").complete


def test_a_spelling_that_the_schema_refuses_is_one_finding(root: Path, edit: Edit) -> None:
    edit(TRAINING, "  environment: prod", "  environment: prod\n  owners: no")
    edit(TRAINING, "random_seed: ", "random_seed: no #")
    assert [each.code for each in run(root).findings] == ["S02", "S03"]


@pytest.mark.parametrize("light", [False, True])
def test_light_validation_finds_the_same(root: Path, edit: Edit, light: bool) -> None:
    edit(TRAINING, "random_seed: ", 'random_seed: "1" #')
    edit("configs/staging/staging_inference_config.yaml", "model_name: trip-fare", "model_name: trip-fares")
    codes = [each.code for each in run(root, light=light).findings]
    assert codes[0] == "S03"
    assert "X01" in codes
    assert run(root, light=light).findings == run(root, light=not light).findings


def test_an_empty_tree_is_a_finding_and_no_failure(tmp_path: Path) -> None:
    assert only(run(tmp_path)).code == "F01"


def test_counts() -> None:
    validation = run(ROOT)
    assert [validation.number_of(severity) for severity in Severity] == [0, 0, 0]

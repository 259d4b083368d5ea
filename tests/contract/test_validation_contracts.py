"""A team's own models in place of ours."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_config.contract.validation import Validation, validate
from mlops_config.errors import UsageError
from mlops_config.kinds import Kind
from mlops_config.settings import Settings

ROOT = Path(__file__).parents[2]

EXTENDED = """
from pydantic import Field
from mlops_config.contract.models.by_kind import TrainingConfig

class OwnTraining(TrainingConfig):
    cost_center: int = Field(ge=1000)

MODELS = {"training": OwnTraining}
"""

REPLACED = """
from pydantic import BaseModel

class Anything(BaseModel, extra="allow"):
    kind: str

MODELS = {"training": Anything}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    return tmp_path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A name no other test's module has; it is forgotten again."""
    import sys

    name = f"contracts_of_{tmp_path.name}"
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield name
    sys.modules.pop(name, None)


def run(root: Path, module: str, source: str | None) -> Validation:
    if source is not None:
        (root / f"{module}.py").write_text(source)
    return validate(root, Settings(contracts=module), ["prod"])


def test_an_extended_model_checks_its_own_fields(root: Path, module: str) -> None:
    (finding,) = run(root, module, EXTENDED).findings
    assert (finding.code, finding.path) == ("S01", ("cost_center",))


def test_an_extended_model_takes_part_in_the_rules(root: Path, module: str) -> None:
    file = root / "configs" / "prod" / "prod_training_config.yaml"
    file.write_text(file.read_text().replace("model_name: trip-fare", "model_name: trip-fares", 1))
    with file.open("a") as end:
        end.write("cost_center: 1234\n")
    validation = run(root, module, EXTENDED)
    assert validation.environment("prod").training.cost_center == 1234
    assert "X01" in {each.code for each in validation.findings}


def test_kinds_left_out_keep_our_models(root: Path, module: str) -> None:
    configs = run(root, module, EXTENDED).environment("prod")
    assert type(configs.model(Kind.RETRAIN)).__name__ == "RetrainConfig"


def test_rules_that_do_not_fit_a_replaced_model_are_named(root: Path, module: str) -> None:
    validation = run(root, module, REPLACED)
    assert validation.environment("prod").complete
    codes = {each.code for each in validation.findings}
    assert codes == {"W05"}
    assert any("X01" in each.message for each in validation.findings)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "cannot be imported"),
        ("import there_is_no_such_module", "it needs there_is_no_such_module"),
        ("1 / 0", "fails while it is imported: ZeroDivisionError"),
        ("def x(:", "fails while it is imported: SyntaxError"),
        ("raise SystemExit(0)", "fails while it is imported: SystemExit"),
        ("x = 1", "has no mapping MODELS"),
        ("MODELS = {'serving': dict}", "which is no kind"),
        ("MODELS = {'training': dict}", "is not a pydantic model"),
    ],
)
def test_a_module_that_cannot_be_used_is_wrong_usage(
    root: Path, module: str, source: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        run(root, module, source)


def test_the_line_that_fails_is_named(root: Path, module: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(root, module, "import json\n\njson.loads('{')\n")
    assert caught.value.hint == f"look at {root.resolve() / module}.py, line 3"


def test_a_package_that_is_missing_is_to_be_installed(root: Path, module: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(root, module, "import there_is_no_such_module")
    assert caught.value.hint == "install there_is_no_such_module where this command runs"


def test_the_search_path_stays_as_it_was(root: Path, module: str) -> None:
    import sys

    before = list(sys.path)
    run(root, module, EXTENDED)
    assert sys.path == before

"""All formats, by name, on a real validation."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_config.contract.validation import validate
from mlops_config.report import FORMATS, render, renderer
from mlops_config.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "configs/prod/prod_training_config.yaml").write_bytes(b"a: \xff\x07\n\tb: [\n")
    (tmp_path / "configs/dev/dev_training_config.yaml").write_text("kind: training\nkind: \u202e\n")
    shutil.rmtree(tmp_path / "configs" / "staging")
    return tmp_path


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reports_every_code(broken: Path, name: str) -> None:
    validation = validate(broken, Settings(), light=True)
    report = render(name, validation)
    assert report.endswith("\n")
    assert {each.code for each in validation.findings if each.code not in report} == set()


@pytest.mark.parametrize("name", FORMATS)
def test_equal_findings_give_equal_reports(broken: Path, name: str) -> None:
    if name == "github":
        pytest.skip("the token that silences commands is random")
    assert render(name, validate(broken, Settings())) == render(
        name, validate(broken, Settings(), light=True)
    )


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="formats are text, json"):
        renderer("xml")


IMPORTS = """
import sys
from pathlib import Path
from mlops_config.contract.validation import validate
from mlops_config.report import render
from mlops_config.settings import Settings
render("text", validate(Path(sys.argv[1]), Settings(), light=True))
print(*sys.modules)
"""


def test_checking_valid_files_loads_nothing_heavy() -> None:
    output = subprocess.run(
        [sys.executable, "-c", IMPORTS, str(ROOT)], capture_output=True, text=True, check=True
    ).stdout
    heavy = {
        "docker",
        "boto3",
        "requests",
        "pydantic",
        "difflib",
        "json.tool",
        "xml.sax",
        "mlops_config.contract.models.by_kind",
        "mlops_config.contract.schema_findings",
        "mlops_config.report.sarif",
    }
    assert set(output.split()) & heavy == set()

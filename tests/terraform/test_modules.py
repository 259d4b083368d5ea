"""Every module and root: formatted, valid, and with tests that pass, as `make terraform` checks them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tools import check_terraform as checking

from tests.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
CLOUDS = ("aws", "gcp")


@pytest.fixture(scope="module")
def bench(terraform: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[checking.Bench]:
    """A copy of the tree, with the providers."""
    try:
        with checking.bench(tmp_path_factory.mktemp("checked"), terraform) as prepared:
            yield prepared
    except FileNotFoundError as error:
        unavailable(str(error))


@pytest.mark.parametrize("folder", checking.folders())
def test_a_module_is_valid_and_its_tests_pass(bench: checking.Bench, folder: str) -> None:
    outcome = checking.checked(bench, folder)

    assert outcome.passed, outcome.words


def test_everything_is_formatted(terraform: Path) -> None:
    outcome = checking.formatted(terraform)

    assert outcome.passed, outcome.words


def test_no_folder_is_left_out() -> None:
    modules = sorted(path.name for path in (ROOT / "terraform" / "modules").iterdir())
    expected = [f"modules/{name}/{cloud}" for name in modules for cloud in CLOUDS]
    expected += [f"environments/{name}/{cloud}" for name in ("dev", "staging", "prod") for cloud in CLOUDS]
    expected += [f"bootstrap/{cloud}" for cloud in CLOUDS]

    assert checking.folders() == sorted(expected)


def test_a_folder_without_tests_is_told(bench: checking.Bench) -> None:
    (bench.tree / "modules" / "none").mkdir()
    (bench.tree / "modules" / "none" / "main.tf").write_text('output "one" { value = 1 }\n', "utf-8")
    outcome = checking.checked(bench, "modules/none")

    assert not outcome.passed
    assert outcome.words.startswith("It has no tests.")


def test_what_is_not_formatted_is_told(terraform: Path, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('output "one" {value=1}\n', "utf-8")
    outcome = checking.formatted(terraform, tmp_path)

    assert not outcome.passed
    assert 'output "one" { value = 1 }' in outcome.words


@pytest.mark.usefixtures("bench")
def test_the_command_says_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert checking.main(["terraform/modules/image_repository/gcp"]) == 0
    *lines, summary = capsys.readouterr().out.splitlines()

    assert sorted(lines)[0] == "ok      format  as terraform fmt has it"
    assert sorted(lines)[1].startswith("ok      modules/image_repository/gcp  valid, ")
    assert summary.startswith("2 of 2 passed in ")


@pytest.mark.usefixtures("bench")
def test_the_command_says_what_failed_in_terraforms_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder := tmp_path / "modules" / "one" / "aws").mkdir(parents=True)
    (folder / "main.tf").write_text('resource "aws_sns_topic" "this" {\n  names = "city"\n}\n', "utf-8")
    monkeypatch.setattr(checking, "SOURCE", tmp_path)
    monkeypatch.setattr(checking, "folders", lambda: ["modules/one/aws"])

    assert checking.main(["modules/one/aws"]) == 1
    said = capsys.readouterr().out
    assert "FAILED  modules/one/aws\n" in said
    assert 'An argument named "names" is not expected here.' in said


def test_the_command_refuses_a_folder_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        checking.main(["modules/airflows/aws"])

    assert ended.value.code == 2
    assert "modules/airflows/aws: no such module or root below" in capsys.readouterr().err

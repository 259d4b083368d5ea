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

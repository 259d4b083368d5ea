"""What merging would change, told from two commits of the example configuration."""

from pathlib import Path

import pytest
from tests.repositories import Repository

from mlops_config.contract.validation import validate
from mlops_config.kinds import Kind
from mlops_config.release.changes import FileChange
from mlops_config.release.plan import PlanRow
from mlops_config.release.proposal import proposed_changes
from mlops_config.settings import Settings


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def plan(repository: Repository) -> dict[tuple[str, Kind], PlanRow]:
    validation = validate(repository.folder, Settings())
    rows = proposed_changes(repository.folder, Settings(), validation, "HEAD")
    return {(row.environment, row.kind): row for row in rows}


def test_nothing_edited_gives_a_row_for_each_file_and_no_change(repository: Repository) -> None:
    rows = plan(repository)
    assert len(rows) == 12
    assert {row.change for row in rows.values()} == {FileChange.NONE}


def test_an_edited_value_is_told_as_old_and_new(repository: Repository) -> None:
    repository.edit(repository.config("staging", "training"), "random_seed: ", "random_seed: 1")
    row = plan(repository)["staging", Kind.TRAINING]
    assert row.change is FileChange.MEANING
    assert [change.where for change in row.changes] == ["random_seed"]


def test_a_comment_changes_no_meaning(repository: Repository) -> None:
    repository.edit(repository.config("dev", "retrain"), "kind: retrain", "kind: retrain  # as before")
    row = plan(repository)["dev", Kind.RETRAIN]
    assert (row.change, row.changes) == (FileChange.LAYOUT, ())


def test_a_deleted_file_is_gone(repository: Repository) -> None:
    repository.config("dev", "retrain").unlink()
    assert plan(repository)["dev", Kind.RETRAIN].change is FileChange.GONE


def test_a_file_that_is_not_valid_is_compared_as_written(repository: Repository) -> None:
    repository.edit(repository.config("prod", "training"), "random_seed: ", "random_sed: ")
    row = plan(repository)["prod", Kind.TRAINING]
    assert row.change is FileChange.MEANING
    assert {"random_seed", "random_sed"} <= {change.where for change in row.changes}


def test_a_first_configuration_is_all_new(repository: Repository) -> None:
    repository.git("rm", "--quiet", "-r", "--cached", "configs")
    repository.git("commit", "--quiet", "--message", "without")
    assert {row.change for row in plan(repository).values()} == {FileChange.NEW}

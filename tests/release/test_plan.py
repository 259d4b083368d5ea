"""What merging would change, told from two commits of the example configuration."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mlops_config.contract.validation import validate
from mlops_config.kinds import Kind
from mlops_config.release.changes import FileChange
from mlops_config.release.plan import PlannedFile, plan_against
from mlops_config.settings import Settings

CONFIGS = Path(__file__).parents[2] / "configs"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    shutil.copytree(CONFIGS, folder / "configs")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "before")
    return folder


def plan(repository: Path) -> dict[tuple[str, Kind], PlannedFile]:
    validation = validate(repository, Settings())
    rows = plan_against(repository, Settings(), validation, "HEAD")
    return {(row.environment, row.kind): row for row in rows}


def edit(repository: Path, environment: str, kind: Kind, old: str, new: str) -> None:
    path = repository / "configs" / environment / f"{environment}_{kind}_config.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_nothing_edited_gives_a_row_for_each_file_and_no_change(repository: Path) -> None:
    rows = plan(repository)
    assert len(rows) == 12
    assert {row.change for row in rows.values()} == {FileChange.NONE}


def test_an_edited_value_is_told_as_old_and_new(repository: Path) -> None:
    edit(repository, "staging", Kind.TRAINING, "random_seed: ", "random_seed: 1")
    row = plan(repository)["staging", Kind.TRAINING]
    assert row.change is FileChange.MEANING
    assert [change.where for change in row.changes] == ["random_seed"]


def test_a_comment_changes_no_meaning(repository: Path) -> None:
    edit(repository, "dev", Kind.RETRAIN, "kind: retrain", "kind: retrain  # as before")
    row = plan(repository)["dev", Kind.RETRAIN]
    assert (row.change, row.changes) == (FileChange.LAYOUT, ())


def test_a_deleted_file_is_gone(repository: Path) -> None:
    (repository / "configs" / "dev" / "dev_retrain_config.yaml").unlink()
    assert plan(repository)["dev", Kind.RETRAIN].change is FileChange.GONE


def test_a_file_that_is_not_valid_is_compared_as_written(repository: Path) -> None:
    edit(repository, "prod", Kind.TRAINING, "random_seed: ", "random_sed: ")
    row = plan(repository)["prod", Kind.TRAINING]
    assert row.change is FileChange.MEANING
    assert {"random_seed", "random_sed"} <= {change.where for change in row.changes}


def test_a_first_configuration_is_all_new(repository: Path) -> None:
    git(repository, "rm", "--quiet", "-r", "--cached", "configs")
    git(repository, "commit", "--quiet", "--message", "without", "--allow-empty")
    assert {row.change for row in plan(repository).values()} == {FileChange.NEW}

"""What git says of a checkout, and the environment a ref releases to; on real repositories."""

import subprocess
from pathlib import Path

import pytest

from mlops_config.errors import UsageError
from mlops_config.release.source import Checkout, Target, extract_at_commit, read_checkout, target_of
from mlops_config.settings import RefRule, Settings


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository on branch ``trunk`` with one commit that holds ``configs/a.yaml``."""
    folder = tmp_path / "a repository"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "a.yaml").write_text("a: 1\n")
    git(folder, "init", "--quiet", "--initial-branch=trunk")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def read(folder: Path, **given: str) -> Checkout:
    return read_checkout(folder, [folder / "configs"], **given)


def test_commit_time_and_branch_are_read(repository: Path) -> None:
    checkout = read(repository)
    assert checkout.commit == git(repository, "rev-parse", "HEAD")
    assert checkout.commit_time is not None
    assert int(checkout.commit_time.timestamp()) == int(git(repository, "show", "-s", "--format=%ct"))
    assert checkout.ref == "refs/heads/trunk"
    assert not checkout.dirty


def test_a_folder_outside_git_has_no_commit(tmp_path: Path) -> None:
    checkout = read(tmp_path)
    assert (checkout.commit, checkout.ref, checkout.dirty) == (None, None, False)


def test_a_machine_without_git_has_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert read(repository).commit is None


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert read(tmp_path).commit is None


def test_a_detached_head_has_no_ref(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    assert read(repository).ref is None


def test_the_ref_the_ci_service_names_wins_over_a_detached_head(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    assert read(repository, ref="refs/tags/release/v1.2.0").ref == "refs/tags/release/v1.2.0"


def test_a_shallow_clone_is_read_like_any_other(repository: Path, tmp_path: Path) -> None:
    (repository / "configs" / "a.yaml").write_text("a: 2\n")
    git(repository, "commit", "--quiet", "--all", "--message", "second")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", str(shallow))
    checkout = read(shallow)
    assert checkout.commit == git(repository, "rev-parse", "HEAD")
    assert checkout.default_branch == "trunk"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda folder: (folder / "configs" / "a.yaml").write_text("a: 2\n"), "configs/a.yaml"),
        (lambda folder: (folder / "configs" / "a.yaml").unlink(), "configs/a.yaml"),
        (lambda folder: (folder / "configs" / "new é.yaml").write_text(""), "configs/new é.yaml"),
    ],
    ids=["edited", "deleted", "untracked among the inputs"],
)
def test_a_changed_work_tree_is_dirty_and_names_the_file(repository: Path, change, path: str) -> None:  # type: ignore[no-untyped-def]  # three kinds of change, one shape
    change(repository)
    assert read(repository).changed == (path,)


def test_an_untracked_file_elsewhere_is_no_change(repository: Path) -> None:
    (repository / "scratch.txt").write_text("")
    assert not read(repository).dirty


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ("https://github.com/acme/fares.git", "acme/fares"),
        ("https://user:pass@github.com/acme/fares", "acme/fares"),
        ("git@github.com:acme/fares.git", "acme/fares"),
        ("ssh://git@ghe.example.com/acme/fares", "acme/fares"),
        ("https://user:pass@example.com/a/b/c/d", "https://example.com/a/b/c/d"),
        ("/srv/git/fares.git", None),
        ("file:///srv/git/fares.git", None),
    ],
)
def test_the_repository_is_named_without_credentials(repository: Path, remote: str, name: str | None) -> None:
    git(repository, "remote", "add", "origin", remote)
    assert read(repository).repository == name


def test_a_folder_at_a_commit_is_extracted_whatever_the_work_tree_holds(
    repository: Path, tmp_path: Path
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "configs" / "a.yaml").write_text("a: 2\n")
    extract_at_commit(repository, commit, "configs", tmp_path / "before")
    assert (tmp_path / "before" / "configs" / "a.yaml").read_bytes() == b"a: 1\n"


def test_a_folder_that_was_not_there_extracts_nothing(repository: Path, tmp_path: Path) -> None:
    extract_at_commit(repository, "HEAD", "other", tmp_path / "before")
    assert not (tmp_path / "before").exists()


def test_links_at_a_commit_are_left_out(repository: Path, tmp_path: Path) -> None:
    (repository / "configs" / "link.yaml").symlink_to("/etc/hostname")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "link")
    extract_at_commit(repository, "HEAD", "configs", tmp_path / "before")
    assert [path.name for path in (tmp_path / "before" / "configs").iterdir()] == ["a.yaml"]


def test_a_commit_missing_from_a_shallow_clone_says_how_to_fetch_it(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in this clone") as caught:
        extract_at_commit(repository, "0" * 40, "configs", tmp_path)
    assert "fetch-depth: 0" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("ref", "target"),
    [
        ("refs/tags/release/v1.2.0", Target("prod", "1.2.0")),
        ("refs/tags/release/v1.2.0-rc.3", Target("staging", "1.2.0-rc.3")),
        ("refs/heads/trunk", Target("dev", None)),
    ],
)
def test_a_ref_releases_to_its_environment(ref: str, target: Target) -> None:
    assert target_of(ref, Settings(), default_branch="trunk") == target


@pytest.mark.parametrize(
    "ref",
    [
        "refs/tags/v1.2.0",
        "refs/tags/release/v1.2",
        "refs/tags/release/v1.2.0-beta",
        "refs/heads/feature",
        "refs/heads/release/v1.2.0",
        "refs/pull/7/merge",
    ],
)
def test_a_ref_that_belongs_to_no_environment_is_refused_with_the_rules(ref: str) -> None:
    with pytest.raises(UsageError, match=r"refs/heads/trunk -> dev") as caught:
        target_of(ref, Settings(), default_branch="trunk")
    assert ref in caught.value.message


def test_no_ref_is_refused_with_what_to_name() -> None:
    with pytest.raises(UsageError, match="HEAD is detached") as caught:
        target_of(None, Settings(), default_branch="main")
    assert "--environment" in (caught.value.hint or "")


def test_the_settings_decide_which_refs_release_where() -> None:
    rules = (RefRule(match=r"refs/heads/live-(?P<version>\d+)", environment="prod"),)
    assert target_of("refs/heads/live-7", Settings(refs=rules), default_branch="main") == Target("prod", "7")


def test_a_default_rule_for_an_environment_that_is_not_there_is_refused_with_what_to_write() -> None:
    with pytest.raises(
        UsageError, match=r"v1\.2\.0 releases to prod, and environments are test, live"
    ) as caught:
        target_of("refs/tags/release/v1.2.0", Settings(environments=("test", "live")), default_branch="main")
    assert caught.value.hint is not None
    assert "write 'refs' into mlops-config.yaml" in caught.value.hint


def test_a_checkout_of_another_user_is_refused_with_how_to_trust_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UsageError, match="belongs to another user") as caught:
        read(repository)
    assert caught.value.hint == f"tell it to: git config --global --add safe.directory '{repository}'"

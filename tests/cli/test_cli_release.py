"""The main job as a person runs it: what it makes, what it prints, and that a second run changes nothing."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.repositories import Repository

from mlops_config.release.record import ReleaseRecord


def record_of(repository: Repository, environment: str) -> ReleaseRecord:
    path = repository.folder / ".mlops-config" / environment / "release.json"
    return ReleaseRecord.model_validate_json(path.read_bytes())


def test_a_release_without_an_engine_makes_everything_and_says_where_it_lies(
    command: Command, repository: Repository
) -> None:
    finished = command("release", "--environment", "prod")
    assert finished.returncode == 0, finished.stderr
    assert "no Docker engine answers" in finished.stderr
    record = record_of(repository, "prod")
    folder = repository.folder / ".mlops-config" / "prod"
    for label in ("config", "archive", "image", "bundle", "record", "notes"):
        assert f"\n{label:<9} " in finished.stdout
    assert (folder / "bundle.tar").is_file()
    assert (folder / "image" / "oci-layout").is_file()
    assert record.config_digest in (folder / "notes.md").read_text()
    assert record.image is not None
    assert record.image.tags == (repository.git("rev-parse", "HEAD"),)


def test_a_second_run_says_unchanged_and_publishes_nothing(command: Command, repository: Repository) -> None:
    command("release", "--environment", "prod")
    store = repository.folder / ".mlops-config" / "store"
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()}
    finished = command("release", "--environment", "prod")
    assert finished.returncode == 0
    assert "unchanged" in finished.stderr
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()} == before


def test_a_release_tag_gives_environment_and_version(command: Command, repository: Repository) -> None:
    finished = command("release", "--ref", "refs/tags/release/v1.2.0")
    assert finished.returncode == 0, finished.stderr
    record = record_of(repository, "prod")
    assert (record.version, record.name) == ("1.2.0", "1.2.0")
    assert record.image is not None
    assert record.image.tags == (repository.git("rev-parse", "HEAD"), "1.2.0-prod")


def test_the_next_release_names_its_predecessor_and_what_changed(
    command: Command, repository: Repository
) -> None:
    command("release", "--ref", "refs/tags/release/v1.2.0")
    repository.edit(repository.config("prod", "training"), "random_seed: ", "random_seed: 1")
    repository.commit("Change the seed")
    finished = command("release", "--ref", "refs/tags/release/v1.3.0")
    assert finished.returncode == 0, finished.stderr
    record = record_of(repository, "prod")
    assert record.previous is not None
    assert record.previous.name == "1.2.0"
    assert "random_seed" in finished.stdout


def test_a_version_is_never_released_with_other_content(command: Command, repository: Repository) -> None:
    command("release", "--ref", "refs/tags/release/v1.2.0")
    repository.edit(repository.config("prod", "training"), "random_seed: ", "random_seed: 1")
    repository.commit("Change the seed")
    finished = command("release", "--ref", "refs/tags/release/v1.2.0")
    assert finished.returncode == 4
    assert "next version" in finished.stderr


def test_a_dry_run_writes_nothing_but_the_archive(command: Command, repository: Repository) -> None:
    finished = command("release", "--environment", "prod", "--dry-run")
    assert finished.returncode == 0, finished.stderr
    assert "would build and publish" in finished.stderr
    output = repository.folder / ".mlops-config"
    assert sorted(path.name for path in output.rglob("*") if path.is_file()) == [".gitignore", "bundle.tar"]
    named = finished.stdout.rpartition("\n\n")[2]
    assert [line.split()[0] for line in named.splitlines()] == ["config", "archive"]


def test_a_dry_run_of_publish_is_about_what_was_built(command: Command) -> None:
    command("build", "--environment", "dev")
    finished = command("publish", "--environment", "dev", "--dry-run", "--format", "json")
    assert "dry run: would publish dev release" in finished.stderr
    assert json.loads(finished.stdout)["image"]["repository"] == "city-taxi-dev"


def test_the_record_is_what_json_output_is(command: Command, repository: Repository) -> None:
    finished = command("release", "--environment", "dev", "--format", "json", "--quiet")
    assert json.loads(finished.stdout) == json.loads(record_of(repository, "dev").to_json())
    assert finished.stderr == ""


def test_build_publish_and_notes_in_steps_make_the_same_release(
    command: Command, repository: Repository
) -> None:
    for verb in ("build", "publish", "notes"):
        finished = command(verb, "--environment", "staging")
        assert finished.returncode == 0, finished.stderr
    record = record_of(repository, "staging")
    assert record.bundles
    assert (repository.folder / ".mlops-config" / "staging" / "notes.md").is_file()
    assert command("verify", "--environment", "staging").returncode == 0


def test_publish_refuses_a_record_of_other_files(command: Command, repository: Repository) -> None:
    command("build", "--environment", "prod")
    repository.edit(repository.config("prod", "training"), "random_seed: ", "random_seed: 1")
    repository.commit("Change the seed")
    finished = command("publish", "--environment", "prod")
    assert finished.returncode == 4
    assert "run 'mlops-config build' again" in finished.stderr


def test_verify_names_the_file_somebody_changed_in_the_store(
    command: Command, repository: Repository
) -> None:
    command("release", "--environment", "prod")
    store = repository.folder / ".mlops-config" / "store"
    (path,) = store.rglob("prod_retrain_config.yaml")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"# changed\n")
    finished = command("verify", "--environment", "prod")
    assert finished.returncode == 4
    assert "prod_retrain_config.yaml" in finished.stderr


@pytest.mark.parametrize("what", ["--bundle", "--image"])
def test_verify_proves_archive_and_image_by_themselves(command: Command, what: str) -> None:
    command("release", "--environment", "prod")
    name = "bundle.tar" if what == "--bundle" else "image"
    finished = command("verify", what, f".mlops-config/prod/{name}")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("ok  ")


def test_verify_refuses_another_digest_than_the_one_asked_for(command: Command) -> None:
    command("release", "--environment", "prod")
    finished = command(
        "verify", "--bundle", ".mlops-config/prod/bundle.tar", "--digest", "sha256:" + "0" * 64
    )
    assert finished.returncode == 4


def test_bundle_prints_the_digest_coreutils_give(command: Command, tmp_path: Path) -> None:
    finished = command("bundle", "--environment", "prod", "--output", str(tmp_path / "prod.tar"))
    assert finished.returncode == 0, finished.stderr
    script = "tar -xf prod.tar && LC_ALL=C sha256sum prod_*_config.yaml | sha256sum | cut -c1-64"
    digest = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert f"sha256:{digest.strip()}" in finished.stdout


def test_show_says_where_each_value_comes_from(command: Command) -> None:
    finished = command("show", "--environment", "prod", "--kind", "training")
    assert finished.returncode == 0, finished.stderr
    assert "training  configs/prod/prod_training_config.yaml" in finished.stdout
    assert re.search(r"random_seed +\d+ +line \d+", finished.stdout)
    assert re.search(r"^  \S+ +.+ default", finished.stdout, re.MULTILINE)


def test_schema_prints_the_committed_schema(command: Command) -> None:
    finished = command("schema", "training")
    committed = Path(__file__).parents[2] / "schemas" / "training.schema.json"
    assert json.loads(finished.stdout) == json.loads(committed.read_text("utf-8"))

"""A job's context: opened on proven files alone, and only in its own environment."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_config.bundle.bundle import MANIFEST_NAME, Bundle
from mlops_config.cli import main
from mlops_config.console import TerminalConsole
from mlops_config.contract.validation import validate
from mlops_config.errors import FindingsError, IntegrityError, UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Draft, Event
from mlops_config.pipeline import bundle_of
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.opening import Request, open_context
from mlops_config.settings import Settings
from tests.repositories import Repository

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "a repository")


@pytest.fixture(scope="module")
def prod() -> Bundle:
    return bundle_of(validate(ROOT, Settings(), ["prod"]).environment("prod"))


@pytest.fixture
def baked(tmp_path: Path, prod: Bundle, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an image has in ``/app/configs``, and what its variables say."""
    folder = tmp_path / "app" / "configs"
    folder.mkdir(parents=True)
    for name, data in prod.contents().items():
        (folder / name).write_bytes(data)
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", prod.digest)
    monkeypatch.setenv("MLOPS_ENVIRONMENT", "prod")
    return folder


def opened(root: Path, **request: object) -> JobContext:
    return open_context(Request(root=root, **request), TerminalConsole(quiet=True))  # type: ignore[arg-type]


def test_a_checkout_gives_the_environments_files_commit_and_digest(repository: Repository) -> None:
    context = opened(repository.folder, environment="dev")
    bundle = bundle_of(validate(repository.folder, Settings(), ["dev"]).environment("dev"))
    assert context.config_digest == bundle.digest
    assert context.provenance.commit == repository.git("rev-parse", "HEAD")
    assert context.configs.training.metadata.environment == "dev"
    tags = context.tags()
    assert tags["mlops.config_digest"] == bundle.digest
    assert tags["mlops.commit"] == context.provenance.commit
    hashes = {f"mlops.{file.kind}_sha256": file.sha256 for file in bundle.files}
    assert len(hashes) == 4
    assert hashes.items() <= tags.items()


def test_naming_one_of_the_files_is_naming_the_environment(repository: Repository) -> None:
    by_file = opened(repository.folder, config=repository.config("dev", "monitoring"))
    assert by_file.config_digest == opened(repository.folder, environment="dev").config_digest


def test_files_that_differ_from_the_commit_are_of_no_commit(repository: Repository) -> None:
    repository.edit(repository.config("dev", "training"), "max_iter: 100", "max_iter: 101")
    assert opened(repository.folder, environment="dev").provenance.commit is None


def test_another_environments_broken_file_does_not_stop_a_job(repository: Repository) -> None:
    repository.config("prod", "training").write_text("kind: nothing\n")
    assert opened(repository.folder, environment="dev").environment == "dev"
    with pytest.raises(FindingsError):
        opened(repository.folder, environment="prod")


def test_an_image_gives_the_files_that_its_digest_names(baked: Path, prod: Bundle, tmp_path: Path) -> None:
    context = opened(tmp_path, config=baked / "prod_training_config.yaml")
    assert context.config_digest == prod.digest
    assert context.configs.retrain.metadata.environment == "prod"


def test_in_an_image_no_argument_is_needed(
    baked: Path, prod: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_CONFIG_DIR", str(baked))
    assert opened(tmp_path).config_digest == prod.digest


def test_the_deployment_says_where_the_code_comes_from(
    baked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_COMMIT", "c" * 40)
    monkeypatch.setenv("MLOPS_RELEASE", "1.2.0")
    monkeypatch.setenv("MLOPS_IMAGE", f"ghcr.io/acme/fares@sha256:{'d' * 64}")
    found = opened(tmp_path, config=baked / "prod_training_config.yaml").provenance
    assert (found.commit, found.release) == ("c" * 40, "1.2.0")
    assert found.image_digest == f"sha256:{'d' * 64}"


def test_a_bundle_beside_the_dags_is_obeyed_from_any_folder_and_kept_apart_from_the_root(
    prod: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dags/mlops/city-taxi/trip-fare/prod/bundles" / prod.digest.removeprefix("sha256:")
    folder.mkdir(parents=True)
    for name, data in prod.contents().items():
        (folder / name).write_bytes(data)
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    elsewhere.mkdir()
    root.mkdir()
    monkeypatch.chdir(elsewhere)
    given = {
        "MLOPS_ENVIRONMENT": "prod",
        "MLOPS_CONFIG_DIR": str(folder),
        "MLOPS_CONFIG_DIGEST": prod.digest,
        "MLOPS_COMMIT": "c" * 40,
        "MLOPS_RELEASE": "1.2.0",
        "MLOPS_IMAGE": f"ghcr.io/acme/fares@sha256:{'d' * 64}",
        "MLOPS_DAG_RUN": "city-taxi.trip-fare.prod.training/scheduled__2026-11-20",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    context = opened(root, config=folder / "prod_training_config.yaml")
    assert context.config_digest == prod.digest
    assert (context.root, context.scratch) == (root, root / ".mlops-config" / "scratch")
    assert context.ledger.store.uri == (root / ".mlops-config" / "store").as_uri()
    assert context.subject() == {
        "config_digest": prod.digest,
        "commit": "c" * 40,
        "release": "1.2.0",
        "image_digest": f"sha256:{'d' * 64}",
        "dag_run": given["MLOPS_DAG_RUN"],
    }
    assert context.provenance.image == given["MLOPS_IMAGE"]
    assert not any(elsewhere.iterdir())
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", "sha256:" + "0" * 64)
    with pytest.raises(IntegrityError, match="is not the one that was deployed"):
        opened(root, config=folder / "prod_training_config.yaml")


def test_the_release_in_force_says_so_where_the_deployment_does_not(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.folder)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert main(["release", "--environment", "dev", "--version", "0.3.0"]) == 0
    context = opened(repository.folder, environment="dev")
    assert context.provenance.release == "0.3.0"
    assert context.provenance.commit == repository.git("rev-parse", "HEAD")


@pytest.mark.parametrize("kind", list(Kind))
def test_one_changed_byte_in_any_file_is_refused(baked: Path, tmp_path: Path, kind: Kind) -> None:
    path = baked / f"prod_{kind}_config.yaml"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(IntegrityError, match=path.name):
        opened(tmp_path, config=baked / "prod_training_config.yaml")


def test_a_consistent_bundle_that_is_not_the_deployed_one_is_refused(
    baked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", "sha256:" + "0" * 64)
    with pytest.raises(IntegrityError, match="not the one that was deployed"):
        opened(tmp_path, config=baked / "prod_training_config.yaml")


def test_an_image_that_says_no_digest_proves_nothing(
    baked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLOPS_CONFIG_DIGEST")
    with pytest.raises(IntegrityError, match="nothing says which"):
        opened(tmp_path, config=baked / "prod_training_config.yaml")


def test_a_file_added_to_the_image_is_refused(baked: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "configs" / "dev" / "dev_training_config.yaml", baked)
    with pytest.raises(IntegrityError, match="dev_training_config"):
        opened(tmp_path, config=baked / "prod_training_config.yaml")


def test_without_its_manifest_the_folder_of_an_image_is_no_bundle(baked: Path, tmp_path: Path) -> None:
    (baked / MANIFEST_NAME).unlink()
    with pytest.raises((IntegrityError, UsageError, FindingsError)):
        opened(tmp_path, config=baked / "prod_training_config.yaml")


def test_the_digest_holds_in_a_checkout_too(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", "sha256:" + "0" * 64)
    with pytest.raises(IntegrityError):
        opened(repository.folder, environment="dev")


def test_a_digest_is_checked_before_the_files_are_asked_what_they_mean(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", opened(repository.folder, environment="dev").config_digest)
    opened(repository.folder, environment="dev")
    repository.config("dev", "training").write_text("kind: nothing\n")
    with pytest.raises(IntegrityError, match="not the one that was deployed"):
        opened(repository.folder, environment="dev")


def test_the_configuration_of_another_environment_is_refused(
    baked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ENVIRONMENT", "staging")
    with pytest.raises(IntegrityError, match="this is the staging environment"):
        opened(tmp_path, config=baked / "prod_training_config.yaml")


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (Kind.TRAINING, "registered_model_name: trip-fare-dev", "registered_model_name: trip-fare-prod"),
        (
            Kind.TRAINING,
            "experiment_name: city-taxi/trip-fare/dev",
            "experiment_name: city-taxi/trip-fare/prod",
        ),
        (Kind.MONITORING, "file://./build/dev/reports/", "file://./build/prod/reports/"),
        (Kind.INFERENCE, "file://./build/dev/capture/", "file://./build/prod/capture/"),
    ],
)
def test_a_dev_configuration_cannot_act_on_prod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, old: str, new: str
) -> None:
    dev = bundle_of(validate(ROOT, Settings(), ["dev"]).environment("dev"))
    data = {file.kind: file.data for file in dev.files}
    assert data[kind].count(old.encode()) == 1
    data[kind] = data[kind].replace(old.encode(), new.encode())
    forged = Bundle.of(dev.project, dev.model_name, "dev", data)
    for name, content in forged.contents().items():
        (tmp_path / "configs").mkdir(exist_ok=True)
        (tmp_path / "configs" / name).write_bytes(content)
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", forged.digest)
    with pytest.raises(IntegrityError, match="would act on prod"):
        opened(tmp_path, config=tmp_path / "configs" / "dev_training_config.yaml")


def test_a_job_without_a_configuration_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which environment") as refused:
        opened(tmp_path)
    assert "--environment dev" in (refused.value.hint or "")
    with pytest.raises(UsageError, match="no configuration file"):
        opened(tmp_path, config=tmp_path / "gone.yaml")


def test_the_command_ends_with_4_and_leaves_a_metric(
    baked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_METRICS_DIR", str(tmp_path / "metrics"))
    path = baked / "prod_monitoring_config.yaml"
    path.write_text(path.read_text().replace("transport: pushgateway", "transport: textfile"))
    assert (
        main(["run", "training", "-C", str(tmp_path), "--config", str(baked / "prod_training_config.yaml")])
        == 4
    )
    assert "prod_monitoring_config.yaml" in capsys.readouterr().err
    (written,) = (tmp_path / "metrics").glob("*.prom")
    assert "fares_config_integrity_failed{" in written.read_text()


def test_every_run_has_an_id_of_its_own_and_a_time_that_can_be_given(repository: Repository) -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    one, other = (opened(repository.folder, environment="dev", now=moment) for _ in range(2))
    assert one.now == moment
    assert one.job_id != other.job_id
    assert len(one.job_id) == 16


def test_in_an_image_the_ledger_is_the_bundles_own(
    baked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_CONFIG_DIR", str(baked))
    context = opened(tmp_path)
    context.ledger.append(Draft(event=Event.RESET, time=context.now))
    assert main(["log", "-C", str(tmp_path)]) == 0
    assert "reset" in capsys.readouterr().out

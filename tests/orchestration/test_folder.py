"""The DAG folder on a disk and in buckets: bundle first, then the deployment, and nothing half-written."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.orchestration.releases import Release, adding, release
from tests.services.gcs import VARIABLE
from tests.services.s3 import BUCKET

from mlops_config.bundle.archive import read_folder
from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.kinds import Kind
from mlops_config.orchestration.deployment import Deployment
from mlops_config.orchestration.describing import deployment_of
from mlops_config.orchestration.folder import DagFolder, DeploymentMovedError, Standing, open_folder
from mlops_config.store.objects import ObjectStore
from mlops_config.store.s3 import S3Store

FIRST = release("1.0.0")
SECOND = release("1.1.0", {Kind.MONITORING: adding("# another")})
PLACE = Path("mlops/city-taxi/trip-fare/dev")


def described(each: Release) -> Deployment:
    return deployment_of(each.record, each.released.configs)


def write(folder: DagFolder, each: Release, expected: Standing | None = None) -> bool:
    if expected is None:
        expected = folder.standing("city-taxi", "trip-fare", "dev")
    return folder.write(described(each), each.bundle, expected).created


@pytest.fixture(params=["local", "s3", "gcs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DagFolder]:
    """An empty DAG folder of each kind."""
    if request.param == "local":
        yield open_folder(str(tmp_path))
    elif request.param == "s3":
        client = request.getfixturevalue("s3_client")
        yield DagFolder(S3Store(BUCKET, f"dags/{tmp_path.name}", client=client))
    else:
        endpoint = request.getfixturevalue("gcs_bucket")
        request.getfixturevalue("monkeypatch").setenv(VARIABLE, endpoint)
        yield open_folder(f"gs://{BUCKET}/dags/{tmp_path.name}")


def test_what_was_written_is_what_stands_there(folder: DagFolder) -> None:
    assert folder.standing("city-taxi", "trip-fare", "dev") == Standing(None, None)
    assert write(folder, FIRST)
    assert folder.standing("city-taxi", "trip-fare", "dev").deployment == described(FIRST)


def test_a_bucket_is_copied_first_and_a_folder_is_read_as_it_is(folder: DagFolder) -> None:
    assert (folder.copied_within == 0) is folder.uri.startswith("file://")


def test_writing_again_changes_nothing(folder: DagFolder) -> None:
    write(folder, FIRST)
    before = folder.standing("city-taxi", "trip-fare", "dev")
    assert not write(folder, FIRST)
    assert folder.standing("city-taxi", "trip-fare", "dev") == before


def test_of_two_deployments_in_one_moment_the_second_says_who_was_first(folder: DagFolder) -> None:
    seen = folder.standing("city-taxi", "trip-fare", "dev")
    write(folder, FIRST, seen)
    with pytest.raises(DeploymentMovedError, match=r"was given release 1\.0\.0 .* while release 1\.1\.0"):
        write(folder, SECOND, seen)
    assert folder.standing("city-taxi", "trip-fare", "dev").deployment == described(FIRST)


def test_dag_files_are_written_where_they_are_missing_and_left_where_they_are(folder: DagFolder) -> None:
    assert folder.write_dags({"a_dag.py": b"one"}) == {"a_dag.py": True}
    assert folder.write_dags({"a_dag.py": b"two", "b_dag.py": b"one"}) == {
        "a_dag.py": False,
        "b_dag.py": True,
    }


def test_the_old_bundle_stays_for_the_run_that_reads_it(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    for each in (FIRST, SECOND):
        write(folder, each)
    for each in (FIRST, SECOND):
        assert read_folder(tmp_path / PLACE / described(each).bundle_folder) == each.bundle


def test_the_deployment_comes_after_every_file_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whichever write fails: the deployment there is complete, and the same command goes on."""
    for fails_at in range(6):
        root = tmp_path / str(fails_at)
        root.mkdir()
        write(open_folder(str(root)), FIRST)
        folder = open_folder(str(root))
        with monkeypatch.context() as patch:
            interrupt_write(patch, folder, fails_at)
            with pytest.raises(KeyboardInterrupt):
                write(folder, SECOND)
        standing = folder.standing("city-taxi", "trip-fare", "dev").deployment
        assert standing == described(FIRST)
        assert read_folder(root / PLACE / standing.bundle_folder) == FIRST.bundle
        write(folder, SECOND)
        assert read_folder(root / PLACE / described(SECOND).bundle_folder) == SECOND.bundle
        assert not list(root.rglob("*.tmp"))


def interrupt_write(patch: pytest.MonkeyPatch, folder: DagFolder, fails_at: int) -> None:
    store: ObjectStore = folder._store
    writes = iter(range(100))
    for name in ("put_if_absent", "compare_and_swap"):
        write_object = getattr(store, name)

        def counted(*arguments: object, original: object = write_object) -> object:
            if next(writes) == fails_at:
                raise KeyboardInterrupt
            assert callable(original)
            return original(*arguments)

        patch.setattr(store, name, counted)


def test_a_folder_that_takes_no_files_is_said_with_what_to_do(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "mlops").write_text("a file where a folder must be")
    else:
        tmp_path.chmod(0o555)
    with pytest.raises(ServiceError, match="mlops"):
        write(open_folder(str(tmp_path)), FIRST)


def test_a_bundle_that_somebody_changed_in_the_folder_is_not_deployed(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    write(folder, FIRST)
    path = tmp_path / PLACE / described(FIRST).bundle_folder / "dev_training_config.yaml"
    path.chmod(0o644)
    path.write_bytes(b"other")
    with pytest.raises(IntegrityError, match="with other content"):
        write(folder, FIRST)


def test_a_bundle_is_never_written_under_another_ones_name(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="this bundle is"):
        open_folder(str(tmp_path)).write(described(FIRST), SECOND.bundle, Standing(None, None))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"{", b'{"schema_version": 2}', b'{"schema_version": 1}', b"[]"])
def test_a_file_that_is_no_deployment_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / PLACE / "deployment.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="is no deployment"):
        write(open_folder(str(tmp_path)), FIRST)
    assert path.read_bytes() == content


def test_the_deployment_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / PLACE / "deployment.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(described(FIRST)._replace(environment="prod").to_json())
    with pytest.raises(IntegrityError, match="is the deployment of city-taxi/trip-fare/prod"):
        write(open_folder(str(tmp_path)), FIRST)


def test_readers_see_one_whole_deployment_or_the_other(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    write(folder, FIRST)
    path, ended = tmp_path / PLACE / "deployment.json", threading.Event()
    broken: list[str] = []

    def read() -> None:
        while not ended.is_set():
            try:
                read_folder(path.parent / Deployment.from_json(path.read_bytes(), "it").bundle_folder)
            except (ValueError, IntegrityError, OSError) as error:
                broken.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        write(folder, SECOND)
        write(folder, FIRST)
    ended.set()
    reader.join()
    assert broken == []


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("/nowhere/at/all", "there is no DAG folder"),
        ("oci://ghcr.io/acme/dags", "Airflow reads no DAGs from"),
        ("ftp://host/dags", "not supported"),
    ],
)
def test_a_place_that_is_no_dag_folder_is_refused(uri: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_folder(uri)


def test_a_relative_path_and_a_link_lead_to_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "dags").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    write(open_folder("dags"), FIRST)
    assert (tmp_path / "real" / PLACE / "deployment.json").is_file()


def test_what_the_dag_processor_loads_needs_the_standard_library_alone() -> None:
    program = (
        "import sys; before = set(sys.modules); import mlops_config.orchestration.deployment;"
        " print(sorted(name for name in set(sys.modules) - before"
        " if name.partition('.')[0] in {'pydantic', 'yaml', 'requests', 'docker'}))"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert printed.stdout == "[]\n"

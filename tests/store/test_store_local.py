"""What the store in a folder promises: whole files, no links followed, full disks and races survived."""

import errno
import json
import multiprocessing
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.store.examples import COMMIT, PROJECT, example_bundle, example_record

from mlops_config.bundle.bundle import Bundle
from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError
from mlops_config.store import open_store
from mlops_config.store.local import LocalStore
from mlops_config.store.locks import exclusive

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier

PROCESSES = 6


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root, root.as_uri())


def bundle_folder(root: Path, bundle: Bundle) -> Path:
    return root / bundle.project / "bundles" / "sha256" / bundle.digest.removeprefix("sha256:")


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_the_layout_is_the_documented_one(store: LocalStore, root: Path) -> None:
    bundle = example_bundle()
    record = example_record(bundle)
    store.publish_bundle(bundle)
    store.publish_release(record)
    store.set_current(record, None)
    folder = f"fares/bundles/sha256/{bundle.digest.removeprefix('sha256:')}"
    visible = [name for name in files_below(root) if "/." not in name]
    assert visible == [
        f"{folder}/manifest.json",
        f"{folder}/prod_inference_config.yaml",
        f"{folder}/prod_monitoring_config.yaml",
        f"{folder}/prod_retrain_config.yaml",
        f"{folder}/prod_training_config.yaml",
        "fares/environments/prod/current.json",
        "fares/releases/prod/1.2.0.json",
    ]


def test_the_pointer_names_the_record_and_the_bundle(store: LocalStore, root: Path) -> None:
    bundle = example_bundle()
    record = example_record(bundle)
    store.publish_bundle(bundle)
    store.publish_release(record)
    store.set_current(record, None)
    pointer = json.loads((root / "fares/environments/prod/current.json").read_text())
    assert pointer == {
        "schemaVersion": 1,
        "release": "1.2.0",
        "configDigest": bundle.digest,
        "record": "releases/prod/1.2.0.json",
        "bundle": f"bundles/sha256/{bundle.digest.removeprefix('sha256:')}/",
    }
    assert (root / "fares" / pointer["record"]).read_bytes() == record.to_json()
    assert (root / "fares" / pointer["bundle"] / "manifest.json").read_bytes() == bundle.manifest()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_write_once_files_are_read_only_and_open_to_the_group(store: LocalStore, root: Path) -> None:
    before = os.umask(0o022)
    try:
        bundle = example_bundle()
        store.publish_bundle(bundle)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in bundle_folder(root, bundle).iterdir()}
    assert modes == {0o444}


def test_a_published_bundles_address_leads_to_its_files(store: LocalStore, root: Path) -> None:
    bundle = example_bundle()
    assert store.publish_bundle(bundle).uri == bundle_folder(root, bundle).as_uri() + "/"


def test_an_environment_name_cannot_lead_out_of_the_store(store: LocalStore, root: Path) -> None:
    bundle = example_bundle("x/../../../../../outside")
    store.publish_bundle(bundle)
    assert {path.name for path in root.parent.iterdir()} == {"store"}
    assert store.fetch_bundle(PROJECT, bundle.digest) == bundle


def test_a_project_that_starts_with_a_dot_is_refused(store: LocalStore) -> None:
    with pytest.raises(MlopsConfigError, match="starts with a dot"):
        store.publish_bundle(example_bundle(project=".."))


@pytest.mark.parametrize("part", ["fares", "fares/bundles", "fares/bundles/sha256"])
def test_a_symbolic_link_in_place_of_a_folder_is_refused(
    store: LocalStore, root: Path, tmp_path: Path, part: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / part).parent.mkdir(parents=True, exist_ok=True)
    (root / part).symlink_to(outside)
    with pytest.raises(IntegrityError, match="symbolic link"):
        store.publish_bundle(example_bundle())
    assert list(outside.iterdir()) == []


def test_a_symbolic_link_in_place_of_a_file_is_refused(store: LocalStore, root: Path, tmp_path: Path) -> None:
    bundle = example_bundle()
    store.publish_bundle(bundle)
    file = bundle_folder(root, bundle) / bundle.files[0].name
    secret = tmp_path / "secret"
    secret.write_bytes(bundle.files[0].data)
    file.unlink()
    file.symlink_to(secret)
    with pytest.raises(IntegrityError, match="symbolic link"):
        store.fetch_bundle(PROJECT, bundle.digest)
    with pytest.raises(IntegrityError, match="symbolic link"):
        store.publish_bundle(bundle)


def test_the_stores_own_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = open_store((tmp_path / "link").as_uri())
    store.publish_bundle(example_bundle())
    assert store.fetch_bundle(PROJECT, example_bundle().digest) == example_bundle()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"release": "1.2.0"}', "null"])
def test_a_pointer_that_says_nothing_is_an_integrity_error(store: LocalStore, root: Path, text: str) -> None:
    pointer = root / "fares" / "environments" / "prod" / "current.json"
    pointer.parent.mkdir(parents=True)
    pointer.write_text(text)
    with pytest.raises(IntegrityError, match="is not a current pointer"):
        store.current(PROJECT, "prod")


def test_a_bundle_in_the_place_of_another_is_an_integrity_error(store: LocalStore, root: Path) -> None:
    bundle, other = example_bundle(rows=3), example_bundle(rows=4)
    store.publish_bundle(other)
    bundle_folder(root, other).rename(bundle_folder(root, bundle))
    with pytest.raises(IntegrityError, match=f"expected {bundle.digest}"):
        store.fetch_bundle(PROJECT, bundle.digest)


def test_an_extra_file_in_a_bundle_is_an_integrity_error(store: LocalStore, root: Path) -> None:
    bundle = example_bundle()
    store.publish_bundle(bundle)
    (bundle_folder(root, bundle) / "prod_extra_config.yaml").write_text("x: 1\n")
    with pytest.raises(IntegrityError, match="prod_extra_config"):
        store.fetch_bundle(PROJECT, bundle.digest)


def test_a_folder_of_many_files_is_not_read(store: LocalStore, root: Path) -> None:
    bundle = example_bundle()
    store.publish_bundle(bundle)
    for number in range(30):
        (bundle_folder(root, bundle) / f"{number}.yaml").write_text("x: 1\n")
    with pytest.raises(IntegrityError, match="more than 16 files"):
        store.fetch_bundle(PROJECT, bundle.digest)


def test_a_huge_file_is_not_read(store: LocalStore, root: Path) -> None:
    bundle = example_bundle()
    store.publish_bundle(bundle)
    file = bundle_folder(root, bundle) / bundle.files[0].name
    file.chmod(0o644)
    os.truncate(file, 1 << 40)
    with pytest.raises(IntegrityError, match="nothing that large"):
        store.fetch_bundle(PROJECT, bundle.digest)


def test_a_folder_in_place_of_a_file_is_an_integrity_error(store: LocalStore, root: Path) -> None:
    bundle = example_bundle()
    (bundle_folder(root, bundle) / "manifest.json").mkdir(parents=True)
    with pytest.raises(IntegrityError, match="is not a file"):
        store.fetch_bundle(PROJECT, bundle.digest)


def test_a_file_in_place_of_a_folder_is_a_service_error(store: LocalStore, root: Path) -> None:
    root.mkdir()
    (root / "fares").write_text("in the way")
    with pytest.raises(ServiceError, match=r"Not a directory|File exists"):
        store.publish_bundle(example_bundle())


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_a_folder_that_may_not_be_written_is_a_service_error_with_a_hint(
    root: Path, request: pytest.FixtureRequest
) -> None:
    if os.geteuid() == 0:  # root may write wherever the file system lets anyone
        root = request.getfixturevalue("small_disk")
        subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    else:
        root.mkdir(mode=0o555)
    with pytest.raises(ServiceError, match=r"Permission denied|Read-only file system") as refused:
        LocalStore(root, root.as_uri()).publish_bundle(example_bundle())
    assert refused.value.hint
    assert "write there" in refused.value.hint


def fail_at(monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException) -> None:
    """Lets the given call of fsync fail: the moment a file's bytes are to reach the disk."""
    calls = iter(range(1, 1000))
    real = os.fsync

    def fsync(handle: int) -> None:
        if next(calls) == call:
            raise error
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("call", range(1, 14))
def test_ctrl_c_at_any_moment_leaves_nothing_half_visible_and_the_next_run_completes_it(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    bundle = example_bundle()
    with monkeypatch.context() as patch:
        fail_at(patch, call, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            store.publish_bundle(bundle)
    assert store.fetch_bundle(PROJECT, bundle.digest) in {None, bundle}
    assert [name for name in files_below(root) if name.endswith(".tmp")] == []
    store.publish_bundle(bundle)
    assert store.fetch_bundle(PROJECT, bundle.digest) == bundle


def test_a_disk_that_fails_is_a_service_error(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at(monkeypatch, 3, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(ServiceError, match="Input/output error"):
        store.publish_bundle(example_bundle())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk to fill")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_says_so_leaves_nothing_and_goes_on_when_there_is_space(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    store = open_store((small_disk / "store").as_uri())
    bundle = Bundle.of(
        PROJECT,
        "fare-amount",
        "prod",
        {file.kind: file.data + b"# " + b"x" * 8000 for file in example_bundle().files},
    )
    ballast.write_bytes(b"x" * 32_000)
    with pytest.raises(ServiceError, match="No space left on device; nothing half-written") as full:
        store.publish_bundle(bundle)
    assert full.value.hint
    assert "space" in full.value.hint
    assert store.fetch_bundle(PROJECT, bundle.digest) is None
    assert [name for name in files_below(small_disk / "store") if name.endswith(".tmp")] == []
    ballast.unlink()
    assert store.publish_bundle(bundle).created
    assert store.fetch_bundle(PROJECT, bundle.digest) == bundle


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX")
def test_a_file_larger_than_the_system_lets_it_be_is_like_a_full_disk(store: LocalStore, root: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30, before[1]))
    try:
        with pytest.raises(ServiceError, match="File too large; nothing half-written"):
            store.publish_bundle(example_bundle())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files_below(root) == []


def test_on_a_full_disk_what_is_there_already_is_still_a_no_op(small_disk: Path) -> None:
    store = open_store((small_disk / "store").as_uri())
    store.publish_bundle(example_bundle())
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(b"x" * 100_000)
    assert not store.publish_bundle(example_bundle()).created


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links_is_served_under_a_lock(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_links)
    bundle = example_bundle()
    assert store.publish_bundle(bundle).created
    assert not store.publish_bundle(bundle).created
    assert store.fetch_bundle(PROJECT, bundle.digest) == bundle


def test_a_lock_that_is_never_given_back_is_a_service_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive(path), pytest.raises(ServiceError, match="has held the lock"), exclusive(path, limit=0.05):
        pass


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held, entered = threading.Event(), []

    def hold() -> None:
        with exclusive(path):
            held.set()
            entered.append("first")

    with exclusive(path):
        other = threading.Thread(target=hold)
        other.start()
        assert not held.wait(0.1)
    other.join(10)
    assert entered == ["first"]


def _publish(root: str, start: "Barrier", results: "SimpleQueue[str]", commit: str) -> None:
    store = open_store(root)
    bundle = example_bundle()
    start.wait()
    try:
        published = store.publish_bundle(bundle)
        store.publish_release(example_record(bundle, commit=commit))
    except MlopsConfigError as error:
        results.put(type(error).__name__)
    else:
        results.put("created" if published.created else "there")


def in_processes(root: Path, commits: list[str]) -> list[str]:
    """What each of several processes got that publish a release of the same name in the same moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlops_config.store.local", "mlops_config.release.record"])
    start, results = context.Barrier(len(commits)), context.SimpleQueue()
    processes = [
        context.Process(target=_publish, args=(root.as_uri(), start, results, commit)) for commit in commits
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [results.get() for _ in commits]


def test_processes_that_publish_the_same_all_succeed_and_one_of_them_put_it_there(root: Path) -> None:
    results = in_processes(root, [COMMIT] * PROCESSES)
    assert sorted(results) == ["created"] + ["there"] * (PROCESSES - 1)


def test_of_processes_that_publish_different_releases_under_one_name_one_wins(root: Path) -> None:
    results = in_processes(root, [f"{number:040x}" for number in range(PROCESSES)])
    assert results.count("ObjectExistsError") == PROCESSES - 1
    assert open_store(root.as_uri()).fetch_release(PROJECT, "prod", "1.2.0") is not None
